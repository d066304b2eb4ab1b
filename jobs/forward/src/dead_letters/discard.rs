//! `forward dead-letters discard`: records in the dead-letter topic that letters are not to be replayed, and why.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use kafka::scan::ScanEnd;
use rdkafka::error::RDKafkaErrorCode;

use super::error::LettersError;
use super::report::{DiscardReport, VERSION};
use super::selection::Selection;
use super::topic::LetterTopic;
use crate::config::Config;
use crate::dead_letter::discard::Discard;
use crate::producer::{Origin, OutgoingRecord, ProduceResult, RecordProducer};

/// Discards the selected letters that are not discarded yet, each with a record of its own. A letter whose record is not
/// acknowledged is not discarded; the command can be repeated.
///
/// # Errors
/// The broker failed, or the selection does not fit the settings.
pub fn discard(
    config: &Config,
    selection: &Selection,
    reason: &str,
    dry_run: bool,
    timeout: Duration,
    now: SystemTime,
) -> Result<DiscardReport, LettersError> {
    let filter = selection.filter(&config.dead_letter_topic, now)?;
    let mut report = DiscardReport {
        version: VERSION,
        topic: config.dead_letter_topic.clone(),
        discarded: 0,
        already_discarded: 0,
        reason: reason.to_owned(),
        dry_run,
    };
    let Some(topic) = LetterTopic::open(config, None, timeout)? else {
        return Ok(report);
    };
    let discards = topic.discards()?;
    let ranges = filter.ranges(&topic.listed.partition_offsets);
    let mut selected = Vec::new();
    let end = topic.each(&ranges, |found| {
        if let Ok(letter) = found
            && filter.selects(&letter)
        {
            let at = (letter.at.partition, letter.at.offset);
            match discards.contains_key(&at) {
                true => report.already_discarded += 1,
                false => selected.push(at),
            }
        }
        ControlFlow::Continue(())
    })?;
    if end == ScanEnd::TimedOut {
        return Err(topic.reader.timed_out("reading dead letters").into());
    }
    report.discarded = selected.len() as u64;
    if !dry_run {
        write(config, &selected, reason)?;
    }
    Ok(report)
}

/// Writes a record for each letter, and waits for the acknowledgements.
fn write(config: &Config, letters: &[(i32, i64)], reason: &str) -> Result<(), LettersError> {
    let timeout = config.shutdown_timeout.max(Duration::from_secs(10));
    let (sender, results) = channel();
    let mut producer = RecordProducer::new(config.dead_letter_producer(), sender);
    let mut acknowledged = 0;
    for (partition, offset) in letters {
        let discard = Discard {
            partition: *partition,
            offset: *offset,
            reason: reason.to_owned(),
        };
        let (key, envelope) = (discard.key(), discard.envelope());
        let origin = Origin {
            partition: *partition,
            offset: *offset,
            class: 0,
        };
        loop {
            let record = OutgoingRecord {
                topic: &config.dead_letter_topic,
                key: Some(key.as_bytes()),
                value: config.dead_letter_envelope.then_some(envelope.as_bytes()),
                headers: Some(discard.headers()),
            };
            match producer.send(record, origin, ()) {
                Ok(()) => break,
                Err(unsent)
                    if unsent.error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                {
                    producer.flush(timeout);
                    acknowledged += count(&results)?;
                }
                Err(unsent) => return Err(LettersError::Write(unsent.error.to_string())),
            }
        }
    }
    producer.flush(timeout);
    acknowledged += count(&results)?;
    match letters.len() - acknowledged {
        0 => Ok(()),
        missing => Err(LettersError::Write(format!(
            "{missing} of {} records were not acknowledged within {timeout:?}",
            letters.len()
        ))),
    }
}

/// The number of acknowledgements so far.
///
/// # Errors
/// A record was not written.
fn count(results: &Receiver<ProduceResult<()>>) -> Result<usize, LettersError> {
    let results = results.try_iter();
    results
        .map(|result| {
            let written = result.result.map(|_| 1);
            written.map_err(|error| LettersError::Write(error.to_string()))
        })
        .sum()
}
