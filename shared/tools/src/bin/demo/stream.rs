//! The stream between door and job: the embedded broker's, or that of a broker of yours.

use std::fmt;

use anyhow::Result;
use testkit::broker::Broker;
use testkit::records;
use testkit::topics::Topics;

/// The stream's name on the embedded broker, as in the tutorial.
const TOPIC: &str = "FrontDoorTopic";
/// The job's dead-letter topic: the embedded broker has no CreateTopics request, by which the job creates it elsewhere.
const DEAD_LETTER_TOPIC: &str = "FrontDoorTopic-dead-letter";
/// The stream and the group on a broker of yours, which may hold the real ones: theirs must not get our records, and
/// our job must not take theirs.
const GUEST_TOPIC: &str = "FrontDoorDemo";
const GUEST_GROUP: &str = "frontdoor-demo";
/// The stream's partitions where the demo creates it.
const PARTITIONS: i32 = 3;
/// The setting that names a broker other than the embedded one.
const BOOTSTRAP: &str = "KAFKA_BOOTSTRAP_SERVERS";

/// Settings as environment variables.
pub(crate) type Environment = Vec<(String, String)>;

/// What is handed on to the programs when you name a broker.
const HANDED_ON: [&str; 10] = [
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
pub(crate) struct Stream {
    embedded: Option<Broker>,
    settings: Environment,
}

impl Stream {
    /// Starts the embedded broker, unless `KAFKA_BOOTSTRAP_SERVERS` names another.
    ///
    /// On a broker of yours it creates the demo's own topic if that is missing and the broker needs no TLS and no user;
    /// any other topic has to exist.
    ///
    /// # Errors
    /// The embedded broker does not start; yours does not answer, or rejects the topic.
    pub(crate) async fn start() -> Result<Self> {
        // Whoever names a broker may have to name a user, a certificate and so on.
        let mut settings: Environment = std::env::vars()
            .filter(|(name, _)| HANDED_ON.contains(&name.as_str()))
            .collect();
        let given = |settings: &[(String, String)], name: &str| {
            settings
                .iter()
                .any(|(known, value)| known == name && !value.is_empty())
        };
        if given(&settings, BOOTSTRAP) {
            let needs_more = ["KAFKA_TOPIC", "KAFKA_USERNAME", "KAFKA_SECURITY_PROTOCOL"];
            if !needs_more.iter().any(|name| given(&settings, name)) {
                let bootstrap = settings.iter().find(|(name, _)| name == BOOTSTRAP);
                let topics = Topics::of(bootstrap.map_or("", |(_, value)| value))?;
                if topics.watermarks(GUEST_TOPIC)?.is_empty() {
                    topics.create(GUEST_TOPIC, PARTITIONS, &[]).await?;
                }
            }
            for (name, value) in [
                ("KAFKA_TOPIC", GUEST_TOPIC),
                ("KAFKA_GROUP_ID", GUEST_GROUP),
            ] {
                if !given(&settings, name) {
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

    /// What a program must be told to reach it, secrets included.
    pub(crate) fn settings(&self) -> &Environment {
        &self.settings
    }

    /// Partition and offset of every record in the topic, in order; `None` for a broker that others may use too.
    ///
    /// # Errors
    /// The broker does not answer.
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

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.embedded.is_some() {
            "embedded"
        } else {
            "yours"
        };
        let (broker, topic) = (self.setting(BOOTSTRAP), self.setting("KAFKA_TOPIC"));
        write!(f, "{broker} ({kind}), topic {topic}")
    }
}
