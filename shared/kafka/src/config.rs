//! Settings → librdkafka configuration; the one place that spells its option names.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;

use crate::settings::{
    KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_PROFILE, KAFKA_SASL_MECHANISM,
    KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_LOCATION, KAFKA_TOPIC, KAFKA_USERNAME,
};
use runtime::redact;
use runtime::secret::Secret;
use settings::{SettingError, Settings};

/// The largest message that is produced, as the wire counts it: what brokers take unless told otherwise, and OCI
/// Streaming's limit.
pub const MAX_MESSAGE_BYTES: usize = 1_000_000;

/// How many records may wait in the client before it asks for more.
const QUEUED_RECORDS: &str = "10000";

/// What the broker can be relied on for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Apache Kafka: idempotent producer, headers, compression.
    Kafka,
    /// OCI Streaming: none of these; connections are recycled now and then.
    Oci,
}

/// How to reach the stream.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port,host:port`.
    pub bootstrap: String,
    /// The stream.
    pub topic: String,
    /// What the broker can be relied on for.
    pub profile: Profile,
    protocol: &'static str,
    mechanism: &'static str,
    username: Option<String>,
    shows_username: bool,
    kafka_password: Option<Secret>,
    ca_location: Option<String>,
}

impl KafkaSettings {
    /// Reads and checks everything about the broker.
    ///
    /// # Errors
    /// A setting is missing, malformed, or contradicts another.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let bootstrap = settings.required(&KAFKA_BOOTSTRAP_SERVERS)?.to_owned();
        let username = settings.optional(&KAFKA_USERNAME).map(str::to_owned);
        let kafka_password = settings.secret(&KAFKA_PASSWORD);
        if username.is_some() != kafka_password.is_some() {
            return Err(SettingError::Contradiction(
                "KAFKA_USERNAME and KAFKA_PASSWORD go together: set both or neither".to_owned(),
            ));
        }
        let profile = settings.choice(
            &KAFKA_PROFILE,
            &[
                ("auto", None),
                ("kafka", Some(Profile::Kafka)),
                ("oci", Some(Profile::Oci)),
            ],
            "kafka, oci or auto",
        )?;
        let protocol = settings.choice(
            &KAFKA_SECURITY_PROTOCOL,
            &[
                (
                    "auto",
                    if username.is_some() {
                        "sasl_ssl"
                    } else {
                        "plaintext"
                    },
                ),
                ("plaintext", "plaintext"),
                ("ssl", "ssl"),
                ("sasl_plaintext", "sasl_plaintext"),
                ("sasl_ssl", "sasl_ssl"),
            ],
            "plaintext, ssl, sasl_plaintext, sasl_ssl or auto",
        )?;
        if protocol.starts_with("sasl") != username.is_some() {
            return Err(SettingError::Contradiction(format!(
                "KAFKA_SECURITY_PROTOCOL is {protocol}, {} KAFKA_USERNAME is {}",
                if username.is_some() {
                    "but"
                } else {
                    "which needs a user, but"
                },
                if username.is_some() { "set" } else { "not set" },
            )));
        }
        let mechanism = settings.choice(
            &KAFKA_SASL_MECHANISM,
            &[
                ("PLAIN", "PLAIN"),
                ("SCRAM-SHA-256", "SCRAM-SHA-256"),
                ("SCRAM-SHA-512", "SCRAM-SHA-512"),
            ],
            "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        )?;
        Ok(Self {
            profile: profile.unwrap_or_else(|| profile_of(&bootstrap)),
            bootstrap,
            topic: settings.required(&KAFKA_TOPIC)?.to_owned(),
            protocol,
            mechanism,
            username,
            shows_username: !settings.is_secret(&KAFKA_USERNAME),
            kafka_password,
            ca_location: match settings.optional(&KAFKA_SSL_CA_LOCATION) {
                Some(location) => Some(location.to_owned()),
                None if protocol.ends_with("ssl") => system_authorities(),
                None => None,
            },
        })
    }

