//! Statistics of a route, in bounded memory.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The statistics of one route.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RouteStatistics {
    /// Requests that were sent. A request that was sent again because its connection was stale counts once.
    pub attempts: u64,
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without a response within the timeout.
    pub timeouts: u64,
    /// Requests whose connection failed before a complete response head arrived.
    pub connection_errors: u64,
    /// Requests that were sent again because the endpoint had closed the idle connection.
    pub stale_connections: u64,
    latency: Histogram,
}

impl RouteStatistics {
    /// The median time from a request to the head of its response.
    pub fn p50(&self) -> Duration {
        self.latency.quantile(0.5)
    }

    /// The 99th percentile of that time.
    pub fn p99(&self) -> Duration {
        self.latency.quantile(0.99)
    }

    /// The maximum of that time.
    pub fn max(&self) -> Duration {
        self.latency.max
    }

    /// The sum of that time over all responses.
    pub fn total_latency(&self) -> Duration {
        self.latency.sum
    }

    /// The distribution of that time: the ranges that have responses, in order, at most four for each power of two. All
    /// times from 235 s on are in one range, which ends behind the longest.
    pub fn latencies(&self) -> Vec<LatencyRange> {
        self.latency.ranges()
    }

    /// Adds the statistics of other requests of the route.
    pub fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.timeouts += other.timeouts;
        self.connection_errors += other.connection_errors;
        self.stale_connections += other.stale_connections;
        self.latency.add(&other.latency);
    }

    pub(crate) fn record_response(&mut self, status: u16, latency: Duration) {
        self.attempts += 1;
        // Bounded: there are 900 status codes.
        *self.statuses.entry(status).or_default() += 1;
        self.latency.record(latency);
    }

    pub(crate) fn record_timeout(&mut self) {
        self.attempts += 1;
        self.timeouts += 1;
    }

    pub(crate) fn record_connection_error(&mut self) {
        self.attempts += 1;
        self.connection_errors += 1;
    }
}

/// How many responses took a time in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyRange {
    /// The shortest time of the range.
    pub from: Duration,
    /// The end of the range, which does not belong to it.
    pub to: Duration,
    /// The number of responses.
    pub count: u64,
}

/// A log-linear histogram: sixteen buckets for each power of two of microseconds, so that an estimate is within 6.25 %.
/// The last of 28 powers, four and a half minutes, includes all longer times.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: Duration,
    max: Duration,
}

const LINEAR: u32 = 4;
const POWERS: u32 = 28;

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; ((POWERS - LINEAR + 1) << LINEAR) as usize],
            total: 0,
            sum: Duration::ZERO,
            max: Duration::ZERO,
        }
    }
}

