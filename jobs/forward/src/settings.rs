//! The settings of the job.

use kafka::settings::KAFKA;
use settings::Group;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD};

/// Every group of settings that the job reads, in the order of its help.
pub static GROUPS: [&Group; 7] = [
    &KAFKA,
    &ROUTING,
    &WINDOW,
    &DELIVERY,
    &DEAD_LETTERS,
    &EVERY_PROGRAM,
    &ORACLE_CLOUD,
];

settings::settings! {
    [ROUTING = "The job: where records go"]
    API_TYPE_A_URL = "api_type_a_url", "Where records with id 1010 are delivered.";
    API_TYPE_B_URL = "api_type_b_url", "Where records with id 1020 are delivered.";
    #[secret] API_TYPE_A_TOKEN = "api_type_a_token", "The bearer token for API type A.";
    #[secret] API_TYPE_B_TOKEN = "api_type_b_token", "The bearer token for API type B.";
    #[document] ROUTES = "routes", "A JSON file (a path or oci://BUCKET/OBJECT) with routes of your own, in place of the two built-in ones.";
    UNMATCHED = "unmatched" or "skip", "What becomes of a record that no route matches: skip, dead_letter or stop.";
    TOMBSTONES = "tombstones" or "skip", "What becomes of a record without a value: skip or dead_letter.";

    [WINDOW = "The job: its window"]
    KAFKA_GROUP_ID = "kafka_group_id" or "frontdoor", "The consumer group whose committed offsets say where a window begins.";
    KAFKA_GROUP_PROTOCOL = "kafka_group_protocol" or "auto", "How the group is joined: consumer (KIP-848), classic, or auto (consumer where the broker has it).";
    CONCURRENT_RUNS = "concurrent_runs" or "exit", "What a run does when another run of the group is active: exit (with code 20) or share (take its part of the partitions).";
    WINDOW_START = "window_start" or "committed", "Where the window begins: committed, earliest, a time (RFC 3339), or offsets as 0:100,1:250. All but committed are replays: they commit nothing.";
    WINDOW_END = "window_end" or "now", "Where the window ends: now (the end of the log at the start), a time (RFC 3339), or offsets as 0:200,1:300.";
    WINDOW_MAX_RECORDS = "window_max_records", "The most offsets of one window that no run has read yet, shared over the partitions; what an earlier run has left comes on top. Unset: no limit.";
    WINDOW_MAX_BYTES = "window_max_bytes", "The most bytes of record values of one window, counted in the same way; one record always fits. Unset: no limit.";
    DEADLINE = "deadline", "How long a run may take, draining and committing included; unset: no limit.";
    SHUTDOWN_TIMEOUT = "shutdown_timeout" or "10s", "How long requests in flight may take to finish after the deadline's stop or SIGTERM.";
    START_TIMEOUT = "start_timeout" or "10s", "How long a run waits for the broker at its start.";
    ON_DATA_LOSS = "on_data_loss" or "stop", "What a run does when records it never read are gone from the log: stop (exit 76) or continue.";

    [DELIVERY = "The job: delivery"]
    MAX_IN_FLIGHT = "max_in_flight" or "64", "The most requests under way to one endpoint.";
    MAX_UNCOMMITTED = "max_uncommitted", "The most requests to one endpoint that are under way, or answered and not yet committed: what kill -9 repeats at most; unset: 16 times MAX_IN_FLIGHT.";
    RATE_LIMIT = "rate_limit", "The most requests a second to one endpoint; unset: no limit.";
    ORDER = "order" or "none", "What order deliveries keep: none, key (per Kafka key) or partition.";
    REQUEST_TIMEOUT = "request_timeout" or "10s", "How long one request may take.";
    MAX_ATTEMPTS = "max_attempts" or "5", "How often one record is tried in one run.";
    BACKOFF_INITIAL = "backoff_initial" or "200ms", "The longest wait before the second attempt; it doubles with each one, with full jitter.";
    BACKOFF_MAX = "backoff_max" or "30s", "The longest wait between attempts, Retry-After included.";
    CIRCUIT_FAILURE_THRESHOLD = "circuit_failure_threshold" or "10", "How many failures in a row stop the requests to an endpoint.";
    CIRCUIT_COOL_DOWN = "circuit_cool_down" or "1s", "How long they stop before one probe; it doubles with each failed one.";
    CIRCUIT_MAX_PROBES = "circuit_max_probes" or "3", "How many probes may fail before the run leaves the endpoint's records for the next one.";

    [DEAD_LETTERS = "The job: poison"]
    DEAD_LETTER_TOPIC = "dead_letter_topic", "Where undecodable and finally refused records go; unset: the topic's name with -dead-letter.";
    DEAD_LETTER_ENVELOPE = "dead_letter_envelope" or "auto", "Whether dead letters are wrapped in a JSON envelope, for brokers that keep no headers: true, false, or auto (true on OCI Streaming).";
    DEAD_LETTER_MAX_RATIO = "dead_letter_max_ratio" or "0.05", "The share of dead letters at which a run stops (exit 65).";
    DEAD_LETTER_MIN_COUNT = "dead_letter_min_count" or "100", "How many dead letters a run writes before dead_letter_max_ratio counts.";
}
