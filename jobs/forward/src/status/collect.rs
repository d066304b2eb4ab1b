//! Reads the status of the group.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kafka::reader::{Reader, SourceError};
use kafka::scan::ScanEnd;
use offsets::window::{OffsetRange, WindowEnd, WindowStart};
use schema_registry::RegistryError;

use super::cli::StatusOptions;
use super::last_run::LastRun;
use super::outcome::StatusOutcome;
use super::report::{
    self, DeadLetterStatus, OldestRecord, PartitionStatus, PendingStatus, Progress, RouteStatus,
    StatusReport, VERSION,
};
use crate::dead_letters::LetterTopic;
use crate::job::Job;
use crate::lookup;
use crate::pipeline::{Destination, RecordRouter, age};
use crate::report::rfc3339;
use crate::route_config::RouteConfig;
use crate::run_report;
use crate::scope;
use crate::time_bound::TimeBound;

/// The dead letters of this time before now are counted.
const DEAD_LETTER_TIME: Duration = Duration::from_secs(24 * 3600);

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The broker failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The schema registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl StatusError {
    /// How the command ends.
    pub fn outcome(&self) -> StatusOutcome {
        StatusOutcome::Source
    }
}

/// The status of the job's group. Writes nothing, and joins no group.
///
/// # Errors
/// The broker failed; or with `by_route`, the schema registry.
pub fn status(
    job: &Job,
    options: &StatusOptions,
    now: SystemTime,
) -> Result<StatusReport, StatusError> {
    let config = &job.config;
    let reader = lookup::reader(config, &config.kafka.topic)?;
    let wait = lookup::wait(config.start_timeout);
    let listed = reader.list_offsets(&WindowStart::Committed, &WindowEnd::Now, &wait)?;
    let scope = scope::scope(
        &job.routes,
        &job.sources.schemas,
        &job.route_configs,
        &listed,
    );
    let partitions = listed.partition_offsets.iter();
    let mut progress: Vec<Progress> = partitions.map(|at| report::progress(at, &scope)).collect();
    let mut notes: Vec<String> = progress.iter().filter_map(|one| one.note.clone()).collect();
    let names = job.routes.names();
    let mut routes: Vec<RouteStatus> = names
        .zip(lookup::paused(job, &reader, now))
        .map(|(route, paused_until)| RouteStatus {
            route: route.to_owned(),
            paused_until,
            pending: None,
            oldest_age_seconds: None,
        })
        .collect();
    let end = read_oldest(&reader, &mut progress, options.timeout, now)?;
    let is_read = end != ScanEnd::TimedOut;
    if !is_read {
        notes.push(format!(
            "the oldest record of each partition was not read within {:?} (--timeout)",
            options.timeout
        ));
    }
    let pending = match options.by_route {
        true => Some(read_pending(
            job,
            &reader,
            &progress,
            &mut routes,
            options.timeout,
            now,
        )?),
        false => None,
    };
    let dead_letters = match read_dead_letters(job, options.timeout, now) {
        Ok(read) => Some(read),
        Err(error) => {
            notes.push(format!("the dead letters are not known: {error}"));
            None
        }
    };
    let last_run = match run_report::last(config, options.timeout) {
        Ok(found) => found.map(LastRun::from),
        Err(error) => {
            notes.push(format!("the last run is not known: {error}"));
            None
        }
    };
    let partitions: Vec<_> = progress.into_iter().map(|one| one.status).collect();
    let lag = partitions.iter().map(|one| one.lag).sum();
    let read = pending.filter(|pending| pending.complete);
    let counted = read.map_or(lag, |pending| pending.records);
    // A lag without a record consists of compacted or aborted records and of control records.
    let has_record = |one: &&PartitionStatus| one.lag > 0 && !(is_read && one.oldest.is_none());
    let ages = partitions.iter().filter(has_record);
    // `None` if one of them is not known.
    let ages: Option<Vec<u64>> = ages.map(|one| one.oldest?.age_seconds).collect();
    let is_age_known = ages.is_some();
    let oldest_age_seconds = ages.and_then(|ages| ages.into_iter().max());
    Ok(StatusReport {
        version: VERSION,
        topic: config.kafka.topic.clone(),
        group: config.group.clone(),
        time: rfc3339(now),
        lag,
        oldest_age_seconds,
        exceeded: report::exceeded(options.limits, counted, is_age_known, oldest_age_seconds),
        skew: report::skew(&partitions),
        partitions,
        routes,
        pending,
        last_run,
        dead_letters,
        notes,
    })
}

