//! The settings of the job.

use kafka::settings::KAFKA;
use schema_registry::settings::REGISTRY;
use settings::Group;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD, WRITER_SCHEMAS};
use telemetry::settings::TELEMETRY;

/// Every group of settings that the job reads, in the order of its help.
pub static GROUPS: [&Group; 13] = [
    &KAFKA,
    &WRITER_SCHEMAS,
    &REGISTRY,
    &ROUTING,
    &WINDOW,
    &DELIVERY,
    &DEAD_LETTERS,
    &REPORT,
    &METRICS,
    &STATUS_PAGE,
    &TELEMETRY,
    &EVERY_PROGRAM,
    &ORACLE_CLOUD,
];

settings::settings! {
    [ROUTING = "Job: routes"]
    API_TYPE_A_URL = "api_type_a_url", "The URL for records with id 1010.";
    API_TYPE_B_URL = "api_type_b_url", "The URL for records with id 1020.";
    #[secret] API_TYPE_A_TOKEN = "api_type_a_token", "The bearer token for API type A.";
    #[secret] API_TYPE_B_TOKEN = "api_type_b_token", "The bearer token for API type B.";
    #[template] ROUTES = "routes", "A file in YAML or JSON (a path or oci://BUCKET/OBJECT) with routes that replace the two built-in routes.";
    UNMATCHED = "unmatched" or "skip", "The action for a record that no route matches: skip, dead_letter or stop.";
    TOMBSTONES = "tombstones" or "skip", "The action for a record without a value: skip or dead_letter. A route with `tombstones` takes it instead.";

    [WINDOW = "Job: window"]
    KAFKA_GROUP_ID = "kafka_group_id" or "frontdoor", "The consumer group. A window starts at its committed offsets.";
    KAFKA_GROUP_PROTOCOL = "kafka_group_protocol" or "auto", "The group protocol: consumer (KIP-848), classic, or auto (consumer if the broker supports it).";
    CONCURRENT_RUNS = "concurrent_runs" or "exit", "The action when another run of the group is active: exit (with code 20) or share (the runs share the partitions).";
    WINDOW_START = "window_start" or "committed", "The start of the window: committed, earliest, a time (RFC 3339), or offsets as 0:100,1:250. All except committed are replays, which commit nothing.";
    WINDOW_END = "window_end" or "now", "The end of the window: now (the end of the log when the run starts), a time (RFC 3339), or offsets as 0:200,1:300.";
    WINDOW_MAX_RECORDS = "window_max_records", "The maximum number of unread offsets in a window, divided among the partitions. Records that an earlier run deferred are not counted. Unset: no limit.";
    WINDOW_MAX_BYTES = "window_max_bytes", "The maximum size of the record values in a window, counted in the same way. A window contains at least one record. Unset: no limit.";
    DEADLINE = "deadline", "The maximum duration of a run, draining and committing included. Unset: no limit.";
    SHUTDOWN_TIMEOUT = "shutdown_timeout" or "10s", "How long requests in flight may take to finish after the deadline or SIGTERM.";
    START_TIMEOUT = "start_timeout" or "10s", "How long a run waits for the broker at its start.";
    ON_DATA_LOSS = "on_data_loss" or "stop", "The action when unread records are no longer in the log: stop (exit 76) or continue.";

    [DELIVERY = "Job: delivery"]
    DELIVERY_SCHEMA = "delivery_schema" or "reader", "The schema of the datums that endpoints receive: reader (AVRO_SCHEMA: other datums are resolved to it) or writer (the schema that the datum was written with; not with batches).";
    MAX_IN_FLIGHT = "max_in_flight" or "64", "The maximum number of requests in flight to one endpoint.";
    MAX_UNCOMMITTED = "max_uncommitted", "The maximum number of requests to one endpoint that are in flight, or complete and not committed. After kill -9, at most these are repeated. Unset: 16 times MAX_IN_FLIGHT.";
    RATE_LIMIT = "rate_limit", "The maximum number of requests per second to one endpoint. Unset: no limit.";
    ORDER = "order" or "none", "The order of deliveries: none, key (per Kafka key) or partition.";
    REQUEST_TIMEOUT = "request_timeout" or "10s", "The timeout of one request.";
    MAX_ATTEMPTS = "max_attempts" or "5", "The maximum number of attempts for one record in one run.";
    BACKOFF_INITIAL = "backoff_initial" or "200ms", "The maximum wait before the second attempt. It doubles with each attempt, with full jitter.";
    BACKOFF_MAX = "backoff_max" or "30s", "The maximum wait between attempts, Retry-After included.";
    GIVE_UP_AFTER = "give_up_after" or "8h", "The age at which a record that its endpoint does not accept becomes a dead letter, if an earlier run has tried it too; twice this age if the endpoint accepts no other record. A duration, or never.";
    CIRCUIT_FAILURE_THRESHOLD = "circuit_failure_threshold" or "10", "The number of consecutive failures that open the circuit of an endpoint.";
    CIRCUIT_COOL_DOWN = "circuit_cool_down" or "1s", "How long the circuit stays open before a probe. It doubles with each failed probe.";
    CIRCUIT_MAX_PROBES = "circuit_max_probes" or "3", "The number of failed probes after which the endpoint's records are deferred to the next run.";

    [DEAD_LETTERS = "Job: dead letters"]
    DEAD_LETTER_TOPIC = "dead_letter_topic", "The topic for records that cannot be decoded or are permanently rejected. Unset: the topic's name with -dead-letter.";
    DEAD_LETTER_ENVELOPE = "dead_letter_envelope" or "auto", "Whether dead letters have a JSON envelope, for brokers without headers: true, false, or auto (true on OCI Streaming).";
    DEAD_LETTER_MAX_RATIO = "dead_letter_max_ratio" or "0.05", "The ratio of dead letters at which a run stops (exit 65).";
    DEAD_LETTER_MIN_COUNT = "dead_letter_min_count" or "100", "The number of dead letters from which dead_letter_max_ratio applies.";

    [REPORT = "Job: report"]
    REPORT_TOPIC = "report_topic", "A topic to which each run also writes its report, with the consumer group as the key; a replay has another key. It must exist; set cleanup.policy=compact on it. Unset: none.";

    [METRICS = "Job: metrics"]
    METRICS_FILE = "metrics_file", "A file that receives the metrics of each run in Prometheus' text format, for the textfile collector of the node exporter. It is replaced atomically; its name must end with .prom for that collector. Unset: none.";
    METRICS_PUSHGATEWAY = "metrics_pushgateway", "The URL of a Prometheus Pushgateway, to which each run pushes its metrics, for at most 5 seconds. Unset: none.";
    #[user] METRICS_PUSHGATEWAY_USERNAME = "metrics_pushgateway_username", "The user name for HTTP Basic at the Pushgateway.";
    #[secret] METRICS_PUSHGATEWAY_PASSWORD = "metrics_pushgateway_password", "The password for HTTP Basic at the Pushgateway.";
    [STATUS_PAGE = "Job: status page"]
    STATUS_LISTEN = "status_listen", "The address of the status page of `run --every`, as an IP address and a port; a port alone is on the loopback. Unset: no page.";
    #[secret] STATUS_TOKEN = "status_token", "The bearer token that requests to the status page must have, except to /health and /ready. Unset: none.";
}
