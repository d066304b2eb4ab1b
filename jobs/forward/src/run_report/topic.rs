//! The topic of reports (`REPORT_TOPIC`): the key is the consumer group, the value the report as JSON.

use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use kafka::describe::Permission;
use kafka::reader::{Reader, SourceError};
use kafka::scan::ScanEnd;
use offsets::window::{WindowEnd, WindowStart};
use rdkafka::error::RDKafkaErrorCode;

use crate::config::Config;
use crate::lookup;
use crate::producer::{Origin, OutgoingRecord, RecordProducer};
use crate::report::RunReport;

/// How long writing a report may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes the report, and waits for the acknowledgement.
///
/// # Errors
/// It is not acknowledged, with the reason.
pub(super) fn write(config: &Config, topic: &str, report: &RunReport) -> Result<(), String> {
    let end = Instant::now() + WRITE_TIMEOUT;
    let reader = lookup::reader(config, &config.kafka.topic).map_err(|error| error.to_string())?;
    // A producer's request creates a missing topic, with the wrong properties, on brokers that permit it.
    match reader.write_permission(topic, WRITE_TIMEOUT) {
        Permission::NoTopic => {
            return Err(
                "the topic does not exist: create it with cleanup.policy=compact".to_owned(),
            );
        }
        Permission::Denied => {
            return Err("WRITE is denied: grant the user WRITE on the topic".to_owned());
        }
        Permission::Granted | Permission::NotReported => {}
    }
    drop(reader);
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(format!("no broker answered within {WRITE_TIMEOUT:?}"));
    }
    let (sender, results) = channel();
    let mut producer = RecordProducer::new(config.kafka.dead_letter_producer(left), sender);
    let value = report.json();
    let record = OutgoingRecord {
        topic,
        key: Some(report.group.as_bytes()),
        value: Some(value.as_bytes()),
        headers: None,
    };
    // A report is about no record of the window.
    let origin = Origin {
        partition: 0,
        offset: 0,
        class: 0,
    };
    let sent = producer
        .send(record, origin, ())
        .map_err(|unsent| unsent.error);
    let sent = sent.and_then(|()| {
        producer.flush(left + Duration::from_secs(1));
        results.try_recv().map_or(Ok(()), |result| result.result)
    });
    sent.map_err(|error| match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => format!(
            "it has {} bytes, more than the topic accepts: raise max.message.bytes of the topic",
            value.len()
        ),
        _ => error.to_string(),
    })
}

/// The newest report of the job's group; `None` if the topic has none.
///
/// # Errors
/// The broker failed, or reading took longer than the timeout.
pub(super) fn read(
    config: &Config,
    topic: &str,
    timeout: Duration,
) -> Result<Option<Vec<u8>>, SourceError> {
    let reader: Reader = lookup::reader(config, topic)?;
    let wait = lookup::wait(config.start_timeout);
    let listed = reader.list_offsets(&WindowStart::Earliest, &WindowEnd::Now, &wait)?;
    let ranges = lookup::all(&listed.partition_offsets);
    let mut newest: Option<(Option<i64>, Option<Vec<u8>>)> = None;
    let end = reader.scan(&ranges, timeout, |record| {
        let timestamp = record.timestamp();
        // Reports of a group are in one partition, unless partitions were added.
        let is_newer = newest.as_ref().is_none_or(|(known, _)| timestamp >= *known);
        if record.key() == Some(config.group.as_bytes()) && is_newer {
            newest = Some((timestamp, record.value().map(<[u8]>::to_vec)));
        }
        ControlFlow::Continue(())
    })?;
    match end {
        ScanEnd::TimedOut => Err(reader.timed_out("reading reports")),
        ScanEnd::Complete | ScanEnd::Stopped => Ok(newest.and_then(|(_, value)| value)),
    }
}
