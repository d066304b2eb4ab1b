//! Plans the window of a run: from the offsets of the log and the commits, which offsets are read. Pure.

use std::collections::BTreeMap;

use crate::settings::{WINDOW_END, WINDOW_START};
use kafka::list_offsets::TopicOffsets;
use offsets::offset_map::{self, InvalidMetadata, OffsetMap, Scope};
use offsets::topic_record::TopicRecord;
use offsets::window::{PartitionOffsets, Window, WindowEnd, WindowStart};

use crate::config::{Config, OnDataLoss};
use crate::recreation;
use crate::window_plan::mismatch::PlanMismatch;

/// Why the window cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Records were deleted before they were read, or the topic was, and `ON_DATA_LOSS=stop`.
    #[error("{0}. ON_DATA_LOSS=continue goes on without them")]
    DataLoss(String),
    /// A setting that does not fit the topic.
    #[error("{0}")]
    Setting(String),
    /// The plan that the run executes does not fit.
    #[error(transparent)]
    Mismatch(#[from] PlanMismatch),
}

/// A planned window.
pub struct PlannedWindow {
    /// The window of every partition.
    pub window: Window,
    /// What was deleted before it was read: records, or the topic; `None` if nothing.
    pub data_loss: Option<String>,
    /// `WINDOW_END` is beyond the end of the log; `None` if it is not.
    pub early_end: Option<String>,
}

/// Plans the window that `config` asks for. `record` is the group's topic record, if [`recreation::needs_record`].
///
/// # Errors
/// A setting does not fit the topic ([`check_bounds`]); records were deleted before they were read, or the topic was, and
/// `ON_DATA_LOSS=stop`.
pub fn plan_window(
    config: &Config,
    topic: &TopicOffsets,
    record: Option<&TopicRecord>,
    scope: &Scope,
) -> Result<PlannedWindow, PlanError> {
    let partitions = &topic.partition_offsets;
    let early_end = check_bounds(config, partitions)?;
    let mut window = Window::plan(
        partitions,
        &completed(config, partitions, scope),
        &config.window_start,
        &config.window_end,
        config.records,
    );
    let recreated = recreation::describe(topic.topic_id.as_deref(), record);
    let data_loss = find_data_loss(config, partitions, recreated, scope, &mut window);
    match (data_loss, config.on_data_loss) {
        (Some(loss), OnDataLoss::Stop) => Err(PlanError::DataLoss(loss)),
        (data_loss, _) => Ok(PlannedWindow {
            window,
            data_loss,
            early_end,
        }),
    }
}

/// Checks `WINDOW_START` and `WINDOW_END` against the topic. Returns a sentence if the end is beyond the log's end.
///
/// # Errors
/// A bound names a partition that the topic does not have, or the start is beyond the log's end. Such a window would be
/// empty, and look like success.
pub fn check_bounds(
    config: &Config,
    partitions: &[PartitionOffsets],
) -> Result<Option<String>, PlanError> {
    check_partitions(config, partitions)?;
    if let Some(beyond) = start_beyond_log(&config.window_start, partitions) {
        return Err(PlanError::Setting(format!("WINDOW_START is {beyond}")));
    }
    Ok(end_beyond_log(&config.window_end, partitions)
        .map(|beyond| format!("WINDOW_END is {beyond}: the window ends at the end of the log")))
}

fn start_beyond_log(start: &WindowStart, partitions: &[PartitionOffsets]) -> Option<String> {
    match start {
        WindowStart::Committed | WindowStart::Earliest => None,
        WindowStart::Time(_) => later_than_all(partitions, |partition| partition.start_time_offset),
        WindowStart::Offsets(offsets) => beyond_ends(offsets, partitions),
    }
}

fn end_beyond_log(end: &WindowEnd, partitions: &[PartitionOffsets]) -> Option<String> {
    match end {
        WindowEnd::Now => None,
        WindowEnd::Time(_) => later_than_all(partitions, |partition| partition.end_time_offset),
        WindowEnd::Offsets(offsets) => beyond_ends(offsets, partitions),
    }
}

