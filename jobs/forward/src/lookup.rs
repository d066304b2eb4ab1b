//! Reads single records for commands that move nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use kafka::batch::Record;
use kafka::list_offsets::Wait;
use kafka::reader::{Reader, SourceError};
use kafka::scan::ScanEnd;
use offsets::window::{OffsetRange, PartitionOffsets};
use record::{Coordinates, Message};
use schema_registry::RegistryError;
use writer_schemas::{Found, WriterSchemas};

use crate::config::Config;
use crate::job::Job;
use crate::pauses;
use crate::pipeline::schema_headers;
use crate::report::rfc3339;

/// A wait without a shutdown: these commands end at once with a signal.
pub(crate) fn wait(timeout: Duration) -> Wait<'static> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    Wait {
        timeout,
        request_timeout: timeout,
        shutdown: &NEVER,
    }
}

/// A reader of a topic.
///
/// # Errors
/// librdkafka rejects the configuration.
pub(crate) fn reader(config: &Config, topic: &str) -> Result<Reader, SourceError> {
    reader_of(config, &config.group, topic)
}

/// A reader of a topic and of the commits of a group.
///
/// # Errors
/// librdkafka rejects the configuration.
pub(crate) fn reader_of(config: &Config, group: &str, topic: &str) -> Result<Reader, SourceError> {
    Reader::new(&config.kafka.reader(group), topic)
        .map_err(|error| SourceError::client(&config.kafka, error))
}

/// A copy of a record.
pub(crate) fn message(record: &Record<'_>, topic: &Arc<str>) -> Message {
    Message {
        at: Coordinates {
            topic: Arc::clone(topic),
            partition: record.partition(),
            offset: record.offset(),
        },
        key: record.key().map(Bytes::copy_from_slice),
        value: record.value().map(Bytes::copy_from_slice),
        payload: None,
        origin: None,
        headers: record.headers(),
        timestamp: record.timestamp(),
        client_key: None,
    }
}

/// The record at this offset; `None` if there is none.
///
/// # Errors
/// Reading failed, or took longer than the timeout.
pub(crate) fn record_at(
    reader: &Reader,
    at: &Coordinates,
    timeout: Duration,
) -> Result<Option<Message>, SourceError> {
    let range = OffsetRange {
        partition: at.partition,
        start: at.offset,
        end: at.offset.saturating_add(1),
    };
    let mut found = None;
    let end = reader.scan(&[range], timeout, |record| {
        found = Some(message(record, &at.topic));
        ControlFlow::Break(())
    })?;
    match end {
        ScanEnd::TimedOut => Err(reader.timed_out("reading a record")),
        ScanEnd::Complete | ScanEnd::Stopped => Ok(found),
    }
}

/// The ranges of a listing from its start time to its end time, or to the end of the log.
pub(crate) fn between(partitions: &[PartitionOffsets]) -> Vec<OffsetRange> {
    let ranges = partitions.iter().filter_map(|at| {
        Some(OffsetRange {
            partition: at.partition,
            start: at.start_time_offset?,
            end: at.end_time_offset.unwrap_or(at.high),
        })
    });
    ranges.collect()
}

/// The whole log of each partition.
pub(crate) fn all(partitions: &[PartitionOffsets]) -> Vec<OffsetRange> {
    let ranges = partitions.iter().map(|at| OffsetRange {
        partition: at.partition,
        start: at.low,
        end: at.high,
    });
    ranges.collect()
}

/// The end of each partition's log with the records of open transactions.
///
/// # Errors
/// A request failed.
pub(crate) fn ends(
    uncommitted: &Reader,
    partitions: &[i32],
    timeout: Duration,
) -> Result<BTreeMap<i32, i64>, SourceError> {
    let ends = uncommitted.end_offsets(partitions, timeout)?;
    Ok(ends.into_iter().collect())
}

/// Requests the schema of a record from the registry if it is not known.
///
/// # Errors
/// The registry did not answer.
pub(crate) fn add_schema(
    schemas: &mut WriterSchemas,
    job: &Job,
    message: &Message,
) -> Result<(), RegistryError> {
    let Some(value) = message.value.as_deref() else {
        return Ok(());
    };
    let found = schemas.find(value, &schema_headers(&message.headers));
    let (Found::Missing(reference), Some(registry)) = (found, &job.sources.registry) else {
        return Ok(());
    };
    let (sender, answers) = channel();
    registry.request(reference, sender);
    let ended = |_| RegistryError::Setup("the thread for schemas has ended".to_owned());
    match answers.recv().map_err(ended)?.result {
        Ok(schema) => {
            let references: Vec<&str> = schema.references.iter().map(String::as_str).collect();
            // An invalid schema is unknown, with the reason.
            let _ = schemas.add(reference, &schema.json, &references);
        }
        Err(error @ (RegistryError::Unknown { .. } | RegistryError::Unusable { .. })) => {
            schemas.add_unknown(reference, error.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The end of each route's pause (RFC 3339); `None` if it has none now.
pub(crate) fn paused(job: &Job, reader: &Reader, now: SystemTime) -> Vec<Option<String>> {
    let wait = wait(job.config.start_timeout);
    // Without READ on the dead-letter topic, as for a run, there are no pauses.
    let record = reader.topic_record(&job.config.dead_letter_topic, &wait);
    let recorded = record.ok().flatten().map(|record| record.pauses);
    let ends = pauses::ends(&recorded.unwrap_or_default(), &job.route_configs, now);
    let ends = ends.into_iter();
    ends.map(|end| end.filter(|end| *end > now).map(rfc3339))
        .collect()
}
