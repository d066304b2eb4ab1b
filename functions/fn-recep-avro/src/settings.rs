//! The settings of the ingest function.

use http_server::settings::HTTP_SERVER;
use kafka::settings::KAFKA;
use settings::Group;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD};

/// Every group of settings that the function reads, in the order of its help.
pub static GROUPS: [&Group; 5] = [&KAFKA, &INGEST, &HTTP_SERVER, &EVERY_PROGRAM, &ORACLE_CLOUD];

settings::settings! {
    [INGEST = "The door"]
    KAFKA_KEY_FIELD = "kafka_key_field" or "id", "The field whose value becomes the Kafka key.";
    PUBLISH_TIMEOUT = "publish_timeout" or "10s", "How long a call waits for the broker's acknowledgement; the caller's own deadline may end it sooner.";
    CONNECTIONS_MAX_IDLE = "connections_max_idle" or "4m", "After how long without a call the connection to the broker is made anew; it may have died unnoticed while the function was frozen.";
}
