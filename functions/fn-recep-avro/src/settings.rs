//! The settings of the ingest function.

use caller_auth::settings::CALLER_AUTH;
use http_server::settings::HTTP_SERVER;
use kafka::settings::KAFKA;
use schema_registry::settings::REGISTRY;
use settings::Group;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD, WRITER_SCHEMAS};
use telemetry::settings::TELEMETRY;

/// Every group of settings that the function reads, in the order of its help.
pub static GROUPS: [&Group; 9] = [
    &KAFKA,
    &INGEST,
    &WRITER_SCHEMAS,
    &REGISTRY,
    &HTTP_SERVER,
    &CALLER_AUTH,
    &TELEMETRY,
    &EVERY_PROGRAM,
    &ORACLE_CLOUD,
];

settings::settings! {
    [INGEST = "Ingest function"]
    KAFKA_KEY = "kafka_key" alias "kafka_key_field" or "id", "The Kafka key: a field, or a CEL expression over the record whose values are scalars. Null: no key.";
    KAFKA_TIMESTAMP = "kafka_timestamp", "The Kafka timestamp: a CEL expression over the record whose values are timestamps, or ints of milliseconds since 1970. Unset or null: the time of sending.";
    KAFKA_HEADERS = "kafka_headers", "Names of request headers that become Kafka headers, separated by commas. Unset: none.";
    STORE_AS = "store_as" or "datum", "The form of the stored values: datum (of AVRO_SCHEMA), confluent (with the id of the schema registry before the datum; the datum as it was written) or received (as the request had it; records of container files and JSON as datum).";
    SCHEMA_REGISTRY_AUTO_REGISTER = "schema_registry_auto_register" or "false", "Whether STORE_AS=confluent registers AVRO_SCHEMA if the registry does not have it: true or false.";
    MAX_MESSAGE = "max_message", "The maximum size of a message: a record batch of one record with its key and headers. It only lowers the limit of the topic (max.message.bytes), or if that is not known, 1048588 bytes (OCI Streaming: 1MiB).";
    PUBLISH_TIMEOUT = "publish_timeout" or "10s", "How long a request waits for the broker's acknowledgement. The deadline of the client may be earlier.";
    #[secret] METRICS_TOKEN = "metrics_token", "Bearer tokens of GET /metrics on LISTEN, separated by commas or spaces. Unset: only programs on the same machine get the metrics.";
    CONNECTIONS_MAX_IDLE = "connections_max_idle" or "4m", "The idle time after which the function connects to the broker again. A connection can close unnoticed while the function is frozen.";
}
