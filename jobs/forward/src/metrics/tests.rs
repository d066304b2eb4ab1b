use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery::LatencyRange;

use super::*;
use crate::report::LatencyCount;
use crate::report::tests::{hostile, report};

/// Each metric with its type and its labels.
fn families(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let (name, labels) = line.split_once('{').unwrap();
            let mut ends = ["_bucket", "_sum", "_count"].iter();
            let name = ends.find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let parts = labels.split('"').step_by(2);
            let names = parts.filter_map(|part| part.trim_start_matches(',').strip_suffix('='));
            families
                .get_mut(name)
                .unwrap()
                .1
                .extend(names.map(str::to_owned));
        }
    }
    families
}

fn metrics(is_long_lived: bool) -> JobMetrics {
    JobMetrics::new(is_long_lived, |_| None)
}

/// A report that has everything.
fn complete() -> RunReport {
    let mut report = report();
    report.exit_code = 0;
    report.oldest_deferred = hostile().oldest_deferred;
    report.dead_letters.causes = [("refused".to_owned(), 4)].into();
    report.commit_seconds = Some(0.25);
    report.routes[0].retry_at = Some("2026-11-27T10:00:00.500Z".to_owned());
    report
}

#[test]
fn every_metric_is_exported_as_the_table_describes_it() {
    let metrics = metrics(true);
    metrics.begin("orders", "frontdoor");
    metrics.record(&complete(), None);
    if let Some(current) = &*metrics.lock() {
        current.values().routes = vec![LiveRoute::default()];
    }
    let mut exported = families(&metrics.text().unwrap());
    assert!(exported.remove("target_info").is_some());
    let common = |labels: &[&str]| -> BTreeSet<String> {
        let labels = labels.iter().chain(&["group", "topic"]);
        labels.map(|label| (*label).to_owned()).collect()
    };
    for metric in definitions::ALL {
        let (kind, labels) = exported
            .remove(&metric.prometheus_name())
            .expect(metric.name);
        assert_eq!(kind == "counter", metric.is_counter, "{}", metric.name);
        assert_eq!(labels, common(metric.labels), "{}", metric.name);
    }
    let (kind, labels) = exported.remove(latency::REQUEST_DURATION).unwrap();
    assert_eq!(
        (kind.as_str(), labels),
        ("histogram", common(&["route", "le"]))
    );
    assert!(exported.is_empty(), "{exported:?}");
}

#[test]
fn a_single_run_has_no_counters_and_nothing_of_the_moment() {
    let metrics = metrics(false);
    assert_eq!(metrics.text().unwrap(), "");
    metrics.begin("orders", "frontdoor");
    metrics.record(&complete(), None);
    let exported = families(&metrics.text().unwrap());
    assert!(
        exported.values().all(|(kind, _)| kind != "counter"),
        "{exported:?}"
    );
    assert!(!exported.contains_key("frontdoor_job_circuit_state"));
    assert!(exported.contains_key("frontdoor_job_lag_records"));
}

#[test]
fn a_later_run_keeps_no_series_of_an_earlier_one() {
    let metrics = metrics(true);
    metrics.begin("orders", "frontdoor");
    metrics.record(&complete(), None);
    assert!(
        metrics
            .text()
            .unwrap()
            .contains("{cause=\"refused\",group=\"frontdoor\",topic=\"orders\"} 4\n")
    );
    let mut later = report();
    later.partitions.truncate(1);
    metrics.begin("orders", "frontdoor");
    metrics.record(&later, Some(7.0));
    let text = metrics.text().unwrap();
    for gone in [
        "last_run_dead_letters",
        "oldest_deferred",
        "partition=\"1\"",
        "route_retry",
    ] {
        assert!(!text.contains(gone), "{gone}");
    }
    let success =
        "frontdoor_job_last_success_timestamp_seconds{group=\"frontdoor\",topic=\"orders\"} 1.91\n";
    assert!(text.contains(success), "{text}");
    assert!(text.contains(
        "frontdoor_job_runs_total{exit_code=\"12\",group=\"frontdoor\",topic=\"orders\"} 1\n"
    ));

    metrics.begin("returns", "frontdoor");
    let text = metrics.text().unwrap();
    assert!(!text.contains("orders") && text.contains("topic=\"returns\""));
}

#[test]
fn texts_of_others_break_no_line() {
    let metrics = metrics(true);
    let report = hostile();
    metrics.begin(&report.topic, &report.group);
    metrics.record(&report, None);
    let text = metrics.text().unwrap();
    assert!(
        text.lines()
            .all(|line| line.starts_with("# ") || line.contains("_")),
        "{text}"
    );
    assert!(
        text.lines()
            .all(|line| !line.starts_with("</style>") && !line.starts_with("|---|"))
    );
    // A report without times has no metrics of times.
    assert!(!text.contains("last_run_timestamp") && !text.contains("route_retry"));
}

#[test]
fn each_range_of_delivery_is_in_one_bucket() {
    let mut report = report();
    report.routes.truncate(1);
    report.routes[0].latency_sum_ms = Some(1_500.0);
    // Four ranges for each power of two, as delivery has them.
    let edges: Vec<u64> = (4..28)
        .flat_map(|power| (0..4).map(move |quarter| (4 + quarter) << (power - 2)))
        .collect();
    let range = |pair: &[u64]| {
        LatencyCount::from(LatencyRange {
            from: Duration::from_micros(pair[0]),
            to: Duration::from_micros(pair[1]),
            count: 1,
        })
    };
    report.routes[0].latency_ranges_ms = edges.windows(2).map(range).collect();
    let metrics = metrics(false);
    metrics.begin("orders", "frontdoor");
    metrics.record(&report, None);
    let text = metrics.text().unwrap();
    let labels = "group=\"frontdoor\",topic=\"orders\",route=\"A\"";
    let name = latency::REQUEST_DURATION;
    for (le, count) in [
        ("0.001024", 24),
        ("0.002048", 28),
        ("67.108864", 88),
        ("+Inf", 95),
    ] {
        let line = format!("{name}_bucket{{{labels},le=\"{le}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(text.contains(&format!("{name}_sum{{{labels}}} 1.5\n")));
}