/// `at`: the offset of the first record with the time or a later one. A topic without records has no last record.
fn later_than_all(
    partitions: &[PartitionOffsets],
    at: impl Fn(&PartitionOffsets) -> Option<i64>,
) -> Option<String> {
    let has_records = partitions
        .iter()
        .any(|partition| partition.low < partition.high);
    let is_later = partitions.iter().all(|partition| at(partition).is_none());
    (has_records && is_later).then(|| "later than the last record of every partition".to_owned())
}

fn beyond_ends(named: &BTreeMap<i32, i64>, partitions: &[PartitionOffsets]) -> Option<String> {
    let ends: Vec<String> = partitions
        .iter()
        .filter(|at| {
            named
                .get(&at.partition)
                .is_some_and(|named| *named > at.high)
        })
        .map(|at| format!("{} of partition {}", at.high, at.partition))
        .collect();
    (!ends.is_empty()).then(|| format!("beyond the end of the log, offset {}", ends.join(", ")))
}

fn check_partitions(config: &Config, partitions: &[PartitionOffsets]) -> Result<(), PlanError> {
    for (setting, named) in [
        (&WINDOW_START, config.window_start.partitions()),
        (&WINDOW_END, config.window_end.partitions()),
    ] {
        let exists = |named: &i32| partitions.iter().any(|known| known.partition == *named);
        if let Some(partition) = named.into_iter().find(|named| !exists(named)) {
            return Err(PlanError::Setting(format!(
                "{} names partition {partition}, and {} has partitions 0 to {}",
                setting.variable(),
                config.kafka.topic,
                partitions.len().saturating_sub(1)
            )));
        }
    }
    Ok(())
}

/// What earlier runs have completed beyond the commit of each partition, as far as the commit's metadata is valid.
fn completed(
    config: &Config,
    partitions: &[PartitionOffsets],
    scope: &Scope,
) -> BTreeMap<i32, OffsetMap> {
    if config.window_start != WindowStart::Committed {
        return BTreeMap::new();
    }
    let maps = partitions.iter().filter_map(|at| {
        let map = offset_map::decode(&at.metadata, at.committed?, scope).ok()?;
        Some((at.partition, map))
    });
    maps.collect()
}

/// Describes what was deleted before it was read. A partition whose topic was deleted and created again is read from its
/// start.
fn find_data_loss(
    config: &Config,
    partitions: &[PartitionOffsets],
    recreated: Option<String>,
    scope: &Scope,
    window: &mut Window,
) -> Option<String> {
    let mut losses: Vec<String> = window
        .data_losses
        .iter()
        .map(|loss| format!("partition {}: {}", loss.partition, loss.message))
        .collect();
    let mut is_counted = recreated.is_none();
    let from_commit = config.window_start == WindowStart::Committed;
    for offsets in partitions.iter().filter(|_| from_commit) {
        let Some(committed) = offsets.committed else {
            continue;
        };
        if offset_map::decode(&offsets.metadata, committed, scope)
            == Err(InvalidMetadata::TopicMismatch)
        {
            is_counted = false;
            losses.push(format!(
                "partition {}: the commit at {committed} belongs to another topic of this name, which was deleted; \
                 its unread records are lost, and {} offsets of the new topic are below the commit",
                offsets.partition,
                committed.min(offsets.high) - offsets.low,
            ));
            window.restart(offsets, committed, &config.window_end);
        }
    }
    let records = window.data_losses.iter().map(|loss| loss.records).sum();
    describe(recreated, losses, is_counted.then_some(records))
}

/// One text about all losses. `records`: their number, `None` if it is unknown.
fn describe(
    recreated: Option<String>,
    losses: Vec<String>,
    records: Option<i64>,
) -> Option<String> {
    if losses.is_empty() {
        return recreated;
    }
    let losses: Vec<String> = recreated.into_iter().chain(losses).collect();
    let number = match records {
        // A log that was truncated shows no number either.
        None | Some(0) => "an unknown number of records was".to_owned(),
        Some(records) => format!("{records} records were"),
    };
    Some(format!(
        "{number} lost before this run read them: {}",
        losses.join("; ")
    ))
}

#[cfg(test)]
mod tests;
