//! Counts what happened on a route, in bounded memory.

use std::collections::BTreeMap;
use std::time::Duration;

/// The figures of one route.
#[derive(Clone, Debug, Default)]
pub struct RouteStatistics {
    /// Requests that were sent; a request repeated on a fresh connection because the old one was stale counts once.
    pub attempts: u64,
    /// How often each status was the answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer in time.
    pub timeouts: u64,
    /// Requests whose connection could not be made, or ended before a whole answer.
    pub connection_errors: u64,
    /// Requests whose connection had gone stale, repeated at once.
    pub stale_connections: u64,
    latency: Histogram,
}

impl RouteStatistics {
    /// The time to the head of the answer that half of the answered requests stayed within.
    pub fn p50(&self) -> Duration {
        self.latency.quantile(0.5)
    }

    /// The time that 99 of 100 stayed within.
    pub fn p99(&self) -> Duration {
        self.latency.quantile(0.99)
    }

    /// The longest time.
    pub fn max(&self) -> Duration {
        self.latency.max
    }

    pub(super) fn answered(&mut self, status: u16, latency: Duration) {
        self.attempts += 1;
        // A hostile endpoint can choose among 900 statuses, and no more.
        *self.statuses.entry(status).or_default() += 1;
        self.latency.record(latency);
    }
}

/// Log-linear buckets: sixteen to each power of two of microseconds, so that a figure is within 6.25 % of the truth;
/// 28 powers reach four and a half minutes and all beyond.
#[derive(Clone, Debug)]
struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: Duration,
}

const LINEAR: u32 = 4;
const POWERS: u32 = 28;

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; ((POWERS - LINEAR + 1) << LINEAR) as usize],
            total: 0,
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
        self.max = self.max.max(latency);
    }

    fn quantile(&self, quantile: f64) -> Duration {
        let rank = (self.total as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper(index)).min(self.max);
            }
        }
        self.max
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
    let (group, place) = (index >> LINEAR, (index & ((1 << LINEAR) - 1)) as u64);
    match group {
        0 => place,
        _ => (((1 << LINEAR) + place + 1) << (group - 1)) - 1,
    }
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
    fn quantiles_are_within_a_sixteenth() {
        let mut statistics = RouteStatistics::default();
        assert_eq!(statistics.p99(), Duration::ZERO);
        for millis in 1..=1000 {
            statistics.answered(200, Duration::from_millis(millis));
        }
        let within = |found: Duration, millis: f64| {
            (found.as_secs_f64() * 1000.0 / millis - 1.0).abs() <= 0.0626
        };
        assert!(within(statistics.p50(), 500.0), "{:?}", statistics.p50());
        assert!(within(statistics.p99(), 990.0), "{:?}", statistics.p99());
        assert_eq!(statistics.max(), Duration::from_secs(1));
        assert_eq!(statistics.statuses[&200], 1000);
    }
}