    /// What every client has in common: where the broker is and who we are.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", "frontdoor")
            .set("security.protocol", self.protocol)
            // A mistyped topic is an error: no metadata request creates it. librdkafka's default is true for producers.
            // Brokers before Kafka 0.11 ignore the flag (Metadata version 4).
            .set("allow.auto.create.topics", "false")
            .set("socket.keepalive.enable", "true")
            // A recycled connection is the service's daily business, not news.
            .set("log.connection.close", "false")
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "1000");
        if let (Some(username), Some(kafka_password)) = (&self.username, &self.kafka_password) {
            config
                .set("sasl.mechanism", self.mechanism)
                .set("sasl.username", username)
                .set("sasl.password", kafka_password.reveal());
        }
        if let Some(location) = &self.ca_location {
            config.set("ssl.ca.location", location);
        }
        if self.profile == Profile::Oci {
            config
                // A front end that was taken out must not be waited for.
                .set("metadata.max.age.ms", "180000")
                .set("socket.connection.setup.timeout.ms", "10000");
        }
        config
    }

    /// What a configuration sets, by name, with secrets as `[redacted]`; all else is librdkafka's default. The lines
    /// are what [`librdkafka`] of this version takes, its own spelling of values included.
    ///
    /// [`librdkafka`]: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
    ///
    /// # Errors
    /// librdkafka refuses a value.
    pub fn listing(&self, config: &ClientConfig) -> KafkaResult<Vec<(String, String)>> {
        let native = config.create_native_config()?;
        let mut lines = Vec::new();
        for name in config.config_map().keys() {
            let is_hidden = ["password", "key.pem", "token", "jaas"]
                .iter()
                .any(|part| name.contains(part))
                || (*name == "sasl.username" && !self.shows_username);
            let value = if is_hidden {
                Secret::new("").to_string()
            } else {
                native.get(name)?
            };
            lines.push(((*name).to_owned(), value));
        }
        lines.sort_unstable();
        Ok(lines)
    }

    /// A producer that counts a message as stored only when all in-sync replicas have it.
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
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
            // A broker refuses a batch as a whole when it is larger than the topic's messages may be (max.message.bytes),
            // so that records would be called too large for their neighbours' sake. Java's clients go by this size.
            .set("batch.size", "16384")
            .set("linger.ms", "0")
            // Where Java's clients put a key, so that all producers of a topic agree.
            .set("partitioner", "murmur2_random");
        if self.profile == Profile::Oci {
            config
                // Connections are recycled to spread the load ("Using Streaming with Apache Kafka"): what was under
                // way is sent again, soon and for as long as the message may take.
                .set("message.send.max.retries", "2147483647")
                .set("retry.backoff.ms", "50");
        }
        config
    }

    /// A producer that gives a message up after `timeout`, from the moment it is handed over.
    pub fn producer_within(&self, timeout: Duration) -> ClientConfig {
        let mut config = self.producer();
        set_message_timeout(&mut config, timeout);
        config
    }

    /// A producer for dead letters: as [`KafkaSettings::producer`], with room for the context that is added to a
    /// message which is at the broker's limit already. What is not acknowledged within `patience` has failed.
    pub fn dead_letter_producer(&self, patience: Duration) -> ClientConfig {
        let mut config = self.producer();
        config
            .set(
                "message.max.bytes",
                // OCI Streaming takes no more than this, with or without context; elsewhere the topic's own bound decides.
                if self.profile == Profile::Oci {
                    "1048576"
                } else {
                    "15000000"
                },
            )
            // Letters that wait for a slow broker are not to fill the memory: whoever writes waits instead.
            .set("queue.buffering.max.kbytes", "16384")
            // A topic with a small bound refuses a batch as it would a record: letters that fit are not to share the lot
            // of one that does not.
            .set("batch.size", "65536")
            .set("linger.ms", "5");
        set_message_timeout(&mut config, patience);
        config
    }

    /// A consumer that is given its partitions and reads them from end to end: committed records only, checked,
    /// with the end of each partition told, and nothing stored or committed by itself.
    pub fn reader(&self, group: &str) -> ClientConfig {
        let mut config = self.group(group);
        config
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            // What is fetched and not read yet is all of the backlog that is in memory. Only values count as bytes, and
            // a record costs the client some 450 bytes beside its own: so records are counted, too. Above this number
            // nothing more is asked for; what was asked for is on top.
            .set("queued.min.messages", QUEUED_RECORDS)
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.max.bytes", "2097152")
            .set("max.partition.fetch.bytes", "524288")
            // A window's records are there already: a fetch has nothing to wait for, and a full queue is soon read. At
            // the log's end, whatever else is asked of the broker waits behind the fetch.
            .set("fetch.wait.max.ms", "10")
            .set("fetch.queue.backoff.ms", "2")
            .set("fetch.error.backoff.ms", "50");
        if self.profile == Profile::Oci {
            // The service answers five reads a second for each partition and group ("Limits on Streaming Resources"):
            // few and large ones, and at the log's end no more than that.
            config
                .set("max.partition.fetch.bytes", "1048576")
                .set("fetch.wait.max.ms", "250");
        }
        config
    }

    /// A consumer that is in the group and fetches nothing.
    pub fn member(&self, group: &str, protocol: GroupProtocol, settling: Duration) -> ClientConfig {
        let mut config = self.group(group);
        // Also how long the group waits for a member to give partitions up (KIP-62, KIP-848); five minutes by default.
        let patience = settling.max(Duration::from_secs(240)) + Duration::from_secs(60);
        config
            .set("max.poll.interval.ms", patience.as_millis().to_string())
            .set("fetch.wait.max.ms", "1000")
            .set("queued.max.messages.kbytes", "1");
        match protocol {
            GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
            GroupProtocol::Classic => config
                .set("group.protocol", "classic")
                .set("partition.assignment.strategy", "cooperative-sticky")
                // A run that is killed is missed after this long; less than Kafka's default lower bound is refused.
                .set("session.timeout.ms", "10000")
                .set("heartbeat.interval.ms", "2000"),
        };
        config
    }

    /// The protocol to try first: OCI Streaming's group management is that of Kafka 0.10.
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

