//! Turns what a run has found into its report, whatever way the run ended.

use std::time::{Duration, SystemTime};

use crate::config::Config;
use crate::exit::Facts;
use crate::report::{self, Identity, Latency, PartitionReport, RouteReport, RunReport};
use crate::route_config::RouteConfig;
use crate::run::Failure;
use crate::scan::{Scan, Stop};
use delivery::target::Target;
use kafka::reader::{Reader, TopicOffsets};
use offsets::window::Window;

/// How long the broker may take to tell where things stand after a run; the report is not worth more.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a run has found out so far.
pub(crate) struct ReportBuilder {
    pub(crate) identity: Identity,
    pub(crate) notes: Vec<String>,
    partitions: Vec<PartitionReport>,
    routes: Vec<RouteReport>,
    facts: Facts,
}

impl ReportBuilder {
    /// Nothing yet.
    pub(crate) fn new(run: &str, config: &Config, routes: &[RouteConfig], dry_run: bool) -> Self {
        let idle = |route: &RouteConfig| RouteReport {
            route: route.name.clone(),
            // As a target prints: a query may hold a key.
            url: Target::parse(&route.url)
                .map_or_else(|_| String::new(), |target| target.to_string()),
            ..RouteReport::default()
        };
        Self {
            identity: Identity {
                run: run.to_owned(),
                cluster: config.kafka.bootstrap.clone(),
                topic: config.kafka.topic.clone(),
                topic_id: None,
                group: config.group.clone(),
            },
            notes: Vec::new(),
            partitions: Vec::new(),
            routes: routes.iter().map(idle).collect(),
            facts: Facts {
                dry_run,
                ..Facts::default()
            },
        }
    }

    /// The window holds nothing.
    pub(crate) fn nothing_to_do(&mut self, list_offsets: &TopicOffsets, window: &Window) {
        for range in &window.ranges {
            let Some(offsets) = list_offsets
                .partition_offsets
                .iter()
                .find(|known| known.partition == range.partition)
            else {
                continue;
            };
            let committed = offsets.committed.unwrap_or(offsets.low);
            self.partitions.push(PartitionReport {
                partition: range.partition,
                start: range.start,
                end: range.end,
                committed,
                lag_before: offsets.high - committed,
                lag_after: offsets.high - committed,
                ..PartitionReport::default()
            });
        }
    }

    /// Takes over everything that the scan has counted.
    pub(crate) fn take(
        &mut self,
        reader: &Reader,
        list_offsets: &TopicOffsets,
        window: &Window,
        scan: &Scan<'_>,
    ) {
        let ours: Vec<i32> = scan.parts.keys().copied().collect();
        let ends = reader.ends(&ours, PATIENCE);
        let is_there = ends.is_ok();
        let ends = ends.unwrap_or_default();
        for (partition, part) in &scan.parts {
            let Some(offsets) = list_offsets
                .partition_offsets
                .iter()
                .find(|known| known.partition == *partition)
            else {
                continue;
            };
            let before = offsets.committed.unwrap_or(offsets.low).max(offsets.low);
            let committed = part.committed.unwrap_or(offsets.low);
            let end = ends
                .iter()
                .find(|(known, _)| known == partition)
                .map_or(offsets.high, |(_, end)| *end);
            let counters = &part.counters;
            self.partitions.push(PartitionReport {
                partition: *partition,
                start: counters.range.start,
                end: counters.range.end,
                planned: counters.planned(),
                delivered: counters.delivered,
                skipped: counters.skipped,
                dead_lettered: counters.dead_lettered,
                already_completed: counters.already_completed,
                deferred: counters.deferred(),
                empty_offsets: counters.empty_offsets,
                committed,
                lag_before: (offsets.high - before).max(0),
                lag_after: (end - committed).max(0),
            });
        }
        for (index, (route, counters)) in self.routes.iter_mut().zip(&scan.routes).enumerate() {
            route.matched = counters.matched;
            route.delivered = counters.delivered;
            route.dead_lettered = counters.dead_lettered;
            route.deferred = counters.open;
            let Some(delivery) = scan.delivery() else {
                continue;
            };
            let statistics = delivery.statistics(index);
            route.attempts = statistics.attempts;
            route.timeouts = statistics.timeouts;
            route.connection_errors = statistics.connection_errors;
            route.latency_ms = Latency::new(statistics.p50(), statistics.p99(), statistics.max());
            if let Some(reason) = &scan.given_up[index] {
                self.notes
                    .push(format!("route {} was deferred: {reason}", route.route));
            }
            let is_left = scan.parts.values().any(|part| part.is_left_by(index));
            if is_left && (scan.stop.is_none() || scan.given_up[index].is_some()) {
                route.state = report::RouteEnd::Deferred;
            }
            route.statuses = statistics.statuses;
        }
        self.judge(window, scan);
        // A broker that is away is not asked twice: the run may have a deadline.
        if is_there {
            self.check_metadata(reader, scan, &ours);
        }
    }

