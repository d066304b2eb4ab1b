//! Makes the plan of the window that a run would have now.

use std::collections::BTreeMap;
use std::time::SystemTime;

use kafka::list_offsets::TopicOffsets;
use kafka::reader::Reader;
use kafka::scan::ScanEnd;
use offsets::offset_map::{self, OffsetMap, Scope};
use offsets::window::{OffsetRange, WindowStart};

use super::applied::fingerprint;
use super::cli::PlanOptions;
use super::document::{PlanDocument, PlanProgress, PlannedPartition, PlannedRoute, VERSION};
use super::dry_read::DryRead;
use super::error::WindowPlanError;
use super::outcome::PlanOutcome;
use super::shard;
use crate::job::Job;
use crate::lookup;
use crate::plan::{self, PlannedWindow};
use crate::recreation;
use crate::report::rfc3339;
use crate::scope;

/// Plans the window of the settings. Writes nothing, and joins no group.
///
/// # Errors
/// The broker or the schema registry failed, records were lost, or the window does not fit the topic.
pub fn plan(
    job: &Job,
    options: &PlanOptions,
    now: SystemTime,
) -> Result<PlanDocument, WindowPlanError> {
    let config = &job.config;
    let reader = lookup::reader(config, &config.kafka.topic)?;
    let wait = lookup::wait(config.start_timeout);
    let listed = reader.list_offsets(&config.window_start, &config.window_end, &wait)?;
    let scope = scope::scope(
        &job.routes,
        &job.sources.schemas,
        &job.route_configs,
        &listed,
    );
    let record = match recreation::needs_record(config, &listed) {
        true => reader.topic_record(&config.dead_letter_topic, &wait)?,
        false => None,
    };
    let planned = plan::plan_window(config, &listed, record.as_ref(), &scope)?;
    let maps = maps(job, &listed, &planned, &scope);
    let mut document = document(job, &listed, &planned, &maps, &scope, now);
    read(job, &reader, options, &maps, &mut document)?;
    if let Some(shards) = options.shards {
        shard::divide(&mut document.partitions, shards);
        document.shards = Some(shards);
    }
    Ok(document)
}

impl PlanDocument {
    /// How the command ends.
    pub fn outcome(&self) -> PlanOutcome {
        match self.offsets > 0 {
            true => PlanOutcome::Planned,
            false => PlanOutcome::Empty,
        }
    }

    /// The plan as JSON, with a line for each member.
    pub fn json(&self) -> String {
        // Serializing it cannot fail: it has no maps with other keys than text.
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{json}\n")
    }
}

/// What the group has completed above its commits. Nothing if the plan is not of its own window.
fn maps(
    job: &Job,
    listed: &TopicOffsets,
    planned: &PlannedWindow,
    scope: &Scope,
) -> BTreeMap<i32, OffsetMap> {
    if job.config.window_start != WindowStart::Committed {
        return BTreeMap::new();
    }
    let partitions = listed.partition_offsets.iter();
    let maps = partitions.filter_map(|at| {
        let map = offset_map::decode(&at.metadata, at.committed?, scope).ok()?;
        let is_ignored = planned.window.truncated.contains(&at.partition);
        (!is_ignored).then_some((at.partition, map))
    });
    maps.collect()
}

fn document(
    job: &Job,
    listed: &TopicOffsets,
    planned: &PlannedWindow,
    maps: &BTreeMap<i32, OffsetMap>,
    scope: &Scope,
    now: SystemTime,
) -> PlanDocument {
    let partition = |range: &OffsetRange| {
        let mut offsets = listed.partition_offsets.iter();
        let at = offsets.find(|at| at.partition == range.partition);
        let map = maps.get(&range.partition);
        PlannedPartition {
            partition: range.partition,
            start: range.start,
            end: range.end,
            leader_epoch: listed.leader_epochs.get(&range.partition).copied(),
            log_start: at.map_or(range.start, |at| at.low),
            committed: at.and_then(|at| at.committed),
            completed: map.map_or(Vec::new(), |map| {
                map.completed_ranges(range.start, range.end)
            }),
            first_timestamp: None,
            last_timestamp: None,
            shard: None,
        }
    };
    let partitions: Vec<_> = planned.window.ranges.iter().map(partition).collect();
    let mut notes: Vec<String> = [&planned.data_loss, &planned.early_end]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    if planned.window.capped {
        notes.push("WINDOW_MAX_RECORDS ends the window before the end of the log".to_owned());
    }
    let routes = job.route_configs.iter().map(|route| PlannedRoute {
        route: route.name.clone(),
        url: route.printed_url(),
        records: None,
    });
    PlanDocument {
        version: VERSION,
        created: rfc3339(now),
        cluster: listed.stream.cluster.clone(),
        topic: job.config.kafka.topic.clone(),
        topic_id: listed.topic_id.clone(),
        topic_partitions: i32::try_from(listed.partition_offsets.len()).unwrap_or(i32::MAX),
        group: job.config.group.clone(),
        progress: match job.config.window_start {
            WindowStart::Committed => PlanProgress::Group,
            _ => PlanProgress::Plan,
        },
        routes_fingerprint: fingerprint(scope),
        shards: None,
        offsets: partitions.iter().map(PlannedPartition::offsets).sum(),
        partitions,
        routes: routes.collect(),
        schemas: Vec::new(),
        expected: None,
        notes,
    }
}

/// Reads records of the window, and adds what they show.
fn read(
    job: &Job,
    reader: &Reader,
    options: &PlanOptions,
    maps: &BTreeMap<i32, OffsetMap>,
    document: &mut PlanDocument,
) -> Result<(), WindowPlanError> {
    let partitions = document.partitions.iter();
    let ranges: Vec<OffsetRange> = partitions
        .filter(|one| one.start < one.end)
        .map(|one| OffsetRange {
            partition: one.partition,
            start: one.start,
            end: one.end,
        })
        .collect();
    let mut read = DryRead::new(job);
    let end = match options.count {
        true => read.count(reader, &ranges, maps, options.timeout)?,
        false => read.read_ends(reader, &ranges, options.timeout)?,
    };
    read.add_to(document, options.count);
    if end == ScanEnd::TimedOut {
        document.notes.push(format!(
            "the records were not all read within {:?} (--timeout)",
            options.timeout
        ));
    }
    Ok(())
}
