//! `forward dead-letters show`: one dead letter with its record.

use std::time::{Duration, SystemTime};

use record::{Coordinates, Message};

use super::error::LettersError;
use super::report::{LetterDetails, LetterReport, VERSION};
use super::selection::{InvalidSelection, Selection};
use super::topic::LetterTopic;
use crate::dead_letter::{StoredDeadLetter, StoredRecord};
use crate::explain::{content, read};
use crate::job::Job;
use crate::lookup;

/// The dead letter with these coordinates. Writes nothing.
///
/// # Errors
/// The broker or the schema registry failed, or the coordinates are not of the dead-letter topic.
pub fn show(
    job: &Job,
    coordinates: &str,
    timeout: Duration,
    now: SystemTime,
) -> Result<LetterDetails, LettersError> {
    let topic = &job.config.dead_letter_topic;
    let at = Coordinates::parse(coordinates, Some(topic))
        .map_err(|error| InvalidSelection::Coordinates(coordinates.to_owned(), error))?;
    let one = Selection {
        coordinates: vec![coordinates.to_owned()],
        ..Selection::default()
    };
    one.filter(topic, now)?;
    let Some(topic) = LetterTopic::open(&job.config, None, timeout)? else {
        return Ok(none(&at, format!("Topic {} does not exist.", at.topic)));
    };
    let found = read::read(&job.config, &topic.reader, &topic.listed, &at, timeout)?;
    let message = match found {
        Ok(message) => message,
        Err(absence) => return Ok(none(&at, absence.sentence)),
    };
    let mut letter = match StoredRecord::parse(message) {
        Ok(StoredRecord::DeadLetter(letter)) => *letter,
        Ok(StoredRecord::Discard(discard)) => {
            let reason = format!(
                "It discards the dead letter {}/{}@{}: {}",
                at.topic, discard.partition, discard.offset, discard.reason
            );
            return Ok(none(&at, reason));
        }
        Err(error) => return Ok(none(&at, format!("The record is {error}."))),
    };
    let discards = topic.discards()?;
    let discarded = discards.get(&(at.partition, at.offset));
    let record = letter.record.take();
    let details = details(job, letter, record, discarded.map(|reason| &**reason))?;
    Ok(LetterDetails {
        coordinates: at.to_string(),
        ..details
    })
}

fn details(
    job: &Job,
    letter: StoredDeadLetter,
    record: Option<Message>,
    discarded: Option<&str>,
) -> Result<LetterDetails, LettersError> {
    let mut schemas = job.sources.schemas.clone();
    let client_key = record.as_ref().and_then(|record| record.client_key.clone());
    let record = match record {
        None => None,
        Some(record) => {
            lookup::add_schema(&mut schemas, job, &record)?;
            Some(content(&record, &schemas, &job.routes).0)
        }
    };
    Ok(LetterDetails {
        version: VERSION,
        coordinates: String::new(),
        problem: None,
        letter: Some(LetterReport::new(letter, discarded)),
        idempotency_key: client_key.map(|key| key.to_string()),
        record,
    })
}

fn none(at: &Coordinates, problem: String) -> LetterDetails {
    LetterDetails {
        version: VERSION,
        coordinates: at.to_string(),
        problem: Some(problem),
        letter: None,
        idempotency_key: None,
        record: None,
    }
}