    fn judge(&mut self, window: &Window, scan: &Scan<'_>) {
        self.notes.extend(scan.notes.iter().cloned());
        if scan.dead_letters_failed > 0 {
            self.facts.source_failed = true;
            self.notes.push(format!(
                "{} dead letters were not acknowledged; their records stay for the next run",
                scan.dead_letters_failed
            ));
        }
        let bound = match (scan.bounded, window.capped) {
            (true, _) => Some("WINDOW_MAX_BYTES"),
            (false, true) => Some("WINDOW_MAX_RECORDS"),
            (false, false) => None,
        };
        if let Some(bound) = bound {
            self.facts.bounded = true;
            self.notes.push(format!(
                "{bound} ended the window before the end of the log"
            ));
        }
        let Some(stop) = &scan.stop else { return };
        let told = match stop {
            Stop::Deadline => "DEADLINE ended the run before its window".to_owned(),
            Stop::Shutdown => "a signal ended the run before its window".to_owned(),
            Stop::ConcurrentRun(what) => {
                self.facts.concurrent_run = true;
                format!("another run has taken over: {what}")
            }
            Stop::DeadLetterThreshold(what) | Stop::Unmatched(what) => {
                self.facts.dead_letter_threshold = true;
                what.clone()
            }
            Stop::Source(what) => {
                self.facts.source_failed = true;
                what.clone()
            }
            Stop::DataLoss(what) => {
                self.facts.data_loss = true;
                what.clone()
            }
        };
        tracing::warn!(run = self.identity.run, "{told}");
        self.notes.push(told);
    }

    /// A broker that drops commit metadata is noticed here; what it costs is repeats after a route was left.
    fn check_metadata(&mut self, reader: &Reader, scan: &Scan<'_>, ours: &[i32]) {
        if !scan.parts.values().any(|part| part.has_gaps()) {
            return;
        }
        let Ok(committed) = reader.committed(ours, PATIENCE) else {
            return;
        };
        let dropped = committed.iter().any(|(partition, offset, metadata)| {
            let part = scan.parts.get(partition);
            offset.is_some()
                && metadata.is_empty()
                && part.is_some_and(|part| part.has_gaps() && part.committed == *offset)
        });
        if dropped {
            let told = "this broker keeps no metadata beside commits: the next run sends everything beyond the commit again, \
                        with the same idempotency keys";
            tracing::warn!(run = self.identity.run, "{told}");
            self.notes.push(told.to_owned());
            return;
        }
        for (partition, class, offset) in scan.forgotten() {
            let whose = match self.routes.get(class) {
                Some(route) => format!("what went to route {}", route.route),
                None => "dead letters".to_owned(),
            };
            self.notes.push(format!(
                "partition {partition} has more gaps than a commit has room for: from offset {offset} on the next run \
                 sends some of {whose} again, with the same idempotency keys"
            ));
        }
    }

    /// The run ended before it had anything to count.
    pub(crate) fn blame(&mut self, failure: &Failure) {
        match failure {
            Failure::Source(_) => self.facts.source_failed = true,
            Failure::Fenced(fenced) if fenced.is_the_brokers_fault() => {
                self.facts.source_failed = true
            }
            Failure::Fenced(_) => self.facts.concurrent_run = true,
            Failure::DataLoss(_) => self.facts.data_loss = true,
            Failure::Setting(_) => self.facts.setting = true,
            Failure::Cancelled => self.facts.bounded = true,
            Failure::Delivery(_) | Failure::Thread(_) => self.facts.internal = true,
        }
        self.notes.push(failure.to_string());
    }

    /// The report.
    pub(crate) fn report(self, started: SystemTime, took: Duration) -> RunReport {
        RunReport::new(
            self.identity,
            started,
            took,
            self.partitions,
            self.routes,
            self.notes,
            self.facts,
        )
    }
}
