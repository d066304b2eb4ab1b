//! Plans the window of a run: from the offsets of the log and the commits, which offsets are read. Pure.

use std::collections::BTreeMap;

use crate::settings::{WINDOW_END, WINDOW_START};
use kafka::list_offsets::TopicOffsets;
use offsets::offset_map::{self, InvalidMetadata, OffsetMap, Scope};
use offsets::window::{PartitionOffsets, Window, WindowStart};

use crate::config::{Config, OnDataLoss};

/// Why the window cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Records were deleted before they were read, and `ON_DATA_LOSS=stop`.
    #[error("{0}. ON_DATA_LOSS=continue goes on without them")]
    DataLoss(String),
    /// A setting that does not fit the topic.
    #[error("{0}")]
    Setting(String),
}

/// A planned window.
pub struct PlannedWindow {
    /// The window of every partition.
    pub window: Window,
    /// The records that were deleted before they were read; `None` if there are none.
    pub data_loss: Option<String>,
}

/// Plans the window that `config` asks for.
///
/// # Errors
/// A setting names a partition that the topic does not have; records were deleted before they were read, and
/// `ON_DATA_LOSS=stop`.
pub fn plan_window(
    config: &Config,
    topic: &TopicOffsets,
    scope: &Scope,
) -> Result<PlannedWindow, PlanError> {
    let partitions = &topic.partition_offsets;
    check_partitions(config, partitions)?;
    let mut window = Window::plan(
        partitions,
        &completed(config, partitions, scope),
        &config.window_start,
        &config.window_end,
        config.records,
    );
    let data_loss = find_data_loss(config, partitions, scope, &mut window);
    match (data_loss, config.on_data_loss) {
        (Some(loss), OnDataLoss::Stop) => Err(PlanError::DataLoss(loss)),
        (data_loss, _) => Ok(PlannedWindow { window, data_loss }),
    }
}

/// A window of partitions that the topic does not have would be empty, and look like success.
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

/// Describes the records that were deleted before they were read. A partition whose topic was deleted and created again
/// is read from its start.
fn find_data_loss(
    config: &Config,
    partitions: &[PartitionOffsets],
    scope: &Scope,
    window: &mut Window,
) -> Option<String> {
    let mut losses: Vec<String> = window
        .data_losses
        .iter()
        .map(|loss| format!("partition {}: {}", loss.partition, loss.message))
        .collect();
    let from_commit = config.window_start == WindowStart::Committed;
    for offsets in partitions.iter().filter(|_| from_commit) {
        let Some(committed) = offsets.committed else {
            continue;
        };
        if offset_map::decode(&offsets.metadata, committed, scope)
            == Err(InvalidMetadata::TopicMismatch)
        {
            losses.push(format!(
                "partition {}: the commit at {committed} belongs to another topic of this name, which was deleted; \
                 its unread records are lost, and {} offsets of the new topic are below the commit",
                offsets.partition,
                committed.min(offsets.high) - offsets.low,
            ));
            window.restart(offsets.partition, committed, offsets.low, offsets.high);
        }
    }
    if losses.is_empty() {
        return None;
    }
    let records: i64 = window.data_losses.iter().map(|loss| loss.records).sum();
    Some(format!(
        "{records} records were lost before this run read them: {}",
        losses.join("; ")
    ))
}
