//! Every setting of every program, once. The README's table and each `--help` are made from it.

use super::Setting;

macro_rules! settings {
    ($($(#[$secret:ident])? $constant:ident = $name:literal $(or $default:literal)?, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Setting = Setting {
                name: $name,
                default: settings!(@default $($default)?),
                help: $help,
                secret: settings!(@secret $($secret)?),
            };
        )*
        /// All of them, in the order of the README's table.
        pub static CATALOG: &[&Setting] = &[$(&$constant),*];
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@secret) => { false };
    (@secret secret) => { true };
}

settings! {
    // every program
    CONFIG_LOCATION = "config_location", "Where config.properties is; unset: no file is read.";
    LOG_LEVEL = "log_level" or "info", "Which log lines are written: error, warn, info, debug, or a tracing directive.";
    LOG_FORMAT = "log_format" or "auto", "How log lines look: text, json, or auto (text on a terminal, json elsewhere).";
    AVRO_SCHEMA = "avro_schema", "Where the Avro schema is; unset: the built-in schemas/user.avsc.";

    // the broker
    KAFKA_BOOTSTRAPSERVER = "kafka_bootstrapserver", "The brokers to start from, as host:port,host:port.";
    KAFKA_TOPIC = "kafka_topic" or "FrontDoorTopic", "The stream that the door writes and the job reads.";
    KAFKA_USERNAME = "kafka_username", "The SASL user name; unset: no authentication.";
    #[secret] AUTH_TOKEN = "auth_token", "The SASL password; on OCI Streaming the user's auth token.";
    KAFKA_PROFILE = "kafka_profile" or "auto", "What the broker can do: kafka, oci (no idempotent producer, no compression), or auto (oci when the host name says so).";
    KAFKA_SECURITY_PROTOCOL = "kafka_security_protocol" or "auto", "plaintext, ssl, sasl_plaintext, sasl_ssl, or auto (sasl_ssl with a user name, else plaintext).";
    KAFKA_SASL_MECHANISM = "kafka_sasl_mechanism" or "PLAIN", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.";
    KAFKA_CA_LOCATION = "kafka_ca_location", "A PEM file with the authorities that may sign the broker's certificate; unset: the system's.";

    // programs that listen
    LISTEN = "listen" or "127.0.0.1:8080", "The address for plain HTTP, as host:port.";
    MAX_BODY = "max_body" or "6MB", "The largest request body that is read.";

    // the door
    KAFKA_KEY_FIELD = "kafka_key_field" or "id", "The field whose value becomes the Kafka key.";
    MAX_DECODED = "max_decoded" or "16MiB", "The largest body after gzip, base64 and container codecs are undone.";
    MAX_RECORDS = "max_records" or "10000", "The most records taken from one container file.";
    PUBLISH_TIMEOUT = "publish_timeout" or "10s", "How long a call waits for the broker's acknowledgement; the caller's own deadline may end it sooner.";

    // the sample endpoint
    API_TITLE = "api_title" or "API", "The endpoint's name, in its log lines and on its page.";
    #[secret] API_TOKEN = "api_token", "The bearer token that callers must send; unset: none is asked for.";
    API_KEEP = "api_keep" or "100", "How many of the last records the endpoint shows.";

    // the job: routes
    API_TYPE_A_URL = "api_type_a_url", "Where records with id 1010 are delivered.";
    API_TYPE_B_URL = "api_type_b_url", "Where records with id 1020 are delivered.";
    #[secret] API_TYPE_A_TOKEN = "api_type_a_token", "The bearer token for API type A.";
    #[secret] API_TYPE_B_TOKEN = "api_type_b_token", "The bearer token for API type B.";
    ROUTES = "routes", "A JSON file with routes of your own, in place of the two built-in ones.";
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
