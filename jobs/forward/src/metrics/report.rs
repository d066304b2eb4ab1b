//! The metrics of a run, all from its report. Pure.

use jiff::Timestamp;

use super::definitions::{
    BALANCED, COMMIT_DURATION, DEAD_LETTERS, DURATION, EXIT_CODE, FORMAT_INFO, LAG, LAG_BEFORE,
    LATENCY, OLDEST_DEFERRED, RECORDS, REQUESTS, ROUTE_DEFERRED, ROUTE_RECORDS, ROUTE_RETRY,
    SUCCESS, Sample, TIMESTAMP, VERSION,
};
use crate::report::{PartitionReport, RouteEnd, RouteReport, RunReport, Totals};

/// The metrics of a run. `last_success` is the time of the last run with exit code 0, this one included.
pub fn samples(report: &RunReport, last_success: Option<f64>) -> Vec<Sample> {
    let mut samples = end(seconds(&report.ended), report.exit_code, last_success);
    samples.push(DURATION.sample([], report.seconds));
    samples.push(BALANCED.sample([], flag(report.balanced)));
    samples.extend(report.partitions.iter().flat_map(of_partition));
    let causes = report.dead_letters.causes.iter();
    samples.extend(causes.map(|(cause, count)| DEAD_LETTERS.sample([cause], *count as f64)));
    samples.extend(report.routes.iter().flat_map(of_route));
    if let Some(oldest) = &report.oldest_deferred {
        samples.push(OLDEST_DEFERRED.sample([], oldest.timestamp as f64 / 1000.0));
    }
    let commit = report.commit_seconds;
    samples.extend(commit.map(|seconds| COMMIT_DURATION.sample([], seconds)));
    samples
}

/// The metrics of a run that has no report, such as one with an invalid setting. Times are in seconds since 1970.
pub(super) fn end(ended: Option<f64>, exit_code: u8, last_success: Option<f64>) -> Vec<Sample> {
    let mut samples = vec![
        FORMAT_INFO.sample([&VERSION.to_string()], 1.0),
        EXIT_CODE.sample([], f64::from(exit_code)),
    ];
    samples.extend(ended.map(|time| TIMESTAMP.sample([], time)));
    samples.extend(last_success.map(|time| SUCCESS.sample([], time)));
    samples
}

/// The sums of a report by outcome, with the names of the metrics.
pub(super) fn outcomes(totals: &Totals) -> [(&'static str, i64); 6] {
    [
        ("delivered", totals.delivered),
        ("skipped", totals.skipped),
        ("dead_lettered", totals.dead_lettered),
        ("already_completed", totals.already_completed),
        ("deferred", totals.deferred),
        ("empty", totals.empty_offsets),
    ]
}

/// A time of the report, in seconds since 1970.
pub(super) fn seconds(rfc3339: &str) -> Option<f64> {
    let time: Timestamp = rfc3339.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1000.0)
}

fn of_partition(partition: &PartitionReport) -> Vec<Sample> {
    let name = partition.partition.to_string();
    let totals = Totals {
        planned: partition.planned,
        delivered: partition.delivered,
        skipped: partition.skipped,
        dead_lettered: partition.dead_lettered,
        already_completed: partition.already_completed,
        deferred: partition.deferred,
        empty_offsets: partition.empty_offsets,
    };
    let records = outcomes(&totals).into_iter();
    let records = records.map(|(outcome, count)| RECORDS.sample([&name, outcome], count as f64));
    let lags = [
        LAG_BEFORE.sample([&name], partition.lag_before as f64),
        LAG.sample([&name], partition.lag_after as f64),
    ];
    records.chain(lags).collect()
}

fn of_route(route: &RouteReport) -> Vec<Sample> {
    let name = route.route.as_str();
    let records = [
        ("delivered", route.delivered),
        ("dead_lettered", route.dead_lettered),
        ("deferred", route.deferred),
    ];
    let records =
        records.map(|(outcome, count)| ROUTE_RECORDS.sample([name, outcome], count as f64));
    let statuses = route.statuses.iter();
    let statuses = statuses.map(|(status, count)| (status.to_string(), *count));
    let without = [
        ("timeout".to_owned(), route.timeouts),
        ("connection_error".to_owned(), route.connection_errors),
    ];
    let requests = statuses.chain(without);
    let requests = requests.map(|(status, count)| REQUESTS.sample([name, &status], count as f64));
    let latency = &route.latency_ms;
    let latencies = [
        ("p50", latency.p50),
        ("p99", latency.p99),
        ("max", latency.max),
    ];
    let latencies = latencies.map(|(statistic, ms)| LATENCY.sample([name, statistic], ms / 1000.0));
    let latencies = latencies.into_iter().filter(|_| !route.statuses.is_empty());
    let deferred = ROUTE_DEFERRED.sample([name], flag(route.state == RouteEnd::Deferred));
    let retry = route.retry_at.as_deref().and_then(seconds);
    let retry = retry.map(|time| ROUTE_RETRY.sample([name], time));
    let all = records.into_iter().chain(requests).chain(latencies);
    all.chain([deferred]).chain(retry).collect()
}

fn flag(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}
