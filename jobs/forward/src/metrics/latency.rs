//! The histogram of the latencies, from the reports.
//!
//! Delivery counts latencies in ranges, without OpenTelemetry's SDK in the path of a request, and the SDK takes no counts
//! of ranges. So this histogram is written as Prometheus' and is not part of OTLP, which has the quantiles
//! ([`LATENCY`](super::definitions::LATENCY)).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::report::RunReport;

/// The name of the histogram.
pub const REQUEST_DURATION: &str = "http_client_request_duration_seconds";

/// Its meaning.
pub const HELP: &str = "The time from a request to its response since the start of the process.";

/// The first bucket ends here, in microseconds. Each bucket ends at twice the end of the previous one: these are ends of
/// ranges of the report too, so that each response is counted exactly.
const FIRST_BUCKET: u64 = 1 << 10;

/// The number of buckets; the last one ends at 67 s.
const BUCKETS: usize = 17;

/// The latencies of each route since the start of the process.
pub(super) type Latencies = BTreeMap<String, RouteLatency>;

/// The latencies of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RouteLatency {
    /// The responses of each bucket, and not of those before.
    buckets: [u64; BUCKETS],
    count: u64,
    seconds: f64,
}

/// Adds the responses of a run.
pub(super) fn add(latencies: &mut Latencies, report: &RunReport) {
    for route in report
        .routes
        .iter()
        .filter(|route| !route.statuses.is_empty())
    {
        let latency = latencies.entry(route.route.clone()).or_default();
        latency.seconds += route.latency_sum_ms.unwrap_or_default() / 1000.0;
        for range in &route.latency_ranges_ms {
            latency.count += range.count;
            let end = (range.to * 1000.0).round() as u64;
            let end = (0..BUCKETS).position(|bucket| end <= FIRST_BUCKET << bucket);
            if let Some(bucket) = end.and_then(|bucket| latency.buckets.get_mut(bucket)) {
                *bucket += range.count;
            }
        }
    }
}

/// The ends of the buckets, in seconds.
fn bounds() -> impl Iterator<Item = f64> {
    (0..BUCKETS).map(|bucket| (FIRST_BUCKET << bucket) as f64 / 1e6)
}

/// Writes the histogram. The labels are those of all series.
pub(super) struct LatencyCollector {
    latencies: Arc<Mutex<Latencies>>,
    labels: [(&'static str, String); 2],
    description: Desc,
}

impl LatencyCollector {
    /// A collector of these latencies.
    pub(super) fn collector(
        latencies: Arc<Mutex<Latencies>>,
        labels: [(&'static str, String); 2],
    ) -> prometheus::Result<Box<dyn Collector>> {
        let names = labels.iter().map(|(name, _)| (*name).to_owned());
        let names = names.chain(["route".to_owned()]).collect();
        Ok(Box::new(Self {
            latencies,
            labels,
            description: Desc::new(
                REQUEST_DURATION.to_owned(),
                HELP.to_owned(),
                names,
                HashMap::new(),
            )?,
        }))
    }

    fn metric(&self, route: &str, latency: &RouteLatency) -> Metric {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(latency.count);
        histogram.set_sample_sum(latency.seconds);
        let mut cumulative = 0;
        let buckets = bounds().zip(latency.buckets).map(|(bound, count)| {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let labels = labels.chain([("route", route)]).map(|(name, value)| {
            let mut label = LabelPair::default();
            label.set_name(name.to_owned());
            label.set_value(value.to_owned());
            label
        });
        let mut metric = Metric::default();
        metric.set_label(labels.collect());
        metric.set_histogram(histogram);
        metric
    }
}

impl Collector for LatencyCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let latencies = self
            .latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let metrics: Vec<_> = latencies
            .iter()
            .map(|(route, latency)| self.metric(route, latency))
            .collect();
        if metrics.is_empty() {
            return Vec::new();
        }
        let mut family = MetricFamily::default();
        family.set_name(REQUEST_DURATION.to_owned());
        family.set_help(HELP.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(metrics);
        vec![family]
    }
}
