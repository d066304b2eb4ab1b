//! The properties of librdkafka that the user sets: which are refused and why, and which client each is for.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use runtime::secret::Secret;
use settings::{Property, SettingError, Settings};

use crate::settings::KAFKA_CLIENT;

/// The kind of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Consumer,
    Producer,
}

/// A property of librdkafka that the user sets with `KAFKA_CLIENT_<PROPERTY>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientProperty {
    /// librdkafka's name; of a property with several names the one that the rest of this crate uses.
    pub(crate) name: String,
    pub(crate) variable: String,
    pub(crate) value: Secret,
    pub(crate) is_secret: bool,
}

/// Names of librdkafka for the same property, and the one that the rest of this crate uses.
const ALIASES: [(&str, &str); 10] = [
    ("auto.commit.enable", "enable.auto.commit"),
    ("compression.codec", "compression.type"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("retries", "message.send.max.retries"),
    ("sasl.mechanisms", "sasl.mechanism"),
];

/// Properties that are refused, and why. A name that ends in `.` stands for all that begin with it.
const REFUSED: [(&str, &str); 54] = [
    (
        "acks",
        "a message is stored when all in-sync replicas have it",
    ),
    (
        "allow.auto.create.topics",
        "a mistyped topic name is an error and creates no topic",
    ),
    (
        "auto.offset.reset",
        "a missing offset is reported as data loss",
    ),
    (
        "batch.size",
        "a larger batch than the topic's max.message.bytes is rejected with all of its messages",
    ),
    ("bootstrap.servers", "set KAFKA_BOOTSTRAP_SERVERS"),
    ("builtin.features", "it describes the build"),
    (
        "check.crcs",
        "records are read with their checksum verified",
    ),
    ("compression.type", "set KAFKA_COMPRESSION"),
    (
        "consume.callback.max.messages",
        "the program has no such callback",
    ),
    ("delivery.report.only.error", "each message is reported"),
    ("enable.auto.commit", "only completed offsets are committed"),
    (
        "enable.auto.offset.store",
        "only completed offsets are committed",
    ),
    (
        "enable.gapless.guarantee",
        "messages of a call are independent of each other",
    ),
    ("enable.idempotence", "set KAFKA_PROFILE"),
    ("enable.partition.eof", "the end of a window depends on it"),
    (
        "enable.sasl.oauthbearer.unsecure.jwt",
        "everyone can make a token without a signature",
    ),
    ("group.id", "set KAFKA_GROUP_ID"),
    ("group.instance.id", "each run is a member of its own"),
    ("group.protocol", "set KAFKA_GROUP_PROTOCOL"),
    ("group.protocol.type", "the group is a group of consumers"),
    (
        "group.remote.assignor",
        "the program handles incremental assignments only",
    ),
    (
        "isolation.level",
        "records of aborted transactions are not delivered",
    ),
    ("log.queue", "the program reads the log lines"),
    (
        "max.in.flight.requests.per.connection",
        "the order of messages depends on it",
    ),
    (
        "max.poll.interval.ms",
        "it is derived from the timeouts of the routes",
    ),
    (
        "message.max.bytes",
        "set MAX_MESSAGE; the limit of dead letters is fixed",
    ),
    (
        "message.send.max.retries",
        "a message is retried until its timeout",
    ),
    (
        "message.timeout.ms",
        "set PUBLISH_TIMEOUT for the function and SHUTDOWN_TIMEOUT for the job",
    ),
    ("offset.store.", "offsets are stored by the broker"),
    (
        "partition.assignment.strategy",
        "the program handles incremental assignments only",
    ),
    ("plugin.library.paths", "it loads code into the process"),
    (
        "produce.offset.report",
        "the offset of each message is reported",
    ),
    ("queuing.strategy", "the order of messages depends on it"),
    ("sasl.kerberos.", "the client has no Kerberos"),
    ("sasl.mechanism", "set KAFKA_SASL_MECHANISM"),
    ("sasl.oauthbearer.", "set KAFKA_SASL_OAUTHBEARER_…"),
    ("sasl.password", "set KAFKA_PASSWORD"),
    ("sasl.username", "set KAFKA_USERNAME"),
    ("security.protocol", "set KAFKA_SECURITY_PROTOCOL"),
    ("ssl.ca.location", "set KAFKA_SSL_CA_LOCATION"),
    ("ssl.ca.pem", "set KAFKA_SSL_CA_LOCATION"),
    ("ssl.certificate.location", "set KAFKA_SSL_CERTIFICATE"),
    ("ssl.certificate.pem", "set KAFKA_SSL_CERTIFICATE"),
    (
        "ssl.endpoint.identification.algorithm",
        "set KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM",
    ),
    ("ssl.engine.", "it loads code into the process"),
    ("ssl.key.location", "set KAFKA_SSL_KEY"),
    ("ssl.key.password", "set KAFKA_SSL_KEY_PASSWORD"),
    (
        "ssl.keystore.",
        "set KAFKA_SSL_KEYSTORE_LOCATION and KAFKA_SSL_KEYSTORE_PASSWORD",
    ),
    ("ssl.key.pem", "set KAFKA_SSL_KEY"),
    ("ssl.providers", "it loads code into the process"),
    ("test.mock.", "messages to a simulated broker are lost"),
    (
        "topic.metadata.propagation.max.ms",
        "it is derived from the timeout of a message",
    ),
    ("transaction.timeout.ms", "the program has no transactions"),
    ("transactional.id", "the program has no transactions"),
];

/// Properties of consumers only (librdkafka's CONFIGURATION.md, column C/P), without the refused ones.
const CONSUMER: [&str; 12] = [
    "auto.commit.interval.ms",
    "coordinator.query.interval.ms",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "heartbeat.interval.ms",
    "max.partition.fetch.bytes",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "session.timeout.ms",
];

/// Properties of producers only, without the refused ones.
const PRODUCER: [&str; 9] = [
    "batch.num.messages",
    "compression.level",
    "linger.ms",
    "partitioner",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "request.timeout.ms",
    "sticky.partitioning.linger.ms",
];

impl ClientProperty {
    /// The properties of these settings, each accepted by librdkafka.
    ///
    /// # Errors
    /// A property is refused or unknown, is set twice, or has a value that librdkafka rejects.
    pub(crate) fn all(settings: &Settings) -> Result<Vec<Self>, SettingError> {
        let mut all: Vec<Self> = Vec::new();
        for property in settings.properties(&KAFKA_CLIENT) {
            let property = Self::new(property);
            property.check().map_err(SettingError::Contradiction)?;
            if let Some(other) = all.iter().find(|other| other.name == property.name) {
                return Err(SettingError::Contradiction(format!(
                    "{} and {} are the same property {}",
                    other.variable, property.variable, property.name
                )));
            }
            all.push(property);
        }
        Ok(all)
    }

    fn new(property: Property) -> Self {
        // `log_level` is librdkafka's only property that can be set as text and has an underscore.
        let name = match property.name.as_str() {
            "log_level" => property.name,
            name => name.replace('_', "."),
        };
        let canonical = ALIASES.iter().find(|(alias, _)| *alias == name);
        Self {
            name: canonical.map_or(name, |(_, canonical)| (*canonical).to_owned()),
            variable: property.variable,
            value: property.value,
            is_secret: property.is_secret,
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(reason) = refusal(&self.name) {
            return Err(format!("{} is refused: {reason}", self.variable));
        }
        let mut config = ClientConfig::new();
        config.set(&self.name, self.value.reveal());
        match config.create_native_config() {
            Ok(_) => Ok(()),
            Err(KafkaError::ClientConfig(_, reason, ..)) => {
                Err(format!("{}: {}", self.variable, self.masked(&reason)))
            }
            Err(error) => Err(format!(
                "{}: {}",
                self.variable,
                self.masked(&error.to_string())
            )),
        }
    }

    /// Whether a client of this kind has the property.
    pub(crate) fn is_for(&self, kind: ClientKind) -> bool {
        let others: &[&str] = match kind {
            ClientKind::Consumer => &PRODUCER,
            ClientKind::Producer => &CONSUMER,
        };
        !others.contains(&self.name.as_str())
    }

    fn masked(&self, text: &str) -> String {
        let value = self.value.reveal();
        match self.is_secret && !value.is_empty() {
            true => text.replace(value, &self.value.to_string()),
            false => text.to_owned(),
        }
    }
}

/// Why a property is refused, if it is.
fn refusal(name: &str) -> Option<&'static str> {
    if name.ends_with(".cb") {
        return Some("a callback is not text");
    }
    let matches =
        |refused: &str| name == refused || refused.ends_with('.') && name.starts_with(refused);
    let found = REFUSED.iter().find(|(refused, _)| matches(refused));
    found.map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &str, value: &str) -> ClientProperty {
        ClientProperty::new(Property {
            name: name.to_owned(),
            variable: format!("KAFKA_CLIENT_{}", name.to_ascii_uppercase()),
            value: Secret::new(value),
            is_secret: name.contains("password"),
        })
    }

    #[test]
    fn librdkafka_checks_names_and_values() {
        for (name, value) in [
            ("socket_timeout_ms", "30000"),
            ("debug", "broker,security"),
            ("log_level", "5"),
            ("queue_buffering_max_ms", "5"),
            ("ssl_crl_location", "crl.pem"),
            ("sasl_login_hint", "x"),
        ] {
            let checked = property(name, value).check();
            assert_eq!(
                checked.is_ok(),
                name != "sasl_login_hint",
                "{name} {checked:?}"
            );
        }
        assert_eq!(
            property("socket_timout_ms", "1").check().unwrap_err(),
            "KAFKA_CLIENT_SOCKET_TIMOUT_MS: No such configuration property: \"socket.timout.ms\""
        );
        let error = property("socket_timeout_ms", "soon").check().unwrap_err();
        assert!(error.contains("socket.timeout.ms"), "{error}");
    }

    #[test]
    fn a_property_that_breaks_a_promise_or_has_a_setting_is_refused_under_all_its_names() {
        for name in [
            "acks",
            "request_required_acks",
            "enable_idempotence",
            "enable_auto_commit",
            "auto_commit_enable",
            "isolation_level",
            "delivery_timeout_ms",
            "retries",
            "max_in_flight",
            "sasl_mechanisms",
            "sasl_oauthbearer_client_secret",
            "batch_size",
            "plugin_library_paths",
            "rebalance_cb",
            "ssl_engine_location",
            "ssl_keystore_location",
            "offset_store_method",
            "test_mock_num_brokers",
        ] {
            let error = property(name, "1").check().unwrap_err();
            assert!(error.contains("is refused: "), "{error}");
        }
    }

    #[test]
    fn each_refused_property_exists() {
        for (name, _) in REFUSED.iter().filter(|(name, _)| !name.ends_with('.')) {
            let mut config = ClientConfig::new();
            config.set(*name, "");
            if let Err(KafkaError::ClientConfig(_, reason, ..)) = config.create_native_config() {
                assert!(!reason.contains("No such configuration"), "{reason}");
            }
        }
    }

    #[test]
    fn a_property_of_producers_is_not_for_consumers() {
        assert!(!property("linger_ms", "5").is_for(ClientKind::Consumer));
        assert!(!property("fetch_min_bytes", "5").is_for(ClientKind::Producer));
        for kind in [ClientKind::Consumer, ClientKind::Producer] {
            assert!(property("socket_timeout_ms", "5").is_for(kind));
        }
    }

    #[test]
    fn a_secret_value_is_masked_in_the_reason() {
        let secret = property("ssl_keystore_password", "hunter2");
        assert_eq!(secret.masked("no \"hunter2\""), "no \"[redacted]\"");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
