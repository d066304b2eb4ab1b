//! Every setting of every program, once. The README's table and each `--help` are made from it.

use super::{Group, Setting};

macro_rules! settings {
    ($([$group:ident = $heading:literal] $($(#[$kind:ident])? $constant:ident = $name:literal $(alias $alias:literal)? $(or $default:literal)?, $help:literal;)*)*) => {
        $($(
            #[doc = $help]
            pub static $constant: Setting = Setting {
                name: $name,
                aliases: &[$($alias)?],
                default: settings!(@default $($default)?),
                help: $help,
                secret: settings!(@is secret $($kind)?),
                document: settings!(@is document $($kind)?),
            };
        )*)*
        $(
            #[doc = concat!("Settings under the heading “", $heading, "”.")]
            pub static $group: Group = Group { heading: $heading, settings: &[$(&$constant),*] };
        )*
        /// The headings, in the order of the README's table.
        pub static GROUPS: &[&Group] = &[$(&$group),*];
        /// All settings, in the order of the README's table.
        pub static CATALOG: &[&Setting] = &[$($(&$constant),*),*];
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@is secret secret) => { true };
    (@is document document) => { true };
    (@is $($other:ident)+) => { false };
}

settings! {
    [EVERY_PROGRAM = "Every program"]
    CONFIG_LOCATION = "config_location", "Where config.properties is, as a path or oci://BUCKET/OBJECT; unset: no file is read.";
    LOG_LEVEL = "log_level" or "info", "Which log lines are written: error, warn, info, debug, trace, off, or directives such as info,delivery=debug.";
    LOG_FORMAT = "log_format" or "auto", "How log lines look: text, json, or auto (text on a terminal, json elsewhere).";
    #[document] AVRO_SCHEMA = "avro_schema", "Where the Avro schema is, as a path or oci://BUCKET/OBJECT; unset: the built-in schemas/user.avsc.";

    [ORACLE_CLOUD = "Oracle Cloud"]
    OCI_AUTH = "oci_auth" or "auto", "Who this program is to Oracle Cloud: resource_principal, instance_principal, api_key, or auto (the first of these that is there).";
    OCI_CONFIG_FILE = "oci_config_file" or "~/.oci/config", "The configuration file of Oracle's tools, for api_key.";
    OCI_PROFILE = "oci_profile" or "DEFAULT", "The profile in that file.";
    OCI_REGION = "oci_region", "The region whose services are asked; unset: the principal's own.";
    OCI_DEFAULT_REALM = "oci_default_realm", "The domain of a realm that is not known to this version, such as oraclecloud99.com.";
    OCI_ENDPOINT = "oci_endpoint", "One address for all services, in place of the region's own; for a stand-in or a private gateway.";
    OCI_METADATA_BASE_URL = "oci_metadata_base_url" or "http://169.254.169.254/opc/v2", "Where the metadata service of the machine answers, for instance_principal.";
    OCI_TIMEOUT = "oci_timeout" or "20s", "How long one question to Oracle Cloud may take, retries included.";
    SECRET_REFRESH_INTERVAL = "secret_refresh_interval" or "10m", "How often a program that runs on reads its secrets and documents from Oracle Cloud again; 0s: never.";

    [THE_BROKER = "The broker"]
    KAFKA_BOOTSTRAP_SERVERS = "kafka_bootstrap_servers" alias "kafka_bootstrapserver", "The brokers to start from, as host:port,host:port.";
    KAFKA_TOPIC = "kafka_topic" or "FrontDoorTopic", "The stream that the door writes and the job reads.";
    KAFKA_USERNAME = "kafka_username", "The SASL user name; unset: no authentication.";
    #[secret] KAFKA_PASSWORD = "kafka_password" alias "auth_token", "The SASL password; on OCI Streaming the user's auth token.";
    KAFKA_PROFILE = "kafka_profile" or "auto", "What the broker can do: kafka, oci (no idempotent producer, no compression), or auto (oci when the host name says so).";
    KAFKA_SECURITY_PROTOCOL = "kafka_security_protocol" or "auto", "plaintext, ssl, sasl_plaintext, sasl_ssl, or auto (sasl_ssl with a user name, else plaintext).";
    KAFKA_SASL_MECHANISM = "kafka_sasl_mechanism" or "PLAIN", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.";
    KAFKA_SSL_CA_LOCATION = "kafka_ssl_ca_location", "A PEM file with the authorities that may sign the broker's certificate; unset: the system's.";

    [LISTENERS = "Programs that listen"]
    LISTEN = "listen" or "127.0.0.1:8080", "The address for plain HTTP, as host:port.";
    MAX_BODY = "max_body" or "6MB", "The largest request body that is read.";
    MAX_DECODED = "max_decoded" or "16MiB", "The largest body after gzip, base64 and container codecs are undone.";
    MAX_RECORDS = "max_records" or "10000", "The most records taken from one container file.";

    [THE_DOOR = "The door"]
    KAFKA_KEY_FIELD = "kafka_key_field" or "id", "The field whose value becomes the Kafka key.";
    PUBLISH_TIMEOUT = "publish_timeout" or "10s", "How long a call waits for the broker's acknowledgement; the caller's own deadline may end it sooner.";
    CONNECTIONS_MAX_IDLE = "connections_max_idle" or "4m", "After how long without a call the connection to the broker is made anew; it may have died unnoticed while the function was frozen.";

    [THE_ENDPOINT = "The sample endpoint"]
    API_TITLE = "api_title" or "API", "The endpoint's name, in its log lines and on its page.";
    #[secret] API_TOKEN = "api_token", "The bearer token that callers must send; unset: none is asked for.";
    API_MAX_RECORDS = "api_max_records" or "100", "How many of the last records the endpoint shows.";
    API_MAX_KEYS = "api_max_keys" or "100000", "How many idempotency keys the endpoint remembers; the oldest is forgotten first.";

    [JOB_ROUTES = "The job: where records go"]
    API_TYPE_A_URL = "api_type_a_url", "Where records with id 1010 are delivered.";
    API_TYPE_B_URL = "api_type_b_url", "Where records with id 1020 are delivered.";
    #[secret] API_TYPE_A_TOKEN = "api_type_a_token", "The bearer token for API type A.";
    #[secret] API_TYPE_B_TOKEN = "api_type_b_token", "The bearer token for API type B.";
    #[document] ROUTES = "routes", "A JSON file (a path or oci://BUCKET/OBJECT) with routes of your own, in place of the two built-in ones.";
    UNMATCHED = "unmatched" or "skip", "What becomes of a record that no route matches: skip, dead_letter or stop.";
    TOMBSTONES = "tombstones" or "skip", "What becomes of a record without a value: skip or dead_letter.";

    [JOB_WINDOW = "The job: its window"]
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

    [JOB_DELIVERY = "The job: delivery"]
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

    [JOB_POISON = "The job: poison"]
    DEAD_LETTER_TOPIC = "dead_letter_topic", "Where undecodable and finally refused records go; unset: the topic's name with -dead-letter.";
    DEAD_LETTER_ENVELOPE = "dead_letter_envelope" or "auto", "Whether dead letters are wrapped in a JSON envelope, for brokers that keep no headers: true, false, or auto (true on OCI Streaming).";
    DEAD_LETTER_MAX_RATIO = "dead_letter_max_ratio" or "0.05", "The share of dead letters at which a run stops (exit 65).";
    DEAD_LETTER_MIN_COUNT = "dead_letter_min_count" or "100", "How many dead letters a run writes before dead_letter_max_ratio counts.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_spelt_alike() {
        for (index, setting) in CATALOG.iter().enumerate() {
            assert!(
                setting
                    .name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '_'),
                "{}",
                setting.name
            );
            assert!(
                CATALOG[..index]
                    .iter()
                    .all(|other| other.name != setting.name),
                "{}",
                setting.name
            );
            assert!(setting.help.ends_with('.'), "{}", setting.name);
        }
    }
}
