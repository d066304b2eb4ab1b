//! Writes dead letters and answers to their topics, each in its format.

use std::sync::Arc;
use std::time::Duration;

use offsets::progress::Class;
use rdkafka::message::{Header, OwnedHeaders};
use record::Message;

use crate::answer::{AnswerContext, AnswerOutcome, AnswerRecord};
use crate::dead_letter::{DeadLetter, DeadLetterConfig};
use crate::producer::{
    Origin, OutgoingRecord, ProduceError, ProduceResult, RecordProducer, SizeLimit,
};

/// A record that is written before the record that it is about is completed.
#[derive(Debug)]
pub enum Outgoing {
    /// A dead letter.
    DeadLetter(DeadLetter),
    /// An answer.
    Answer(AnswerRecord),
    /// The original record of a dead letter, for the topic of [`DeadLetterConfig`], and its class.
    Republished(Message, Class),
}

/// What was written.
#[derive(Debug)]
pub enum Written {
    /// A dead letter. The answer is written next, if there is one.
    DeadLetter {
        /// The answer of the record's endpoint.
        answer: Option<Box<AnswerRecord>>,
    },
    /// An answer.
    Answer(AnswerOutcome),
    /// The original record of a dead letter.
    Republished,
}

/// Where a record is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The dead-letter topic.
    DeadLetters,
    /// The `success_topic` of a route.
    Success,
    /// The `error_topic` of a route.
    Error,
}

/// The result of a write.
pub type WriteResult = ProduceResult<Written>;

/// The topics of a route's answers.
#[derive(Clone, Debug, Default)]
pub struct AnswerTopics {
    /// The name of the route.
    pub route: String,
    /// The topic of answers to delivered records.
    pub success: Option<Arc<str>>,
    /// The topic of answers to dead-lettered records.
    pub error: Option<Arc<str>>,
}

/// Writes dead letters and answers through one producer.
pub struct RecordWriter {
    producer: RecordProducer<Written>,
    dead_letters: DeadLetterConfig,
    /// One for each route.
    answers: Vec<AnswerTopics>,
}

impl Outgoing {
    /// The record that it is about.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::DeadLetter(letter) => letter.origin(),
            Self::Answer(answer) => answer.origin(),
            Self::Republished(message, class) => Origin {
                partition: message.at.partition,
                offset: message.at.offset,
                class: *class,
            },
        }
    }

    /// Where it is written to.
    pub(crate) fn target(&self) -> Target {
        match self {
            Self::DeadLetter(_) | Self::Republished(..) => Target::DeadLetters,
            Self::Answer(answer) => Target::of(&answer.outcome),
        }
    }
}

impl Written {
    /// Where it was written to.
    pub(crate) fn target(&self) -> Target {
        match self {
            Self::DeadLetter { .. } | Self::Republished => Target::DeadLetters,
            Self::Answer(outcome) => Target::of(outcome),
        }
    }
}

impl Target {
    fn of(outcome: &AnswerOutcome) -> Self {
        match outcome {
            AnswerOutcome::Delivered => Self::Success,
            AnswerOutcome::DeadLettered(_) => Self::Error,
        }
    }
}

impl AnswerTopics {
    fn of(&self, target: Target) -> Option<&Arc<str>> {
        match target {
            Target::Success => self.success.as_ref(),
            Target::Error => self.error.as_ref(),
            Target::DeadLetters => None,
        }
    }
}

impl RecordWriter {
    /// A writer that uses this producer.
    pub(crate) fn new(
        producer: RecordProducer<Written>,
        dead_letters: DeadLetterConfig,
        answers: Vec<AnswerTopics>,
    ) -> Self {
        Self {
            producer,
            dead_letters,
            answers,
        }
    }

    /// The topic of a route's answers; `None` if they are not written.
    pub(crate) fn answer_topic(&self, class: Class, target: Target) -> Option<Arc<str>> {
        self.answers.get(class)?.of(target).map(Arc::clone)
    }

