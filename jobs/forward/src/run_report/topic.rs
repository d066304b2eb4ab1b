//! The topic of reports (`REPORT_TOPIC`): the value is the report as JSON, the key names the consumer group.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use kafka::describe::Permission;
use kafka::reader::{Reader, SourceError};
use kafka::scan::ScanEnd;
use offsets::window::{WindowEnd, WindowStart};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::Config;
use crate::lookup;
use crate::producer::{Origin, OutgoingRecord, RecordProducer};
use crate::report::RunReport;

/// How long writing a report may take, up to a second in which the client finds that it has.
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
    let (key, value) = (key(config), report.json());
    let record = OutgoingRecord {
        topic,
        key: Some(key.as_bytes()),
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
    let result = sent.map(|()| {
        // librdkafka looks for messages that have timed out once a second.
        producer.flush(left + Duration::from_secs(1));
        results.try_recv().ok().map(|result| result.result)
    });
    acknowledged(result, value.len())
}

/// The group whose commits the run moves. A replay of `WINDOW_START` moves none: with the key of the group, compaction would
/// replace the report of the last run by that of the replay.
fn key(config: &Config) -> String {
    match config.window_start {
        WindowStart::Committed => config.group.clone(),
        _ => format!("{}.replay", config.group),
    }
}

/// The result of a write of so many bytes. `None`: there is no result.
fn acknowledged(
    result: Result<Option<Result<(), KafkaError>>, KafkaError>,
    size: usize,
) -> Result<(), String> {
    let not_in_time =
        || format!("not acknowledged within {WRITE_TIMEOUT:?}; it may be in the topic");
    let error = match result {
        Ok(Some(Ok(()))) => return Ok(()),
        Ok(None) => return Err(not_in_time()),
        Ok(Some(Err(error))) | Err(error) => error,
    };
    Err(match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageTimedOut) => not_in_time(),
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => format!(
            "it has {size} bytes, more than the topic accepts: raise max.message.bytes of the topic"
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
    // Reports of a group are in one partition, unless partitions were added.
    let mut newest = BTreeMap::new();
    let end = reader.scan(&ranges, timeout, |record| {
        if record.key() == Some(config.group.as_bytes()) {
            let value = record.value().map(<[u8]>::to_vec);
            newest.insert(record.partition(), (record.timestamp(), value));
        }
        ControlFlow::Continue(())
    })?;
    let newest = newest.into_values();
    let newest = newest.max_by_key(|(timestamp, _)| *timestamp);
    match end {
        ScanEnd::TimedOut => Err(reader.timed_out("reading reports")),
        ScanEnd::Complete | ScanEnd::Stopped => Ok(newest.and_then(|(_, value)| value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_acknowledgement_is_a_success() {
        assert_eq!(acknowledged(Ok(Some(Ok(()))), 7), Ok(()));
        let failed = |code| KafkaError::MessageProduction(code);
        let timed_out = failed(RDKafkaErrorCode::MessageTimedOut);
        for result in [Ok(None), Ok(Some(Err(timed_out)))] {
            let error = acknowledged(result, 7).unwrap_err();
            assert!(error.starts_with("not acknowledged within 5s"), "{error}");
        }
        let too_large = failed(RDKafkaErrorCode::MessageSizeTooLarge);
        let error = acknowledged(Err(too_large), 7).unwrap_err();
        assert!(error.starts_with("it has 7 bytes"), "{error}");
        let denied = failed(RDKafkaErrorCode::TopicAuthorizationFailed);
        assert!(acknowledged(Ok(Some(Err(denied))), 7).is_err());
    }
}
