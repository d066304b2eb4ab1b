//! Reads the offsets of the group, and moves them.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use kafka::list_offsets::TopicOffsets;
use kafka::member::Commit;
use kafka::reader::Reader;
use offsets::offset_map::OffsetMap;
use offsets::window::{OffsetRange, PartitionOffsets, WindowEnd};

use super::cli::ResetOptions;
use super::error::ResetError;
use super::movement::Movement;
use super::report::{ResetRecords, ResetReport, VERSION};
use crate::job::Job;
use crate::lookup;
use crate::recreation;
use crate::report::rfc3339;
use crate::scope;
use crate::single_run::list;
use crate::status;
use crate::window_plan::DryRead;

/// Moves the commits of the job's group, or shows what that does.
///
/// # Errors
/// The broker or the schema registry failed, a run is live, or there is no such partition or offset. Nothing was changed,
/// except if the broker failed to commit.
pub fn reset(
    job: &Job,
    options: &ResetOptions,
    now: SystemTime,
) -> Result<ResetReport, ResetError> {
    let config = &job.config;
    let reader = lookup::reader(config, &config.kafka.topic)?;
    let wait = lookup::wait(config.start_timeout);
    // The members first: a run that ends meanwhile has moved the commits before they are read.
    let members = reader.group_members(&config.group, config.start_timeout);
    let members = members.unwrap_or_default();
    if options.yes && !members.is_empty() {
        return Err(ResetError::ConcurrentRun {
            group: config.group.clone(),
            members: list(&members),
        });
    }
    let start = options.target.window_start(now);
    let listed = reader.list_offsets(&start, &WindowEnd::Now, &wait)?;
    let scope = scope::scope(
        &job.routes,
        &job.sources.schemas,
        &job.route_configs,
        &listed,
    );
    let mut notes = Vec::new();
    if !members.is_empty() {
        notes.push(format!(
            "a run is live in the group, so --yes would be refused, and the numbers change: {}",
            list(&members)
        ));
    }
    let record = reader.topic_record(&config.dead_letter_topic, &wait)?;
    notes.extend(recreation::describe(
        listed.topic_id.as_deref(),
        record.as_ref(),
    ));
    let mut movements = Vec::new();
    for at in selected(&listed, options.partition, &config.kafka.topic)? {
        let to = options.target.offset(at)?;
        let mut progress = status::progress(at, &scope);
        notes.extend(progress.note.take());
        movements.push(Movement::new(progress, to));
    }
    if options.count {
        count(job, &reader, options, &mut movements)?;
    }
    let routes = job.route_configs.len();
    let commits = movements.iter();
    let commits: Vec<Commit> = commits
        .filter_map(|one| one.commit(routes, &scope))
        .collect();
    let applied = options.yes && !commits.is_empty();
    if applied {
        reader.commit_without_members(&commits)?;
    }
    let partitions: Vec<_> = movements.into_iter().map(|one| one.reset).collect();
    Ok(ResetReport {
        version: VERSION,
        topic: config.kafka.topic.clone(),
        group: config.group.clone(),
        time: rfc3339(now),
        applied,
        skipped: partitions.iter().map(|one| one.skipped).sum(),
        repeated: partitions.iter().map(|one| one.repeated).sum(),
        partitions,
        notes,
    })
}

/// The partitions whose commits are moved.
fn selected<'l>(
    listed: &'l TopicOffsets,
    partition: Option<i32>,
    topic: &str,
) -> Result<Vec<&'l PartitionOffsets>, ResetError> {
    let all = listed.partition_offsets.iter();
    let is_selected = |at: &&PartitionOffsets| partition.is_none_or(|one| one == at.partition);
    let selected: Vec<_> = all.filter(is_selected).collect();
    match partition {
        Some(partition) if selected.is_empty() => Err(ResetError::Partition {
            topic: topic.to_owned(),
            partition,
            last: listed.partition_offsets.len().saturating_sub(1),
        }),
        _ => Ok(selected),
    }
}

/// Reads and routes what is skipped or repeated.
fn count(
    job: &Job,
    reader: &Reader,
    options: &ResetOptions,
    movements: &mut [Movement],
) -> Result<(), ResetError> {
    let end = Instant::now() + options.timeout;
    for movement in movements {
        let reset = &mut movement.reset;
        if reset.skipped == 0 && reset.repeated == 0 {
            continue;
        }
        // Below the commit, everything is completed.
        let map = movement.map.clone();
        let map = map
            .unwrap_or_else(|| OffsetMap::without_gaps(movement.from, job.route_configs.len() + 1));
        let is_forwards = reset.to >= movement.from;
        let range = OffsetRange {
            partition: reset.partition,
            start: movement.from.min(reset.to),
            end: match is_forwards {
                true => reset.to,
                false => map.scanned.min(reset.log_end),
            },
        };
        let maps = BTreeMap::from([(reset.partition, map)]);
        let mut read = DryRead::new(job);
        let left = end.saturating_duration_since(Instant::now());
        read.count(reader, &[range], &maps, left)?;
        let counts = read.counts();
        reset.records = Some(match is_forwards {
            true => ResetRecords {
                complete: counts.complete,
                skipped: read.not_completed(),
                repeated: 0,
            },
            false => ResetRecords {
                complete: counts.complete,
                skipped: 0,
                repeated: counts.already_completed,
            },
        });
    }
    Ok(())
}