/// Sets how long a message may take, and how long its topic may be missing from the metadata (a topic that was just
/// created) before the message fails as one to an unknown topic. The latter must be shorter: else the message times out
/// first, and the error does not name its cause.
fn set_message_timeout(config: &mut ClientConfig, timeout: Duration) {
    let missing = (timeout / 2).min(Duration::from_secs(3));
    config
        .set("message.timeout.ms", timeout.as_millis().max(1).to_string())
        .set(
            "topic.metadata.propagation.max.ms",
            missing.as_millis().to_string(),
        );
}

/// How a consumer group is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// KIP-848: the broker assigns, and a first member has its partitions at once.
    Consumer,
    /// The older one: an empty group waits three seconds for more members (`group.initial.rebalance.delay.ms`).
    Classic,
}

/// Where this system keeps the authorities that it trusts. The OpenSSL within the program was not built for any one
/// system: by itself it finds only what `SSL_CERT_FILE` and `SSL_CERT_DIR` name, which is then left to it.
fn system_authorities() -> Option<String> {
    if openssl_probe::has_ssl_cert_env_vars() {
        return None;
    }
    let found = openssl_probe::probe();
    let place = found
        .cert_file
        .or_else(|| found.cert_dir.into_iter().next())?;
    place.into_os_string().into_string().ok()
}

/// A text of librdkafka without this process's secrets: it may quote what a broker wrote. librdkafka cuts errors at
/// 512 bytes and log lines at 2048, so the end of a long text may be the beginning of a secret.
pub fn quoted(text: &str) -> String {
    const SHORTEST_CUT: usize = 500;
    redact::excerpt(text.as_bytes(), text.len() >= SHORTEST_CUT)
}

