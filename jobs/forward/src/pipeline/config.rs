//! The settings of a pipeline, as values.

use std::time::{Duration, Instant};

use offsets::offset_map::Scope;

use crate::config::{DeliverySchema, Unmatched};

/// The settings of a pipeline.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// What happens to a record that no route matches.
    pub unmatched: Unmatched,
    /// True: a record without a value is a dead letter. False: it is skipped.
    pub tombstones_are_dead_letters: bool,
    /// The route that takes records without a value instead.
    pub tombstone_route: Option<usize>,
    /// The schema of the datums that endpoints receive.
    pub delivery_schema: DeliverySchema,
    /// The most bytes of values that the window holds. A window holds one record at least, however large.
    pub max_bytes: Option<u64>,
    /// The share of dead letters among the records at which the run stops.
    pub dead_letter_max_ratio: f64,
    /// The number of dead letters from which the share counts.
    pub dead_letter_min_count: u64,
    /// The most dead letters of records without a route that are sent and not committed.
    pub max_uncommitted_dead_letters: usize,
    /// How long the log may return nothing before the window's end, and how long commits may stay without an
    /// acknowledgement, before the run stops.
    pub silence_timeout: Duration,
    /// How long requests in flight may take when the run stops.
    pub shutdown_timeout: Duration,
    /// How long requests in flight may take when their partition is revoked. As long as any request may take: another
    /// run gets the partition and would send what is unfinished a second time.
    pub handover_timeout: Duration,
    /// How old a record may be before it is a dead letter because its endpoint does not accept it; `None`: never.
    pub give_up_after: Option<Duration>,
    /// The deadlines of a run with `DEADLINE`.
    pub deadlines: Option<Deadlines>,
    /// The scope of the offset maps in the commits' metadata.
    pub scope: Scope,
}

/// The deadlines of a run, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Reading ends here at the earliest. When latencies are measured, it goes on as long as they permit.
    pub reading: Instant,
    /// No request is in flight any more; the rest of the time is for the last commit.
    pub drained: Instant,
    /// The run ends.
    pub exit: Instant,
}

impl Deadlines {
    /// The deadlines of a run that starts at `start` and may take `budget`. Requests in flight have up to
    /// `shutdown_timeout` to finish.
    pub fn new(start: Instant, budget: Duration, shutdown_timeout: Duration) -> Self {
        let drained = budget - (budget / 20).min(Duration::from_secs(1));
        Self {
            reading: start + (drained - shutdown_timeout.min(drained / 3)),
            drained: start + drained,
            exit: start + budget,
        }
    }

    /// When reading ends, for these latencies of requests and of commits. A request in flight is given one and a half
    /// times the usual latency; the last commit, three times the longest so far.
    pub(super) fn reading_end(&self, latencies: Latencies) -> Instant {
        let Some(request) = latencies.request else {
            return self.reading;
        };
        let request = request + (request / 2).max(Duration::from_millis(20));
        let commit = self.exit.checked_sub(3 * latencies.commit);
        let drained = commit.map_or(self.reading, |commit| commit.min(self.drained));
        let end = drained.checked_sub(request);
        end.map_or(self.reading, |end| end.max(self.reading))
    }
}

/// Latencies that the run has measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latencies {
    /// The 99th percentile of the slowest endpoint; `None` if an endpoint has not responded yet.
    pub(super) request: Option<Duration>,
    /// The longest time from a commit to its acknowledgement.
    pub(super) commit: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn reading_uses_nine_tenths_of_the_budget_when_endpoints_are_fast() {
        let start = Instant::now();
        for budget in [3 * SECOND, 8 * SECOND, 600 * SECOND] {
            let deadlines = Deadlines::new(start, budget, 10 * SECOND);
            let latencies = Latencies {
                request: Some(Duration::from_millis(50)),
                commit: Duration::from_millis(5),
            };
            let end = deadlines.reading_end(latencies);
            assert!(end >= start + budget.mul_f64(0.9), "{budget:?}");
            assert!(end < deadlines.drained);
        }
    }

    #[test]
    fn without_a_response_a_third_of_the_time_is_for_draining() {
        let start = Instant::now();
        let deadlines = Deadlines::new(start, 8 * SECOND, 10 * SECOND);
        let unknown = Latencies {
            request: None,
            commit: Duration::ZERO,
        };
        assert_eq!(deadlines.reading_end(unknown), deadlines.reading);
        let reading = deadlines.reading - start;
        assert!(reading > 5 * SECOND && reading < Duration::from_millis(5_100));
    }

    #[test]
    fn slow_requests_and_slow_commits_end_reading_earlier() {
        let start = Instant::now();
        let deadlines = Deadlines::new(start, 20 * SECOND, 10 * SECOND);
        let end = |request, commit| {
            let request = Some(request);
            deadlines.reading_end(Latencies { request, commit }) - start
        };
        assert_eq!(end(2 * SECOND, Duration::ZERO), 16 * SECOND);
        assert_eq!(end(2 * SECOND, SECOND), 14 * SECOND);
        let earliest = deadlines.reading - start;
        assert_eq!(end(60 * SECOND, SECOND), earliest);
        assert_eq!(end(SECOND, 3600 * SECOND), earliest);
    }
}
