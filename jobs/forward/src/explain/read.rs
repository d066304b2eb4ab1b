//! Reads one record, or finds out why there is none.

use kafka::list_offsets::TopicOffsets;
use kafka::reader::{Reader, SourceError};
use record::{Coordinates, Message};
use std::time::Duration;

use super::report::RecordState;
use super::state::{self, Position};
use crate::config::Config;
use crate::lookup;

/// A record that cannot be read.
pub(crate) struct Absence {
    /// Why.
    pub(crate) state: RecordState,
    /// The same in a sentence.
    pub(crate) sentence: String,
    /// The group's committed offset in its partition.
    pub(crate) committed: Option<i64>,
}

/// The record at these coordinates. `listed`: the offsets of its topic.
///
/// # Errors
/// Reading failed, or took longer than the timeout.
pub(crate) fn read(
    config: &Config,
    reader: &Reader,
    listed: &TopicOffsets,
    at: &Coordinates,
    timeout: Duration,
) -> Result<Result<Message, Absence>, SourceError> {
    let partitions = listed.partition_offsets.iter();
    let known = partitions
        .clone()
        .find(|known| known.partition == at.partition);
    let Some(known) = known else {
        let last = partitions.len().saturating_sub(1);
        return Ok(Err(Absence {
            state: RecordState::NoPartition,
            sentence: format!("Topic {} has partitions 0 to {last}.", at.topic),
            committed: None,
        }));
    };
    let mut end = known.high;
    if at.offset >= known.low
        && at.offset < known.high
        && let Some(message) = lookup::record_at(reader, at, timeout)?
    {
        return Ok(Ok(message));
    }
    let mut is_in_log = false;
    if at.offset >= known.low {
        let uncommitted = Reader::uncommitted(&config.kafka.reader(&config.group), &at.topic)
            .map_err(|error| SourceError::client(&config.kafka, error))?;
        let ends = lookup::ends(&uncommitted, &[at.partition], config.start_timeout)?;
        end = ends.get(&at.partition).copied().unwrap_or(end).max(end);
        if state::position(at.offset, known, end) == Position::Stable {
            let found = lookup::record_at(&uncommitted, at, timeout)?;
            is_in_log = found.is_some();
        }
    }
    let (state, sentence) = state::absent(at.offset, known, end, is_in_log);
    Ok(Err(Absence {
        state,
        sentence,
        committed: known.committed,
    }))
}