/// OCI Streaming's brokers are `cell-1.streaming.<region>.oci.<domain>`; a private pool's FQDN has `.streaming.` too.
fn profile_of(bootstrap: &str) -> Profile {
    let is_oci = |host: &str| host.contains(".streaming.") && host.contains(".oci.");
    if bootstrap.split(',').any(is_oci) {
        Profile::Oci
    } else {
        Profile::Kafka
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kafka(environment: &[(&str, &str)]) -> Result<KafkaSettings, String> {
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let lookup = |name: &str| {
            environment
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        let settings = Settings::gather(&[&crate::settings::KAFKA], &[], lookup)
            .await
            .map_err(|error| error.to_string())?;
        KafkaSettings::from_settings(&settings).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_missing_broker_is_one_sentence() {
        assert_eq!(
            kafka(&[]).await.unwrap_err(),
            "KAFKA_BOOTSTRAP_SERVERS is not set: The brokers to start from, as host:port,host:port."
        );
    }

    #[tokio::test]
    async fn oci_streaming_gets_no_idempotent_producer() {
        let oci = kafka(&[(
            "KAFKA_BOOTSTRAP_SERVERS",
            "cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092",
        )])
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
    async fn no_client_creates_topics_by_metadata_requests() {
        let kafka = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")])
            .await
            .unwrap();
        let second = Duration::from_secs(1);
        for config in [
            kafka.client(),
            kafka.producer_within(second),
            kafka.dead_letter_producer(second),
            kafka.reader("frontdoor"),
            kafka.member("frontdoor", GroupProtocol::Classic, second),
        ] {
            assert_eq!(config.get("allow.auto.create.topics"), Some("false"));
        }
    }

    const STREAMING: &str = "cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092";

    #[tokio::test]
    async fn the_streaming_profile_is_what_the_service_can_do() {
        let oci = kafka(&[
            ("KAFKA_BOOTSTRAP_SERVERS", STREAMING),
            ("KAFKA_USERNAME", "tenancy/user/pool"),
            ("KAFKA_PASSWORD", "canary"),
        ])
        .await
        .unwrap();
        let lines = oci.listing(&oci.producer()).unwrap();
        let of = |name: &str| {
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
            assert_eq!(of(name), value, "{name}");
        }
        assert!(of("message.max.bytes").parse::<u32>().unwrap() <= 1 << 20);
        assert!(!format!("{lines:?} {oci:?}").contains("canary"));
    }

    #[tokio::test]
    async fn at_the_logs_end_oci_streaming_is_read_less_than_five_times_a_second() {
        for (bootstrap, expected) in [(STREAMING, "250"), ("localhost:9092", "10")] {
            let kafka = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", bootstrap)])
                .await
                .unwrap();
            let reader = kafka.reader("frontdoor");
            assert_eq!(reader.get("fetch.wait.max.ms"), Some(expected));
        }
    }

    #[tokio::test]
    async fn the_profile_is_chosen_by_its_setting_or_by_the_brokers_name() {
        let profile = async |bootstrap, setting| {
            let variables = [
                ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
                ("KAFKA_PROFILE", setting),
            ];
            kafka(&variables).await.unwrap().profile
        };
        let private = "abc.streaming.us-ashburn-1.oci.oraclecloud.com:9092";
        for (bootstrap, setting, expected) in [
            (STREAMING, "auto", Profile::Oci),
            (private, "auto", Profile::Oci),
            (STREAMING, "kafka", Profile::Kafka),
            ("localhost:9092", "auto", Profile::Kafka),
            ("localhost:9092", "oci", Profile::Oci),
            ("kafka.streaming.example.com:9092", "auto", Profile::Kafka),
        ] {
            assert_eq!(
                profile(bootstrap, setting).await,
                expected,
                "{bootstrap} {setting}"
            );
        }
    }

    #[tokio::test]
    async fn a_user_without_a_token_is_a_contradiction() {
        let error = kafka(&[("KAFKA_BOOTSTRAP_SERVERS", "b:1"), ("KAFKA_USERNAME", "u")])
            .await
            .unwrap_err();
        assert_eq!(
            error,
            "KAFKA_USERNAME and KAFKA_PASSWORD go together: set both or neither"
        );
    }
}