impl Histogram {
    fn record(&mut self, latency: Duration) {
        let index = index(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.total += 1;
        self.sum = self.sum.saturating_add(latency);
        self.max = self.max.max(latency);
    }

    fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    fn quantile(&self, quantile: f64) -> Duration {
        let rank = (self.total as f64 * quantile).ceil().max(1.0) as u64;
        let mut cumulative = 0;
        for (index, count) in self.counts.iter().enumerate() {
            cumulative += count;
            if cumulative >= rank {
                return Duration::from_micros(upper(index)).min(self.max);
            }
        }
        self.max
    }

    fn ranges(&self) -> Vec<LatencyRange> {
        /// Each power of two has sixteen buckets, of which four are one range.
        const BUCKETS: usize = 1 << (LINEAR - 2);
        let chunks = self.counts.chunks(BUCKETS).enumerate();
        let last = self.counts.len() / BUCKETS - 1;
        let ranges = chunks.map(|(chunk, counts)| {
            let to = Duration::from_micros(lower((chunk + 1) * BUCKETS));
            LatencyRange {
                from: Duration::from_micros(lower(chunk * BUCKETS)),
                to: match chunk == last {
                    true => to.max(self.max.saturating_add(Duration::from_micros(1))),
                    false => to,
                },
                count: counts.iter().sum(),
            }
        });
        ranges.filter(|range| range.count > 0).collect()
    }
}

fn index(micros: u64) -> usize {
    let micros = micros.min((1 << POWERS) - 1);
    let power = 63 - (micros | 1).leading_zeros();
    if power < LINEAR {
        return micros as usize;
    }
    let shift = power - LINEAR;
    (((shift + 1) << LINEAR) as usize) + ((micros >> shift) as usize & ((1 << LINEAR) - 1))
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let (group, position) = (index >> LINEAR, (index & ((1 << LINEAR) - 1)) as u64);
    match group {
        0 => position,
        _ => (((1 << LINEAR) + position + 1) << (group - 1)) - 1,
    }
}

/// The smallest value of a bucket.
fn lower(index: usize) -> u64 {
    index
        .checked_sub(1)
        .map_or(0, |before| upper(before).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_without_gaps() {
        let mut last = 0;
        for micros in 0..200_000 {
            let index = index(micros);
            assert!(index == last || index == last + 1, "{micros}");
            assert!(micros <= upper(index), "{micros}");
            last = index;
        }
        let last = Histogram::default().counts.len() - 1;
        assert_eq!(index(u64::MAX), last);
        assert_eq!(upper(last), (1 << POWERS) - 1);
    }

    #[test]
    fn statistics_add_up() {
        let (mut all, mut first, mut second) =
            <(RouteStatistics, RouteStatistics, RouteStatistics)>::default();
        for millis in 1..=1000 {
            let part = if millis % 3 == 0 {
                &mut first
            } else {
                &mut second
            };
            for statistics in [&mut all, part] {
                statistics
                    .record_response(200 + (millis % 2) as u16, Duration::from_millis(millis));
            }
        }
        second.record_timeout();
        all.record_timeout();
        first.add(&second);
        assert_eq!(format!("{first:?}"), format!("{all:?}"));
    }

    #[test]
    fn quantiles_are_within_a_sixteenth() {
        let mut statistics = RouteStatistics::default();
        assert_eq!(statistics.p99(), Duration::ZERO);
        for millis in 1..=1000 {
            statistics.record_response(200, Duration::from_millis(millis));
        }
        let is_close = |estimate: Duration, millis: f64| {
            (estimate.as_secs_f64() * 1000.0 / millis - 1.0).abs() <= 0.0626
        };
        assert!(is_close(statistics.p50(), 500.0), "{:?}", statistics.p50());
        assert!(is_close(statistics.p99(), 990.0), "{:?}", statistics.p99());
        assert_eq!(statistics.max(), Duration::from_secs(1));
        assert_eq!(statistics.total_latency(), Duration::from_millis(500_500));
        assert_eq!(statistics.statuses[&200], 1000);
    }

    #[test]
    fn the_ranges_contain_each_response_once() {
        let mut statistics = RouteStatistics::default();
        assert_eq!(statistics.latencies(), []);
        let longest = 400_000_000;
        let times = [0, 3, 4, 15, 16, 1_000, 1_001, 200_000, longest];
        for micros in times {
            statistics.record_response(200, Duration::from_micros(micros));
        }
        let ranges = statistics.latencies();
        let micros = |range: &LatencyRange| (range.from.as_micros(), range.to.as_micros());
        let first: Vec<_> = ranges.iter().map(micros).take(4).collect();
        assert_eq!(first, [(0, 4), (4, 8), (12, 16), (16, 20)]);
        assert_eq!(ranges.iter().map(|range| range.count).sum::<u64>(), 9);
        assert!(ranges.is_sorted_by(|one, next| one.to <= next.from));
        assert_eq!(
            ranges.last().map(micros),
            Some((234_881_024, u128::from(longest) + 1))
        );
        let thousand = ranges
            .iter()
            .find(|range| range.count == 2 && range.to.as_millis() >= 1);
        assert_eq!(micros(thousand.unwrap()), (896, 1024));
    }
}