/// The offsets that are not completed, from the first to the end of each log.
fn ranges(progress: &[Progress]) -> Vec<OffsetRange> {
    let ranges = progress.iter().filter(|one| one.status.lag > 0);
    ranges
        .map(|one| OffsetRange {
            partition: one.status.partition,
            start: one.from,
            end: one.status.log_end,
        })
        .collect()
}

/// Reads the first record of each partition that is not completed.
fn read_oldest(
    reader: &Reader,
    progress: &mut [Progress],
    timeout: Duration,
    now: SystemTime,
) -> Result<ScanEnd, SourceError> {
    let ranges = ranges(progress);
    let mut first: BTreeMap<i32, OldestRecord> = BTreeMap::new();
    let end = reader.scan(&ranges, timeout, |record| {
        let timestamp = record.timestamp();
        first.entry(record.partition()).or_insert(OldestRecord {
            offset: record.offset(),
            timestamp,
            age_seconds: timestamp.map(|timestamp| age(timestamp, now).as_secs()),
        });
        match first.len() == ranges.len() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    for one in progress {
        one.status.oldest = first.get(&one.status.partition).copied();
    }
    Ok(end)
}

/// Reads and routes the records that are not completed.
fn read_pending(
    job: &Job,
    reader: &Reader,
    progress: &[Progress],
    routes: &mut [RouteStatus],
    timeout: Duration,
    now: SystemTime,
) -> Result<PendingStatus, StatusError> {
    for route in routes.iter_mut() {
        route.pending = Some(0);
    }
    let tombstone_route = RouteConfig::tombstone_route(&job.route_configs);
    let schemas = job.sources.schemas.clone();
    let mut router = RecordRouter::new(&job.config, &job.routes, tombstone_route, schemas);
    let topic: Arc<str> = Arc::from(job.config.kafka.topic.as_str());
    let (mut pending, mut failed) = (PendingStatus::default(), None);
    let end = reader.scan(&ranges(progress), timeout, |record| {
        let message = lookup::message(record, &topic);
        if let Err(error) = lookup::add_schema(router.schemas_mut(), job, &message) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        pending.read += 1;
        let mut of_partition = progress.iter();
        let map = of_partition
            .find(|one| one.status.partition == record.partition())
            .and_then(|one| one.map.as_ref());
        let is_completed = |class| map.is_some_and(|map| map.is_completed(class, record.offset()));
        match router.route_stored(message) {
            Destination::Skipped => pending.skipped += 1,
            Destination::DeadLetter(..) | Destination::Stopped => {
                let count = i64::from(!is_completed(routes.len()));
                pending.without_route += count;
                pending.records += count;
            }
            Destination::Route(class, message) if !is_completed(class) => {
                if let Some(route) = routes.get_mut(class) {
                    let timestamp = message.timestamp;
                    let age = timestamp.map(|timestamp| age(timestamp, now).as_secs());
                    pending.records += 1;
                    route.pending = route.pending.map(|count| count + 1);
                    route.oldest_age_seconds = route.oldest_age_seconds.max(age);
                }
            }
            Destination::Route(..) => {}
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    pending.complete = end == ScanEnd::Complete;
    Ok(pending)
}

/// Counts the dead letters of the topic's records.
fn read_dead_letters(
    job: &Job,
    timeout: Duration,
    now: SystemTime,
) -> Result<DeadLetterStatus, SourceError> {
    let mut status = DeadLetterStatus::default();
    let since = TimeBound::Ago(DEAD_LETTER_TIME).milliseconds(now);
    // Without a topic there are none.
    let Some(topic) = LetterTopic::open(&job.config, Some(since), timeout)? else {
        status.complete = true;
        return Ok(status);
    };
    let end = topic.each(&topic.ranges(), |letter| {
        if let Ok(letter) = letter
            && letter.origin.as_ref().map(|origin| &*origin.topic) == Some(&job.config.kafka.topic)
        {
            status.add(letter.cause, letter.route);
        }
        ControlFlow::Continue(())
    })?;
    status.complete = end != ScanEnd::TimedOut;
    Ok(status)
}
