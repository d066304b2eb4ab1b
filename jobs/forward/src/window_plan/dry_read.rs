//! Reads records of the window: timestamps, schemas, and what a run would do with them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kafka::reader::{Reader, SourceError};
use kafka::scan::ScanEnd;
use offsets::offset_map::OffsetMap;
use offsets::window::OffsetRange;
use record::Message;

use super::document::{ExpectedCounts, PlanDocument, PlannedSchema};
use super::error::DryReadError;
use crate::explain;
use crate::job::Job;
use crate::lookup;
use crate::pipeline::{Destination, RecordRouter};
use crate::route_config::RouteConfig;

/// The last record of a partition is searched in this many offsets. Others than records are compacted or aborted ones and
/// transaction markers.
const LAST_OFFSETS: i64 = 10;

/// The most schemas of a plan.
const MAX_SCHEMAS: usize = 1_000;

/// What was read of the window.
pub(crate) struct DryRead<'j> {
    job: &'j Job,
    topic: Arc<str>,
    router: RecordRouter<'j>,
    /// The first and the last timestamp of each partition.
    timestamps: BTreeMap<i32, (Option<i64>, Option<i64>)>,
    schemas: BTreeSet<PlannedSchema>,
    counts: ExpectedCounts,
    /// The records of each route.
    records: Vec<i64>,
}

impl<'j> DryRead<'j> {
    pub(crate) fn new(job: &'j Job) -> Self {
        let tombstone_route = RouteConfig::tombstone_route(&job.route_configs);
        let schemas = job.sources.schemas.clone();
        Self {
            job,
            topic: Arc::from(job.config.kafka.topic.as_str()),
            router: RecordRouter::new(&job.config, &job.routes, tombstone_route, schemas),
            timestamps: BTreeMap::new(),
            schemas: BTreeSet::new(),
            counts: ExpectedCounts::default(),
            records: vec![0; job.route_configs.len()],
        }
    }

    /// Reads the first and the last record of each range.
    ///
    /// # Errors
    /// The broker or the schema registry failed.
    pub(super) fn read_ends(
        &mut self,
        reader: &Reader,
        ranges: &[OffsetRange],
        timeout: Duration,
    ) -> Result<ScanEnd, DryReadError> {
        let mut unread: BTreeSet<i32> = ranges.iter().map(|range| range.partition).collect();
        let first = self.scan(reader, ranges, timeout, |read, message| {
            if unread.remove(&message.at.partition) {
                read.add(message)?;
            }
            Ok(match unread.is_empty() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        self.forget_last();
        if first == ScanEnd::TimedOut {
            return Ok(first);
        }
        let last: Vec<OffsetRange> = ranges
            .iter()
            .map(|range| OffsetRange {
                start: range.start.max(range.end - LAST_OFFSETS),
                ..range.clone()
            })
            .collect();
        let last = self.scan(reader, &last, timeout, |read, message| {
            read.add(message)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if last == ScanEnd::TimedOut {
            self.forget_last();
        }
        Ok(last)
    }

    /// Reads and routes all records of the ranges. `maps`: what is completed above the commits.
    ///
    /// # Errors
    /// The broker or the schema registry failed.
    pub(crate) fn count(
        &mut self,
        reader: &Reader,
        ranges: &[OffsetRange],
        maps: &BTreeMap<i32, OffsetMap>,
        timeout: Duration,
    ) -> Result<ScanEnd, DryReadError> {
        let end = self.scan(reader, ranges, timeout, |read, message| {
            read.add(message)?;
            read.route(message, maps.get(&message.at.partition));
            Ok(ControlFlow::Continue(()))
        })?;
        self.counts.complete = end == ScanEnd::Complete;
        if !self.counts.complete {
            self.forget_last();
        }
        Ok(end)
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> ExpectedCounts {
        self.counts
    }

    /// The number of counted records that are not completed, and that a run does not skip.
    pub(crate) fn not_completed(&self) -> i64 {
        self.records.iter().sum::<i64>() + self.counts.without_route
    }

    /// Adds what was read to the plan. `has_counts`: whether all records were to be read.
    pub(super) fn add_to(self, plan: &mut PlanDocument, has_counts: bool) {
        for one in &mut plan.partitions {
            if let Some((first, last)) = self.timestamps.get(&one.partition) {
                (one.first_timestamp, one.last_timestamp) = (*first, *last);
            }
        }
        plan.schemas = self.schemas.into_iter().collect();
        if has_counts {
            for (route, records) in plan.routes.iter_mut().zip(self.records) {
                route.records = Some(records);
            }
            plan.expected = Some(self.counts);
        }
    }

    fn scan(
        &mut self,
        reader: &Reader,
        ranges: &[OffsetRange],
        timeout: Duration,
        mut visit: impl FnMut(&mut Self, &Message) -> Result<ControlFlow<()>, DryReadError>,
    ) -> Result<ScanEnd, DryReadError> {
        let mut failed = None;
        let end: Result<ScanEnd, SourceError> = reader.scan(ranges, timeout, |record| {
            let message = lookup::message(record, &self.topic);
            match visit(self, &message) {
                Ok(flow) => flow,
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(end?),
        }
    }

    /// The records that were read last are not the last ones of their partitions.
    fn forget_last(&mut self) {
        for (_, last) in self.timestamps.values_mut() {
            *last = None;
        }
    }

    /// Adds timestamp and schema of a record.
    fn add(&mut self, message: &Message) -> Result<(), DryReadError> {
        let of_partition = self.timestamps.entry(message.at.partition);
        let (first, last) = of_partition.or_insert((message.timestamp, None));
        if first.is_none() {
            *first = message.timestamp;
        }
        *last = message.timestamp.or(*last);
        let schemas = self.router.schemas_mut();
        lookup::add_schema(schemas, self.job, message)?;
        if self.schemas.len() < MAX_SCHEMAS
            && let Some(schema) = explain::schema(message, schemas)
        {
            self.schemas.insert(PlannedSchema {
                name: schema.name,
                fingerprint: schema.fingerprint,
                registered: schema.registered,
            });
        }
        Ok(())
    }

    /// Counts a record.
    fn route(&mut self, message: &Message, map: Option<&OffsetMap>) {
        let offset = message.at.offset;
        let is_completed = |class| map.is_some_and(|map| map.is_completed(class, offset));
        self.counts.read += 1;
        let class = match self.router.route_stored(message.clone()) {
            Destination::Skipped => {
                self.counts.skipped += 1;
                return;
            }
            Destination::DeadLetter(..) | Destination::Stopped => self.records.len(),
            Destination::Route(class, _) => class,
        };
        let count = match self.records.get_mut(class) {
            _ if is_completed(class) => &mut self.counts.already_completed,
            Some(count) => count,
            None => &mut self.counts.without_route,
        };
        *count += 1;
    }
}
