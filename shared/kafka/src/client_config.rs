//! The librdkafka configuration of each client; the only file that spells its option names.
//!
//! Options and defaults: [CONFIGURATION.md](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md).

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use runtime::secret::Secret;

use crate::config::{
    GroupProtocol, KafkaSettings, MAX_BATCH_BYTES, OCI_MAX_MESSAGE_BYTES, Profile,
};

/// The number of fetched records above which a reader sends no further fetch.
const QUEUED_RECORDS: &str = "10000";

impl KafkaSettings {
    /// The options of every client: bootstrap servers, TLS and authentication.
    pub fn client(&self) -> ClientConfig {
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
        if let Some(location) = &self.ca_location {
            config.set("ssl.ca.location", location);
        }
        if self.profile == Profile::Oci {
            config
                // Front ends are removed from time to time: refresh their addresses often, and time out early.
                .set("metadata.max.age.ms", "180000")
                .set("socket.connection.setup.timeout.ms", "10000");
        }
        config
    }

    /// The options that a configuration sets, sorted by name, with secrets as `[redacted]` and values as librdkafka
    /// spells them. All other options have librdkafka's defaults.
    ///
    /// # Errors
    /// librdkafka rejects a value.
    pub fn listing(&self, config: &ClientConfig) -> KafkaResult<Vec<(String, String)>> {
        let native = config.create_native_config()?;
        let mut lines = Vec::new();
        for name in config.config_map().keys() {
            let is_secret = ["password", "key.pem", "token", "jaas"]
                .iter()
                .any(|part| name.contains(part))
                || (*name == "sasl.username" && self.hides_username);
            let value = if is_secret {
                Secret::new("").to_string()
            } else {
                native.get(name)?
            };
            lines.push(((*name).to_owned(), value));
        }
        lines.sort_unstable();
        Ok(lines)
    }

    /// A producer for which a message is stored when all in-sync replicas have it.
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set(
                "enable.idempotence",
                if self.profile == Profile::Kafka {
                    "true"
                } else {
                    "false"
                },
            )
            .set("compression.type", "none")
            // A broker rejects a whole batch that is larger than the topic's max.message.bytes. Small batches keep records
            // that fit from being rejected because of their batch.
            .set("batch.size", MAX_BATCH_BYTES.to_string())
            .set("linger.ms", "0")
            // The partitioner of Java's client: all producers of a topic map a key to the same partition.
            .set("partitioner", "murmur2_random")
            // A message may wait for a broker that returns: connect soon after. librdkafka varies the interval by half.
            .set("reconnect.backoff.max.ms", "250");
        if self.profile == Profile::Oci {
            config
                // Connections are closed to spread the load ("Using Streaming with Apache Kafka"): retry what was in
                // flight soon, and until the message's timeout.
                .set("message.send.max.retries", "2147483647")
                .set("retry.backoff.ms", "50");
        }
        config
    }

    /// A producer for messages of any size, which fail after `timeout`, counted from the call that sends them. A record batch
    /// of several messages has at most `max_batch_bytes`, which is at least 1.
    pub fn producer_within(&self, timeout: Duration, max_batch_bytes: usize) -> ClientConfig {
        let mut config = self.producer();
        config.set("batch.size", max_batch_bytes.to_string());
        // The topic's max.message.bytes decides, and it can change: this is librdkafka's maximum.
        config.set("message.max.bytes", "1000000000");
        set_message_timeout(&mut config, timeout);
        config
    }

    /// A producer for dead letters: as [`KafkaSettings::producer_within`], with another size limit, since headers are
    /// added to records that may have the broker's maximum size already.
    pub fn dead_letter_producer(&self, timeout: Duration) -> ClientConfig {
        let mut config = self.producer();
        config
            .set(
                "message.max.bytes",
                // On Kafka the topic's max.message.bytes decides.
                if self.profile == Profile::Oci {
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
        config
    }

    /// A consumer that assigns itself partitions. It reads committed records only, verifies checksums, reports the end of
    /// each partition, and never commits by itself.
    pub fn reader(&self, group: &str) -> ClientConfig {
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
        if self.profile == Profile::Oci {
            // The service allows five reads a second for each partition and group ("Limits on Streaming Resources"), so
            // fetches are few and large, and wait at the end of the log.
            config
                .set("max.partition.fetch.bytes", "1048576")
                .set("fetch.wait.max.ms", "250");
        }
        config
    }

    /// A consumer that joins the group and fetches nothing. `drain_timeout` is the time that a revocation may take.
    pub fn member(
        &self,
        group: &str,
        protocol: GroupProtocol,
        drain_timeout: Duration,
    ) -> ClientConfig {
        let mut config = self.group(group);
        // Also the time for which the group waits until a member has returned its revoked partitions (KIP-62, KIP-848).
        // The default is five minutes.
        let poll_interval = drain_timeout.max(Duration::from_secs(240)) + Duration::from_secs(60);
        config
            .set(
                "max.poll.interval.ms",
                poll_interval.as_millis().to_string(),
            )
            .set("fetch.wait.max.ms", "1000")
            .set("queued.max.messages.kbytes", "1");
        match protocol {
            GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
            GroupProtocol::Classic => config
                .set("group.protocol", "classic")
                .set("partition.assignment.strategy", "cooperative-sticky")
                // A killed run is removed from the group after this time. Brokers reject less than 6 s by default.
                .set("session.timeout.ms", "10000")
                .set("heartbeat.interval.ms", "2000"),
        };
        config
    }

    /// The protocol to try first. OCI Streaming has the group management of Kafka 0.10.
    pub fn best_group_protocol(&self) -> GroupProtocol {
        match self.profile {
            Profile::Kafka => GroupProtocol::Consumer,
            Profile::Oci => GroupProtocol::Classic,
        }
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
        assert_eq!(oci.producer().get("enable.idempotence"), Some("false"));
        let plain = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")])
            .await
            .unwrap();
        assert_eq!(plain.producer().get("enable.idempotence"), Some("true"));
        assert_eq!(plain.producer().get("acks"), Some("all"));
    }

    #[tokio::test]
    async fn never_creates_topics_by_metadata_requests() {
        let kafka = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")])
            .await
            .unwrap();
        let second = Duration::from_secs(1);
        for config in [
            kafka.client(),
            kafka.producer_within(second, MAX_BATCH_BYTES),
            kafka.dead_letter_producer(second),
            kafka.reader("frontdoor"),
            kafka.member("frontdoor", GroupProtocol::Classic, second),
        ] {
            assert_eq!(config.get("allow.auto.create.topics"), Some("false"));
        }
    }

    #[tokio::test]
    async fn configures_only_what_oci_streaming_supports() {
        let oci = kafka(&[
            ("KAFKA_BOOTSTRAP_SERVERS", STREAMING),
            ("KAFKA_USERNAME", "tenancy/user/pool"),
            ("KAFKA_PASSWORD", "canary"),
        ])
        .await
        .unwrap();
        let lines = oci.listing(&oci.producer()).unwrap();
        let value_of = |name: &str| {
            let (_, value) = lines.iter().find(|(known, _)| known == name).unwrap();
            value.as_str()
        };
        for (name, value) in [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "tenancy/user/pool"),
            ("sasl.password", "[redacted]"),
            ("enable.idempotence", "false"),
            ("acks", "-1"),
            ("compression.type", "none"),
            ("socket.keepalive.enable", "true"),
            ("message.send.max.retries", "2147483647"),
        ] {
            assert_eq!(value_of(name), value, "{name}");
        }
        assert!(!format!("{lines:?} {oci:?}").contains("canary"));
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
}
