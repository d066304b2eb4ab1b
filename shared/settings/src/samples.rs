//! Settings for tests, as programs declare them.

use crate::Group;
use crate::common::{EVERY_PROGRAM, ORACLE_CLOUD, WRITER_SCHEMAS};

pub(crate) static GROUPS: [&Group; 5] = [
    &EVERY_PROGRAM,
    &WRITER_SCHEMAS,
    &ORACLE_CLOUD,
    &KAFKA,
    &PROGRAM,
];

crate::settings! {
    [KAFKA = "The broker"]
    KAFKA_BOOTSTRAP_SERVERS = "kafka_bootstrap_servers" alias "kafka_bootstrapserver", "The brokers.";
    KAFKA_TOPIC = "kafka_topic" or "FrontDoorTopic", "The topic.";
    #[user] KAFKA_USERNAME = "kafka_username", "The SASL user name.";
    #[secret] KAFKA_PASSWORD = "kafka_password" alias "auth_token", "The SASL password.";

    [PROGRAM = "The program"]
    LISTEN = "listen" or "127.0.0.1:8080", "The address.";
    API_TYPE_A_URL = "api_type_a_url", "The endpoint of API type A.";
    API_TYPE_B_URL = "api_type_b_url", "The endpoint of API type B.";
    #[template] ROUTES = "routes", "The routes.";
}
