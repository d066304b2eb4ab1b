//! The broker and the topic between function and job: embedded, or an external broker.

use std::fmt;

use anyhow::Result;
use testkit::broker::Broker;
use testkit::records;
use testkit::topics::Topics;

/// The topic on the embedded broker; the name is the tutorial's.
const TOPIC: &str = "FrontDoorTopic";
/// The dead-letter topic on the embedded broker, which does not support CreateTopics requests of the job.
const DEAD_LETTER_TOPIC: &str = "FrontDoorTopic-dead-letter";
/// The topic and the group on an external broker, which may also have the production topic and group.
const EXTERNAL_TOPIC: &str = "FrontDoorDemo";
const EXTERNAL_GROUP: &str = "frontdoor-demo";
/// The number of partitions of topics that the demo creates.
const PARTITIONS: i32 = 3;
/// The setting that selects an external broker.
const BOOTSTRAP: &str = "KAFKA_BOOTSTRAP_SERVERS";

/// Settings as environment variables.
pub(crate) type Variables = Vec<(String, String)>;

/// The variables that the programs inherit for an external broker.
const INHERITED: [&str; 10] = [
    BOOTSTRAP,
    "KAFKA_TOPIC",
    "KAFKA_GROUP_ID",
    "KAFKA_GROUP_PROTOCOL",
    "KAFKA_USERNAME",
    "KAFKA_PASSWORD",
    "KAFKA_PROFILE",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SSL_CA_LOCATION",
];

/// A broker and a topic.
pub(crate) struct Kafka {
    embedded: Option<Broker>,
    settings: Variables,
}

impl Kafka {
    /// Starts the embedded broker, or uses the external broker of `KAFKA_BOOTSTRAP_SERVERS`.
    ///
    /// On an external broker without TLS and SASL it creates the demo's topic if that does not exist. Any other topic must
    /// exist.
    ///
    /// # Errors
    /// The embedded broker does not start, or the external broker does not respond or rejects the topic.
    pub(crate) async fn start() -> Result<Self> {
        let mut settings: Variables = std::env::vars()
            .filter(|(name, _)| INHERITED.contains(&name.as_str()))
            .collect();
        let is_set = |settings: &[(String, String)], name: &str| {
            settings
                .iter()
                .any(|(known, value)| known == name && !value.is_empty())
        };
        if is_set(&settings, BOOTSTRAP) {
            let not_created_for = ["KAFKA_TOPIC", "KAFKA_USERNAME", "KAFKA_SECURITY_PROTOCOL"];
            if !not_created_for.iter().any(|name| is_set(&settings, name)) {
                let bootstrap = settings.iter().find(|(name, _)| name == BOOTSTRAP);
                let topics = Topics::connect(bootstrap.map_or("", |(_, value)| value))?;
                if topics.watermarks(EXTERNAL_TOPIC)?.is_empty() {
                    topics.create(EXTERNAL_TOPIC, PARTITIONS, &[]).await?;
                }
            }
            for (name, value) in [
                ("KAFKA_TOPIC", EXTERNAL_TOPIC),
                ("KAFKA_GROUP_ID", EXTERNAL_GROUP),
            ] {
                if !is_set(&settings, name) {
                    settings.push((name.to_owned(), value.to_owned()));
                }
            }
            return Ok(Self {
                embedded: None,
                settings,
            });
        }
        let broker = Broker::start()?;
        broker.create_topic(TOPIC, PARTITIONS)?;
        broker.create_topic(DEAD_LETTER_TOPIC, 1)?;
        let settings = [(BOOTSTRAP, broker.bootstrap()), ("KAFKA_TOPIC", TOPIC)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            embedded: Some(broker),
            settings: settings.to_vec(),
        })
    }

    /// The settings with which a program reaches the topic, including secrets.
    pub(crate) fn settings(&self) -> &Variables {
        &self.settings
    }

    /// Partition and offset of every record in the topic, in order; `None` for an external broker, which others may use.
    ///
    /// # Errors
    /// The broker does not respond.
    pub(crate) fn stored(&self) -> Result<Option<Vec<(i64, i64)>>> {
        let Some(broker) = &self.embedded else {
            return Ok(None);
        };
        let all = records::all(broker.bootstrap(), self.setting("KAFKA_TOPIC"))?;
        let places = all
            .iter()
            .map(|record| (record.partition.into(), record.offset));
        Ok(Some(places.collect()))
    }

    fn setting(&self, name: &str) -> &str {
        let known = self.settings.iter().find(|(known, _)| known == name);
        known.map_or("", |(_, value)| value)
    }
}

impl fmt::Display for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.embedded.is_some() {
            "embedded"
        } else {
            "external"
        };
        let (broker, topic) = (self.setting(BOOTSTRAP), self.setting("KAFKA_TOPIC"));
        write!(f, "{broker} ({kind}), topic {topic}")
    }
}
