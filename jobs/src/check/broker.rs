//! Asks the broker for the topic and the group, with the same client that a run would use.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use super::Wrong;
use crate::config::Config;

/// How long one question waits before the client's own words are listened to.
const STEP: Duration = Duration::from_millis(250);

/// How long another broker of the list may still answer when one has said what is wrong.
const SECOND_OPINION: Duration = Duration::from_secs(1);

type Answer = (&'static str, Result<String, Wrong>);

/// Broker, topic and group; what cannot be asked any more is left out.
pub(super) fn ask(config: &Config) -> Vec<Answer> {
    let reader = config.kafka.reader(&config.group);
    let consumer = match BaseConsumer::from_config_and_context(&reader, Words::default()) {
        Ok(consumer) => consumer,
        Err(error) => return vec![("broker", Err(Wrong::new(error)))],
    };
    let metadata = match metadata(&consumer, config) {
        Ok(metadata) => metadata,
        Err(wrong) => return vec![("broker", Err(wrong))],
    };
    let cluster = consumer
        .client()
        .fetch_cluster_id(STEP)
        .unwrap_or_else(|| "that tells no id".to_owned());
    let brokers = metadata.brokers().len();
    let mut answers = vec![(
        "broker",
        Ok(format!("cluster {cluster}, {brokers} brokers")),
    )];
    let partitions = partitions(&metadata, &config.kafka.topic);
    let numbers = partitions.as_ref().map_or(Vec::new(), Clone::clone);
    let topic = &config.kafka.topic;
    answers.push((
        "topic",
        partitions.map(|known| format!("{topic}, {} partitions", known.len())),
    ));
    if !numbers.is_empty() {
        answers.push(("group", group(&consumer, config, &numbers)));
    }
    answers
}

fn metadata(consumer: &BaseConsumer<Words>, config: &Config) -> Result<Metadata, Wrong> {
    let mut end = Instant::now() + config.start_timeout;
    loop {
        let asked = consumer.fetch_metadata(Some(&config.kafka.topic), STEP);
        // The client says what is wrong with a connection only to whoever polls.
        let _ = consumer.poll(Duration::ZERO);
        let error = match asked {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        let heard = consumer.context().heard().clone();
        if heard.as_ref().is_some_and(|(code, _)| is_final(*code)) {
            end = end.min(Instant::now() + SECOND_OPINION);
        }
        if Instant::now() >= end {
            return Err(wrong(heard, &error, config.start_timeout));
        }
    }
}

/// Waiting mends none of these.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL | Code::Resolve
    )
}

fn wrong(heard: Option<(Code, String)>, error: &KafkaError, patience: Duration) -> Wrong {
    let Some((code, reason)) = heard else {
        return Wrong {
            detail: format!("no answer within {patience:?}: {error}"),
            advice: Some("is the broker up, and KAFKA_SECURITY_PROTOCOL what it speaks?"),
        };
    };
    let advice = match code {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "check KAFKA_USERNAME and AUTH_TOKEN"
        }
        Code::SSL => "check KAFKA_CA_LOCATION, and that the broker's name is in its certificate",
        Code::Resolve => "check KAFKA_BOOTSTRAPSERVER, and this machine's name servers",
        _ => {
            "is the broker up, its address right, the way to it open, and KAFKA_SECURITY_PROTOCOL what it speaks?"
        }
    };
    Wrong {
        detail: reason,
        advice: Some(advice),
    }
}

fn partitions(metadata: &Metadata, topic: &str) -> Result<Vec<i32>, Wrong> {
    let found = metadata.topics().iter().find(|known| known.name() == topic);
    let code = found.and_then(|found| found.error()).map(Code::from);
    match (found, code) {
        (Some(found), None) if !found.partitions().is_empty() => Ok(found
            .partitions()
            .iter()
            .map(|partition| partition.id())
            .collect()),
        (_, Some(Code::TopicAuthorizationFailed)) => Err(Wrong {
            detail: format!("{topic}: the broker does not let this user see it"),
            advice: Some("give the user the right to read and describe it"),
        }),
        (_, Some(code)) if code != Code::UnknownTopicOrPartition => {
            Err(Wrong::new(format!("{topic}: {code}")))
        }
        _ => Err(Wrong {
            detail: format!("{topic} does not exist"),
            advice: Some("create it, or set KAFKA_TOPIC"),
        }),
    }
}

fn group(
    consumer: &BaseConsumer<Words>,
    config: &Config,
    partitions: &[i32],
) -> Result<String, Wrong> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&config.kafka.topic, *partition);
    }
    let group = &config.group;
    let committed = consumer
        .committed_offsets(list, config.start_timeout)
        .map_err(|error| Wrong {
            detail: format!("{group}: reading its committed offsets: {error}"),
            advice: Some("may this user read with the group KAFKA_GROUP?"),
        })?;
    let with = committed
        .elements()
        .iter()
        .filter(|element| element.offset().to_raw().is_some_and(|offset| offset >= 0))
        .count();
    Ok(format!(
        "{group}, offsets committed for {with} of {} partitions",
        partitions.len()
    ))
}

/// Remembers the last thing that the client said about a connection.
#[derive(Default)]
struct Words(Mutex<Option<(Code, String)>>);

impl Words {
    fn heard(&self) -> MutexGuard<'_, Option<(Code, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Words {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut heard = self.heard();
        // "All brokers are down" says less than what took the last one down.
        let says_less = code == Code::AllBrokersDown
            || heard.as_ref().is_some_and(|(known, _)| is_final(*known));
        if heard.is_none() || !says_less {
            *heard = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Words {}
