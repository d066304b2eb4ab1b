//! The latency of an endpoint's responses, in milliseconds.

use std::time::Duration;

use delivery::LatencyRange;
use serde::{Deserialize, Serialize};

/// Quantiles of the latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The maximum.
    pub max: f64,
}

/// How many responses had a latency in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyCount {
    /// The shortest latency of the range.
    pub from: f64,
    /// The end of the range, which does not belong to it.
    pub to: f64,
    /// The number of responses.
    pub count: u64,
}

impl Latency {
    /// From durations, in steps of a microsecond.
    pub fn new(p50: Duration, p99: Duration, max: Duration) -> Self {
        Self {
            p50: milliseconds(p50),
            p99: milliseconds(p99),
            max: milliseconds(max),
        }
    }
}

impl From<LatencyRange> for LatencyCount {
    fn from(range: LatencyRange) -> Self {
        Self {
            from: milliseconds(range.from),
            to: milliseconds(range.to),
            count: range.count,
        }
    }
}

/// In milliseconds, in steps of a microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
