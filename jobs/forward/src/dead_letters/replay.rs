//! `forward dead-letters replay`: a run whose topic is the dead-letter topic, and whose records are those of the selected
//! letters.
//!
//! The progress is that of a consumer group of the selection: what is delivered once is not delivered again by a replay of
//! the same selection.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_proxy::Proxies;
use kafka::reader::SourceError;
use oci::OciConfig;
use offsets::window::{WindowEnd, WindowStart};
use record::{Message, StreamId, idempotency};
use telemetry::traces::Tracer;

use super::error::LettersError;
use super::selection::{Filter, Selection};
use super::target::{group, topic_route};
use super::topic::{Discards, LetterTopic};
use crate::cli::RunOptions;
use crate::config::{Config, OnDataLoss, Unmatched};
use crate::dead_letter::{StoredDeadLetter, StoredRecord};
use crate::exit::RunOutcome;
use crate::job::Job;
use crate::lookup;
use crate::pipeline::{LetterFilter, LetterTarget, client_key};
use crate::run::{KeptReader, Run};
use crate::schedule;

/// What a replay needs beside the job.
pub struct Replay<'r> {
    /// Which letters.
    pub selection: &'r Selection,
    /// Where their records go.
    pub target: LetterTarget,
    /// The options of its run.
    pub options: &'r RunOptions,
    /// How long reading the discarded letters may take.
    pub timeout: Duration,
    /// How to reach Object Storage, if the report is written there.
    pub oracle_cloud: Option<&'r OciConfig>,
    /// The traces, if they are exported.
    pub tracer: Option<&'r Tracer>,
    /// The proxies of the endpoints.
    pub proxies: &'r Proxies,
    /// Set by a signal that ends the replay.
    pub shutdown: &'r AtomicBool,
}

impl Replay<'_> {
    /// Delivers the records of the selected letters to the routes that take them now, or writes them to `KAFKA_TOPIC`, and
    /// prints the report of the run. `None`: the dead-letter topic does not exist.
    ///
    /// # Errors
    /// The broker failed before the run, or the selection does not fit the settings.
    pub fn run(&self, mut job: Job, now: SystemTime) -> Result<Option<RunOutcome>, LettersError> {
        let filter = self.selection.filter(&job.config.dead_letter_topic, now)?;
        let Some(topic) = LetterTopic::open(&job.config, None, self.timeout)? else {
            return Ok(None);
        };
        let originals = Originals {
            filter,
            discards: topic.discards()?,
            source: source(&job.config)?,
            target: self.target,
        };
        drop(topic);
        let letters = LetterFilter::new(self.target, |message| originals.original(message));
        if self.target == LetterTarget::Topic {
            (job.route_configs, job.routes) = topic_route(&job.sources)?;
        }
        set(&mut job.config, self.selection, self.target, now);
        let run = Run {
            config: &job.config,
            plan: None,
            routes: &job.routes,
            route_configs: &job.route_configs,
            proxies: self.proxies,
            schemas: &job.sources.schemas,
            registry: job.sources.registry.as_ref(),
            letters: Some(&letters),
            oracle_cloud: self.oracle_cloud,
            // They are those of the runs of the group, not of replays.
            metrics: None,
            kept_reader: &KeptReader::default(),
            workers: None,
            tracer: self.tracer,
            dry_run: self.options.dry_run,
            shutdown: self.shutdown,
        };
        let options = RunOptions {
            every: None,
            ..self.options.clone()
        };
        Ok(schedule::run(
            &run,
            &options,
            &mut Instant::now(),
            None,
            |_| false,
        ))
    }
}

/// Makes the configuration of a run that of a replay.
fn set(config: &mut Config, selection: &Selection, target: LetterTarget, now: SystemTime) {
    // No dead letter is written. Records for a topic are written where dead letters are otherwise.
    std::mem::swap(&mut config.kafka.topic, &mut config.dead_letter_topic);
    config.group = group(&config.group, selection, target);
    config.window_start = WindowStart::Committed;
    // Letters behind the end are not read: an end relative to now is later in the next replay.
    config.window_end = selection.until.map_or(WindowEnd::Now, |until| {
        WindowEnd::Time(until.milliseconds(now))
    });
    (config.records, config.bytes) = (None, None);
    // A letter that the log has deleted is gone for good.
    config.on_data_loss = OnDataLoss::Continue;
    // It is a dead letter already.
    config.give_up_after = None;
    // A letter is not completed without being delivered.
    config.unmatched = Unmatched::DeadLetter;
    config.tombstones_are_dead_letters = true;
}

/// The identity of the job's topic; `None` if it does not exist.
fn source(config: &Config) -> Result<Option<(String, StreamId)>, SourceError> {
    let topic = &config.kafka.topic;
    let reader = lookup::reader(config, topic)?;
    let wait = lookup::wait(config.start_timeout);
    match reader.list_offsets(&WindowStart::Earliest, &WindowEnd::Now, &wait) {
        Err(SourceError::NoTopic { .. }) => Ok(None),
        listed => Ok(Some((topic.clone(), listed?.stream))),
    }
}

