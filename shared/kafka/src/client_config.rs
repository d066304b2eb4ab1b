//! The librdkafka configuration of each client; the only file that spells its option names.
//!
//! Options and defaults: [CONFIGURATION.md](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md).

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::BaseProducer;
use runtime::redact;
use settings::SettingError;

use crate::config::{
    GroupProtocol, KafkaSettings, MAX_BATCH_BYTES, OAUTHBEARER, OCI_MAX_MESSAGE_BYTES, Profile,
};
use crate::profile::Clients;
use crate::properties::ClientKind;
use crate::tokens::ClientProperties;

/// The number of fetched records above which a reader sends no further fetch.
const QUEUED_RECORDS: &str = "10000";

impl KafkaSettings {
    /// The options of every client: bootstrap servers, TLS and authentication.
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", "frontdoor")
            .set("security.protocol", self.protocol)
            // A mistyped topic name is an error and creates no topic. librdkafka's default is true for producers. Brokers
            // before Kafka 0.11 ignore the flag (Metadata version 4).
            .set("allow.auto.create.topics", "false")
            .set("socket.keepalive.enable", "true")
            // OCI Streaming closes connections regularly.
            .set("log.connection.close", "false")
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "1000");
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            config
                .set("sasl.mechanism", self.mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.reveal());
        }
        if self.tokens.is_some() {
            config.set("sasl.mechanism", OAUTHBEARER);
        }
        if self.protocol.ends_with("ssl") {
            self.tls.apply(&mut config);
        }
        config
    }

    /// The configuration with the properties of the profile and those of the user, which override it.
    fn complete(
        &self,
        mut config: ClientConfig,
        kind: ClientKind,
        clients: Clients,
    ) -> ClientProperties {
        for (name, value) in self.profile.properties(clients) {
            config.set(name, value);
        }
        for property in &self.properties {
            if property.is_for(kind) {
                config.set(&property.name, property.value.reveal());
            }
            if property.name == "debug" {
                config.set_log_level(RDKafkaLogLevel::Debug);
            }
        }
        ClientProperties {
            config,
            tokens: self.tokens.clone(),
        }
    }

    /// Creates the clients if the user sets properties, and drops them: librdkafka checks properties against each other only
    /// then. They have no bootstrap servers, and do not connect.
    pub(crate) fn check_properties(&self) -> Result<(), SettingError> {
        if self.properties.is_empty() {
            return Ok(());
        }
        let reader = self.reader("check");
        let member = self.member("check", self.best_group_protocol(), Duration::ZERO);
        let producer = self.dead_letter_producer(Duration::from_secs(10));
        for (properties, kind) in [
            (reader, ClientKind::Consumer),
            (member, ClientKind::Consumer),
            (producer, ClientKind::Producer),
        ] {
            let mut config = properties.config;
            config.remove("bootstrap.servers");
            let created = match kind {
                ClientKind::Consumer => config.create::<BaseConsumer>().map(drop),
                ClientKind::Producer => config.create::<BaseProducer>().map(drop),
            };
            created.map_err(|error| {
                let names = self.properties.iter().map(|property| &*property.variable);
                let names = names.collect::<Vec<_>>().join(", ");
                let reason = error.to_string();
                let reason = redact::mask(&reason);
                SettingError::Contradiction(format!("the Kafka client rejects {names}: {reason}"))
            })?;
        }
        Ok(())
    }

    /// A producer for which a message is stored when all in-sync replicas have it.
    fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", self.compression)
            // A broker rejects a whole batch that is larger than the topic's max.message.bytes. Small batches keep records
            // that fit from being rejected because of their batch.
            .set("batch.size", MAX_BATCH_BYTES.to_string())
            .set("linger.ms", "0")
            // The partitioner of Java's client: all producers of a topic map a key to the same partition.
            .set("partitioner", "murmur2_random")
            // A message may wait for a broker that returns: connect soon after. librdkafka varies the interval by half.
            .set("reconnect.backoff.max.ms", "250");
        config
    }

    /// A producer for messages of any size, which fail after `timeout`, counted from the call that sends them. A record batch
    /// of several messages has at most `max_batch_bytes`, which is at least 1.
    pub fn producer_within(&self, timeout: Duration, max_batch_bytes: usize) -> ClientProperties {
        let mut config = self.producer();
        config.set("batch.size", max_batch_bytes.to_string());
        // The topic's max.message.bytes decides, and it can change: this is librdkafka's maximum.
        config.set("message.max.bytes", "1000000000");
        set_message_timeout(&mut config, timeout);
        self.complete(config, ClientKind::Producer, Clients::Producers)
    }

    /// A producer for dead letters: as [`KafkaSettings::producer_within`], with another size limit, since headers are
    /// added to records that may have the broker's maximum size already.
    pub fn dead_letter_producer(&self, timeout: Duration) -> ClientProperties {
        let mut config = self.producer();
        config
            .set(
                "message.max.bytes",
                // On Kafka the topic's max.message.bytes decides.
                if self.profile == Profile::OciStreaming {
                    OCI_MAX_MESSAGE_BYTES.to_string()
                } else {
                    "15000000".to_owned()
                },
            )
            // Limits the memory of messages that wait for a slow broker: then sending fails with "queue full".
            .set("queue.buffering.max.kbytes", "16384")
            // A broker rejects a whole batch that is larger than the topic's max.message.bytes, see `producer`.
            .set("batch.size", "65536")
            .set("linger.ms", "5");
        set_message_timeout(&mut config, timeout);
        self.complete(config, ClientKind::Producer, Clients::Producers)
    }

    /// A consumer that assigns itself partitions. It reads committed records only, verifies checksums, reports the end of
    /// each partition, and never commits by itself.
    pub fn reader(&self, group: &str) -> ClientProperties {
        let mut config = self.group(group);
        config
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            // These bound the memory of fetched records. librdkafka counts only the bytes of values, and needs about 450
            // bytes more for each record, so the number of records is limited too. Fetches in flight come on top.
            .set("queued.min.messages", QUEUED_RECORDS)
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.max.bytes", "2097152")
            .set("max.partition.fetch.bytes", "524288")
            // A window's records exist already, so a fetch need not wait for more. At the end of the log, other requests
            // on the same connection wait until the fetch returns.
            .set("fetch.wait.max.ms", "10")
            .set("fetch.queue.backoff.ms", "2")
            .set("fetch.error.backoff.ms", "50");
        self.complete(config, ClientKind::Consumer, Clients::Readers)
    }

    /// A consumer that joins the group and fetches nothing. `drain_timeout` is the time that a revocation may take.
    pub fn member(
        &self,
        group: &str,
        protocol: GroupProtocol,
        drain_timeout: Duration,
    ) -> ClientProperties {
        let mut config = self.group(group);
        // Also the time for which the group waits until a member has returned its revoked partitions (KIP-62, KIP-848).
        // The default is five minutes.
        let poll_interval = drain_timeout.max(Duration::from_secs(240)) + Duration::from_secs(60);
        config.set(
            "max.poll.interval.ms",
            poll_interval.as_millis().to_string(),
        );
        match protocol {
            GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
            GroupProtocol::Classic => config
                .set("group.protocol", "classic")
                .set("partition.assignment.strategy", "cooperative-sticky")
                // A killed run is removed from the group after this time. Brokers reject less than 6 s by default.
                .set("session.timeout.ms", "10000")
                .set("heartbeat.interval.ms", "2000"),
        };
        // What concerns records is for the reader.
        let mut properties = self.complete(config, ClientKind::Consumer, Clients::All);
        properties
            .config
            .set("fetch.wait.max.ms", "1000")
            .set("queued.max.messages.kbytes", "1");
        properties
    }

    /// The protocol to try first.
    pub fn best_group_protocol(&self) -> GroupProtocol {
        self.profile.group_protocol()
    }

    fn group(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        config
    }
}