    /// Passes a record to the producer.
    ///
    /// # Errors
    /// The producer does not accept it (too large, queue full). The record that it is about stays incomplete.
    pub(crate) fn send(&mut self, record: &Outgoing) -> Result<(), ProduceError> {
        match record {
            Outgoing::DeadLetter(letter) => self.send_dead_letter(letter),
            Outgoing::Answer(answer) => self.send_answer(answer),
            Outgoing::Republished(message, _) => self.send_again(message, record.origin()),
        }
    }

    fn send_dead_letter(&mut self, letter: &DeadLetter) -> Result<(), ProduceError> {
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
        let topic = self.answer_topic(letter.class, Target::Error);
        let answer = letter.answer.clone().zip(topic);
        let answer = answer.map(|(answer, topic)| AnswerRecord {
            topic,
            // The value is not part of an answer.
            message: Message {
                at: letter.message.at.clone(),
                key: letter.message.key.clone(),
                value: None,
                payload: None,
                origin: letter.message.origin.clone(),
                headers: Vec::new(),
                timestamp: letter.message.timestamp,
                client_key: letter.message.client_key.clone(),
            },
            class: letter.class,
            answer,
            outcome: AnswerOutcome::DeadLettered(letter.reason.clone()),
        });
        let answer = answer.map(Box::new);
        let written = Written::DeadLetter { answer };
        self.producer.send(record, letter.origin(), written)
    }

    fn send_again(&mut self, message: &Message, origin: Origin) -> Result<(), ProduceError> {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_deref(),
            });
        }
        let record = OutgoingRecord {
            topic: &self.dead_letters.topic,
            key: message.key.as_deref(),
            value: message.value.as_deref(),
            headers: Some(headers),
        };
        self.producer.send(record, origin, Written::Republished)
    }

    fn send_answer(&mut self, answer: &AnswerRecord) -> Result<(), ProduceError> {
        let route = self.answers.get(answer.class);
        let value = answer.envelope(&AnswerContext {
            route: route.map_or("", |topics| &topics.route),
            group: &self.dead_letters.group,
            run: &self.dead_letters.run,
            stream: &self.dead_letters.stream,
        });
        let record = OutgoingRecord {
            topic: &answer.topic,
            key: answer.message.key.as_deref(),
            value: Some(value.as_bytes()),
            headers: None,
        };
        let written = Written::Answer(answer.outcome.clone());
        self.producer.send(record, answer.origin(), written)
    }

    /// The message for a record of `size` bytes that is too large, with the remedy. `at`: the record that it is about.
    pub(crate) fn too_large(
        &mut self,
        target: Target,
        class: Class,
        at: &str,
        size: usize,
    ) -> String {
        let answers = self.answers.get(class);
        let (what, topic, remedy) = match target {
            Target::DeadLetters => (
                "dead letter of",
                self.dead_letters.topic.as_str(),
                match self.dead_letters.envelope {
                    true => "DEAD_LETTER_ENVELOPE=false makes it a quarter smaller",
                    false => "",
                },
            ),
            Target::Success | Target::Error => (
                "answer to",
                answers
                    .and_then(|topics| topics.of(target))
                    .map_or("", |topic| topic),
                "lower max_body of the route's answers",
            ),
        };
        let join = |text: &str, then: &str| match text {
            "" => then.to_owned(),
            text => format!("{text}; {then}"),
        };
        let message = format!("the {what} {at} has {size} bytes with its headers, more than");
        let effect = "until then the commit of its partition stays before it";
        match self.producer.size_limit(topic, size) {
            SizeLimit::Producer(ours) => {
                let remedy = join(
                    remedy,
                    "otherwise save the record and move the group's offset past it with Kafka's tools",
                );
                format!(
                    "{message} the {ours} bytes that the producer sends at most: {remedy}; {effect}"
                )
            }
            SizeLimit::Topic { limit, needed } => {
                let limit = limit.map_or("unknown".to_owned(), |limit| limit.to_string());
                let name = SizeLimit::TOPIC_PROPERTY;
                let remedy = join(remedy, &format!("set {name}={needed} or more on {topic}"));
                format!("{message} {topic} accepts ({name}: {limit}): {remedy}; {effect}")
            }
        }
    }

    /// Waits for the acknowledgement of every record sent, up to `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        self.producer.flush(timeout);
    }
}