/// The records of the selected letters.
struct Originals {
    filter: Filter,
    discards: Discards,
    /// The name and the identity of the job's topic.
    source: Option<(String, StreamId)>,
    target: LetterTarget,
}

impl Originals {
    /// The record to deliver for a record of the dead-letter topic; `None` if it is not selected, discarded, or has no copy of
    /// its record.
    fn original(&self, message: Message) -> Option<Message> {
        let Ok(StoredRecord::DeadLetter(mut letter)) = StoredRecord::parse(message) else {
            return None;
        };
        let at = (letter.at.partition, letter.at.offset);
        if !self.filter.selects(&letter) || self.discards.contains_key(&at) {
            return None;
        }
        if self.target == LetterTarget::Topic && !self.is_of_source(&letter) {
            return None;
        }
        let mut record = letter.record.take()?;
        if record.client_key.is_none() {
            record.client_key = self.key(&letter, &record).map(Into::into);
        }
        if self.target == LetterTarget::Topic
            && let Some(key) = &record.client_key
            && client_key(&record.headers).as_ref() != Some(key)
        {
            // The job reads the first header of the name.
            let value = Bytes::copy_from_slice(key.as_bytes());
            let header = (idempotency::HEADER.to_owned(), Some(value));
            record.headers.insert(0, header);
        }
        Some(record)
    }

    fn is_of_source(&self, letter: &StoredDeadLetter) -> bool {
        let source = self.source.as_ref();
        letter
            .origin
            .as_ref()
            .is_some_and(|origin| source.is_some_and(|(topic, _)| *origin.topic == **topic))
    }

    /// The key under which the job delivers the record of the letter, if that is a record of its topic.
    fn key(&self, letter: &StoredDeadLetter, record: &Message) -> Option<String> {
        let (_, stream) = self.source.as_ref()?;
        let at = letter
            .origin
            .clone()
            .filter(|_| self.is_of_source(letter))?;
        Some(stream.idempotency_key(&Message {
            at,
            ..record.clone()
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use record::Coordinates;

    use super::*;

    fn letter(offset: i64, headers: &[(&str, &str)]) -> Message {
        let headers = headers.iter();
        let headers = headers
            .map(|(name, value)| ((*name).to_owned(), Some(Bytes::from((*value).to_owned()))));
        Message {
            at: Coordinates {
                topic: "letters".into(),
                partition: 0,
                offset,
            },
            key: None,
            value: Some("v".into()),
            payload: None,
            origin: None,
            headers: headers.collect(),
            timestamp: Some(9),
            client_key: None,
        }
    }

    fn connect(offset: i64, topic: &str) -> Message {
        letter(
            offset,
            &[
                ("__connect.errors.topic", topic),
                ("__connect.errors.partition", "3"),
                ("__connect.errors.offset", "1042"),
            ],
        )
    }

    fn originals(selection: &Selection) -> Originals {
        let stream = StreamId {
            cluster: "c".to_owned(),
            topic: "t".to_owned(),
        };
        Originals {
            filter: selection.filter("letters", UNIX_EPOCH).unwrap(),
            discards: Discards::from([((0, 7), "a test".into())]),
            source: Some(("orders".to_owned(), stream)),
            target: LetterTarget::Routes,
        }
    }

    #[test]
    fn a_record_of_the_topic_keeps_the_key_of_its_first_delivery() {
        let all = originals(&Selection::default());
        let key = |message| all.original(message).unwrap().client_key;
        assert_eq!(key(connect(1, "orders")).as_deref(), Some("c/t/3/1042"));
        assert_eq!(key(connect(1, "other")), None);
        let mut own = connect(1, "orders");
        let header = ("idempotency-key".to_owned(), Some("mine".into()));
        own.headers.insert(0, header);
        assert_eq!(key(own).as_deref(), Some("mine"));
    }

    #[test]
    fn what_is_not_selected_is_skipped() {
        let all = originals(&Selection::default());
        assert!(all.original(connect(1, "orders")).is_some());
        let to_topic = Originals {
            target: LetterTarget::Topic,
            ..originals(&Selection::default())
        };
        let record = to_topic.original(connect(1, "orders")).unwrap();
        let key = ("idempotency-key".to_owned(), Some("c/t/3/1042".into()));
        assert_eq!(record.headers, [key]);
        assert!(to_topic.original(connect(1, "other")).is_none());
        // Discarded, no dead letter, and of another version.
        assert!(all.original(connect(7, "orders")).is_none());
        assert!(all.original(letter(1, &[])).is_none());
        assert!(
            all.original(letter(1, &[("frontdoor.version", "2")]))
                .is_none()
        );
        let other = originals(&Selection {
            cause: Some("refused".to_owned()),
            ..Selection::default()
        });
        assert!(other.original(connect(1, "orders")).is_none());
    }
}