/// Sets the timeout of a message, and the time after which a topic that is missing in the metadata is unknown (it may
/// just have been created). The latter must be shorter: else the message times out first, and the error does not say
/// that the topic is unknown.
fn set_message_timeout(config: &mut ClientConfig, timeout: Duration) {
    let propagation = (timeout / 2).min(Duration::from_secs(3));
    config
        .set("message.timeout.ms", timeout.as_millis().max(1).to_string())
        .set(
            "topic.metadata.propagation.max.ms",
            propagation.as_millis().to_string(),
        );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{STREAMING, kafka};

    #[tokio::test]
    async fn disables_the_idempotent_producer_for_oci_streaming() {
        let oci = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", STREAMING)])
            .await
            .unwrap();
        let second = Duration::from_secs(1);
        let oci = oci.producer_within(second, MAX_BATCH_BYTES);
        assert_eq!(oci.get("enable.idempotence"), Some("false"));
        let plain = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")])
            .await
            .unwrap();
        let plain = plain.producer_within(second, MAX_BATCH_BYTES);
        assert_eq!(plain.get("enable.idempotence"), Some("true"));
        assert_eq!(plain.get("acks"), Some("all"));
    }

    #[tokio::test]
    async fn never_creates_topics_by_metadata_requests() {
        let kafka = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")])
            .await
            .unwrap();
        let second = Duration::from_secs(1);
        for config in [
            kafka.client().into(),
            kafka.producer_within(second, MAX_BATCH_BYTES),
            kafka.dead_letter_producer(second),
            kafka.reader("frontdoor"),
            kafka.member("frontdoor", GroupProtocol::Classic, second),
        ] {
            assert_eq!(config.get("allow.auto.create.topics"), Some("false"));
        }
    }

    #[tokio::test]
    async fn fetches_less_than_five_times_a_second_at_the_end_of_the_log_on_oci_streaming() {
        for (bootstrap, expected) in [(STREAMING, "250"), ("localhost:9092", "10")] {
            let kafka = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", bootstrap)])
                .await
                .unwrap();
            let reader = kafka.reader("frontdoor");
            assert_eq!(reader.get("fetch.wait.max.ms"), Some(expected));
        }
    }

    #[tokio::test]
    async fn a_property_of_the_user_overrides_the_profile_and_is_only_for_its_clients() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.properties");
        let text = "kafka.client.linger.ms=7\nkafka_client_fetch_wait_max_ms=30\n\
                    kafka_client_metadata_max_age_ms=9000\n";
        std::fs::write(&file, text).unwrap();
        let kafka = kafka(&[
            ("KAFKA_BOOTSTRAP_SERVERS", STREAMING),
            ("CONFIG_LOCATION", file.to_str().unwrap()),
        ])
        .await
        .unwrap();
        let second = Duration::from_secs(1);
        let (producer, reader) = (kafka.dead_letter_producer(second), kafka.reader("group"));
        let member = kafka.member("group", GroupProtocol::Consumer, second);
        assert_eq!(producer.get("linger.ms"), Some("7"));
        assert_eq!(producer.get("fetch.wait.max.ms"), None);
        assert_eq!(reader.get("linger.ms"), None);
        assert_eq!(reader.get("fetch.wait.max.ms"), Some("30"));
        assert_eq!(member.get("fetch.wait.max.ms"), Some("1000"));
        for config in [producer, reader, member] {
            assert_eq!(config.get("metadata.max.age.ms"), Some("9000"));
        }
    }

    #[tokio::test]
    async fn properties_that_contradict_each_other_are_an_error_of_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.properties");
        std::fs::write(&file, "kafka_client_session_timeout_ms=3600000\n").unwrap();
        let error = kafka(&[
            ("KAFKA_BOOTSTRAP_SERVERS", STREAMING),
            ("CONFIG_LOCATION", file.to_str().unwrap()),
        ])
        .await
        .unwrap_err();
        assert!(error.contains("KAFKA_CLIENT_SESSION_TIMEOUT_MS"), "{error}");
        assert!(error.contains("max.poll.interval.ms"), "{error}");
    }
}
