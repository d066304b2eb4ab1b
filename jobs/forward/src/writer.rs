//! Writes the records of a run to their topics, each in its format.

use std::time::Duration;

use crate::dead_letter::{DeadLetter, DeadLetterConfig};
use crate::producer::{OutgoingRecord, ProduceError, RecordProducer, SizeLimit};

/// Writes dead letters through one producer.
pub struct RecordWriter {
    producer: RecordProducer,
    dead_letters: DeadLetterConfig,
}

impl RecordWriter {
    /// A writer that uses this producer.
    pub(crate) fn new(producer: RecordProducer, dead_letters: DeadLetterConfig) -> Self {
        Self {
            producer,
            dead_letters,
        }
    }

    /// Passes a dead letter to the producer.
    ///
    /// # Errors
    /// The producer does not accept it (too large, queue full). Its record stays incomplete.
    pub(crate) fn send_dead_letter(&mut self, letter: &DeadLetter) -> Result<(), ProduceError> {
        let config = &self.dead_letters;
        self.producer.create_topic(&config.topic);
        let envelope = letter.envelope(config);
        let value = envelope.as_deref().map(str::as_bytes);
        let record = OutgoingRecord {
            topic: &config.topic,
            key: letter.message.key.as_deref(),
            value: value.or(letter.message.value.as_deref()),
            headers: Some(letter.record_headers(config)),
        };
        self.producer.send(record, letter.origin())
    }

    /// The message for a dead letter of `size` bytes that is too large, with the remedy. `at`: its record.
    pub(crate) fn too_large(&mut self, at: &str, size: usize) -> String {
        let topic = &self.dead_letters.topic;
        let smaller = match self.dead_letters.envelope {
            true => "DEAD_LETTER_ENVELOPE=false makes it a quarter smaller; ",
            false => "",
        };
        let message =
            format!("the dead letter of {at} has {size} bytes with its headers, more than");
        let effect = "until then the commit of its partition stays before it";
        match self.producer.size_limit(topic, size) {
            SizeLimit::Producer(ours) => format!(
                "{message} the {ours} bytes that the producer sends at most: {smaller}otherwise save the record and move the group's offset past it with Kafka's tools; {effect}"
            ),
            SizeLimit::Topic { limit, needed } => {
                let limit = limit.map_or("unknown".to_owned(), |limit| limit.to_string());
                let name = SizeLimit::TOPIC_PROPERTY;
                format!(
                    "{message} {topic} accepts ({name}: {limit}): {smaller}set {name}={needed} or more on {topic}; {effect}"
                )
            }
        }
    }

    /// Waits for the acknowledgement of every record sent, up to `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        self.producer.flush(timeout);
    }
}
