//! The settings of the ingest function.

use caller_auth::settings::CALLER_AUTH;
use http_server::settings::HTTP_SERVER;
use kafka::settings::KAFKA;
use schema_registry::settings::REGISTRY;
use settings::Group;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD, WRITER_SCHEMAS};

/// Every group of settings that the function reads, in the order of its help.
pub static GROUPS: [&Group; 8] = [
    &KAFKA,
    &INGEST,
    &WRITER_SCHEMAS,
    &REGISTRY,
    &HTTP_SERVER,
    &CALLER_AUTH,
    &EVERY_PROGRAM,
    &ORACLE_CLOUD,
];

settings::settings! {
    [INGEST = "Ingest function"]
    KAFKA_KEY_FIELD = "kafka_key_field" or "id", "The field whose value becomes the Kafka key.";
    STORE_AS = "store_as" or "datum", "The form of the stored values: datum (of AVRO_SCHEMA), confluent (with the id of the schema registry before the datum; the datum as it was written) or received (as the request had it; records of container files and JSON as datum).";
    SCHEMA_REGISTRY_AUTO_REGISTER = "schema_registry_auto_register" or "false", "Whether STORE_AS=confluent registers AVRO_SCHEMA if the registry does not have it: true or false.";
    MAX_MESSAGE = "max_message" or "1MB", "The maximum size of a message: the record with its key and headers. At most the topic's max.message.bytes; OCI Streaming accepts 1MiB.";
    PUBLISH_TIMEOUT = "publish_timeout" or "10s", "How long a request waits for the broker's acknowledgement. The deadline of the client may be earlier.";
    CONNECTIONS_MAX_IDLE = "connections_max_idle" or "4m", "The idle time after which the function connects to the broker again. A connection can close unnoticed while the function is frozen.";
}
