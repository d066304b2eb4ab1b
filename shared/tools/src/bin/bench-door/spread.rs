//! Minimum, median and 99th percentile of durations.

use std::time::Duration;

/// Minimum, median and 99th percentile.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) least: Duration,
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

impl Spread {
    /// Calculates the spread of at least one duration.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Self {
            least: at(0.0),
            median: at(0.5),
            p99: at(0.99),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        write!(
            f,
            "min {:.0} us  p50 {:.0} us  p99 {:.0} us",
            micros(self.least),
            micros(self.median),
            micros(self.p99)
        )
    }
}

/// Prints the ratio of two spreads, at the median and at the 99th percentile.
pub(crate) fn ratio(name: &str, ours: &Spread, theirs: &Spread, aim: &str) {
    let by = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    let aim = match aim {
        "" => String::new(),
        aim => format!("   ({aim})"),
    };
    println!(
        "{name:<36} p50 {:.2}  p99 {:.2}{aim}",
        by(ours.median, theirs.median),
        by(ours.p99, theirs.p99),
    );
}
