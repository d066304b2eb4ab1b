//! The metrics of runs, as files.

mod cardinality;
mod exposition;
mod failures;
mod long_lived;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::*;
use exposition::{Exposition, Series};

/// The outcomes of records: the label of the metrics, and the member of the report.
const OUTCOMES: [(&str, &str); 6] = [
    ("delivered", "delivered"),
    ("skipped", "skipped"),
    ("dead_lettered", "dead_lettered"),
    ("already_completed", "already_completed"),
    ("deferred", "deferred"),
    ("empty", "empty_offsets"),
];

/// A folder with a file for metrics.
struct MetricsFile {
    _folder: TempDir,
    path: PathBuf,
}

impl MetricsFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("forward.prom"),
            _folder: folder,
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Exposition {
        let text = std::fs::read_to_string(&self.path).unwrap();
        Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }
}

/// Runs a window that writes its metrics.
fn run(stage: &Stage, file: &MetricsFile, arguments: &[&str]) -> Run {
    let mut command = stage.forward(arguments);
    let output = command.env("METRICS_FILE", file.path()).output().unwrap();
    Run::from_output(&output)
}

/// The metrics of a report, computed without the code under test.
fn expected(report: &Value) -> Vec<(Series, f64)> {
    let mut all = Vec::new();
    let mut add = |name: &str, labels: &[(&str, &str)], value: f64| {
        let common = [("topic", &report["topic"]), ("group", &report["group"])];
        let common = common.map(|(label, value)| (label, value.as_str().unwrap()));
        all.push((
            Series::new(name, labels.iter().copied().chain(common)),
            value,
        ));
    };
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}"));
    let time = |value: &Value| {
        let time: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
        time.as_millisecond() as f64 / 1000.0
    };
    add("frontdoor_metrics_format_info", &[("version", "1")], 1.0);
    add(
        "frontdoor_job_last_run_timestamp_seconds",
        &[],
        time(&report["ended"]),
    );
    add(
        "frontdoor_job_last_run_duration_seconds",
        &[],
        number(&report["seconds"]),
    );
    add(
        "frontdoor_job_last_run_exit_code",
        &[],
        number(&report["exit_code"]),
    );
    let balanced = f64::from(u8::from(report["balanced"].as_bool().unwrap()));
    add("frontdoor_job_last_run_balanced", &[], balanced);
    for partition in report["partitions"].as_array().unwrap() {
        let name = partition["partition"].to_string();
        for (outcome, member) in OUTCOMES {
            let labels = [("partition", name.as_str()), ("outcome", outcome)];
            add(
                "frontdoor_job_last_run_records",
                &labels,
                number(&partition[member]),
            );
        }
        let labels = [("partition", name.as_str())];
        add(
            "frontdoor_job_lag_before_records",
            &labels,
            number(&partition["lag_before"]),
        );
        add(
            "frontdoor_job_lag_records",
            &labels,
            number(&partition["lag_after"]),
        );
    }
    for (cause, count) in report["dead_letters"]["causes"].as_object().unwrap() {
        add(
            "frontdoor_job_last_run_dead_letters",
            &[("cause", cause)],
            number(count),
        );
    }
    for route in report["routes"].as_array().unwrap() {
        let name = ("route", route["route"].as_str().unwrap());
        for outcome in ["delivered", "dead_lettered", "deferred"] {
            let labels = [name, ("outcome", outcome)];
            add(
                "frontdoor_job_last_run_route_records",
                &labels,
                number(&route[outcome]),
            );
        }
        for (status, count) in route["statuses"].as_object().unwrap() {
            let labels = [name, ("status", status)];
            add("frontdoor_job_last_run_requests", &labels, number(count));
        }
        for (status, member) in [
            ("timeout", "timeouts"),
            ("connection_error", "connection_errors"),
        ] {
            let labels = [name, ("status", status)];
            add(
                "frontdoor_job_last_run_requests",
                &labels,
                number(&route[member]),
            );
        }
        let deferred = f64::from(u8::from(route["state"] == "deferred"));
        add("frontdoor_job_route_deferred", &[name], deferred);
        if !route["retry_at"].is_null() {
            let at = time(&route["retry_at"]);
            add("frontdoor_job_route_retry_timestamp_seconds", &[name], at);
        }
        let Some(ranges) = route["latency_ranges_ms"].as_array() else {
            continue;
        };
        for statistic in ["p50", "p99", "max"] {
            let labels = [name, ("statistic", statistic)];
            let seconds = number(&route["latency_ms"][statistic]) / 1000.0;
            add(
                "frontdoor_job_last_run_request_duration_seconds",
                &labels,
                seconds,
            );
        }
        let up_to = |milliseconds: f64| {
            let ranges = ranges
                .iter()
                .filter(|range| number(&range["to"]) <= milliseconds);
            ranges.map(|range| number(&range["count"])).sum::<f64>()
        };
        let histogram = "http_client_request_duration_seconds";
        for power in 0..17 {
            let milliseconds = 1.024 * f64::from(1 << power);
            // As the document of the metrics has them: 0.001024, 0.002048, …
            let bound = format!("{:.6}", milliseconds / 1000.0);
            let labels = [name, ("le", bound.trim_end_matches('0'))];
            add(
                &format!("{histogram}_bucket"),
                &labels,
                up_to(milliseconds + 1e-6),
            );
        }
        let all = up_to(f64::INFINITY);
        add(&format!("{histogram}_bucket"), &[name, ("le", "+Inf")], all);
        add(&format!("{histogram}_count"), &[name], all);
        let sum = number(&route["latency_sum_ms"]) / 1000.0;
        add(&format!("{histogram}_sum"), &[name], sum);
    }
    if !report["oldest_deferred"].is_null() {
        let timestamp = number(&report["oldest_deferred"]["timestamp"]) / 1000.0;
        add(
            "frontdoor_job_oldest_deferred_timestamp_seconds",
            &[],
            timestamp,
        );
    }
    if !report["commit_seconds"].is_null() {
        let seconds = number(&report["commit_seconds"]);
        add("frontdoor_job_commit_duration_seconds", &[], seconds);
    }
    all
}

/// The file has the report's numbers, and nothing else but the memory, the last success and `target_info`.
fn assert_equal(run: &Run, exposition: &Exposition, last_success: Option<f64>) {
    let mut left = exposition.samples.clone();
    let common = [("topic", TOPIC), ("group", "frontdoor")];
    let success = Series::new("frontdoor_job_last_success_timestamp_seconds", common);
    assert_eq!(left.remove(&success), last_success, "{:#}", run.report);
    for name in [
        "process_resident_memory_bytes",
        "frontdoor_job_peak_memory_bytes",
    ] {
        let memory = left.remove(&Series::new(name, common));
        assert!(
            memory.is_some_and(|bytes| bytes > 1e6),
            "{name}: {memory:?}"
        );
    }
    let target = left
        .keys()
        .find(|series| series.name == "target_info")
        .cloned();
    let target = target.expect("target_info");
    assert_eq!(left.remove(&target), Some(1.0));
    for (label, value) in [
        ("service_name", "forward"),
        ("messaging_destination_name", TOPIC),
        ("messaging_consumer_group_name", "frontdoor"),
    ] {
        assert_eq!(target.labels[label], value);
    }
    for (series, value) in expected(&run.report) {
        let found = left.remove(&series);
        let is_equal = found.is_some_and(|found| (found - value).abs() <= 1e-9 * value.abs());
        assert!(
            is_equal,
            "{series:?} is {found:?}, expected {value}\n{:#}",
            run.report
        );
    }
    assert!(left.is_empty(), "not in the report: {left:#?}");
}

fn ended(run: &Run) -> f64 {
    let ended: jiff::Timestamp = run.report["ended"].as_str().unwrap().parse().unwrap();
    ended.as_millisecond() as f64 / 1000.0
}

#[test]
fn metrics_and_report_have_the_same_numbers_in_every_outcome() {
    let is_down = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&is_down);
    let a = Endpoint::start(
        |request| match request.body.windows(3).any(|part| part == b"bad") {
            true => Answer::status(422),
            false => Answer::ok(),
        },
    );
    let b = Endpoint::start(move |request| {
        match fails.load(Ordering::Relaxed) && request.body.ends_with(b"e@x.org") {
            true => Answer::status(503).header("retry-after", "60"),
            false => Answer::status(204),
        }
    });
    let stage = Stage::new(a.unwrap(), b.unwrap());
    let file = MetricsFile::new();

    let empty = run(&stage, &file, &[]);
    empty.assert(0, &json!({"planned": 0}));
    assert_equal(&empty, &file.read(), Some(ended(&empty)));

    stage.write(&[user(1010, "good"), user(1020, "other"), user(10029, "John")]);
    let success = run(&stage, &file, &[]);
    success.assert(0, &json!({"delivered": 2, "skipped": 1}));
    assert_equal(&success, &file.read(), Some(ended(&success)));

    stage.write(&[user(1010, "bad"), user(1010, "good"), b"no datum".to_vec()]);
    let letters = run(&stage, &file, &[]);
    letters.assert(10, &json!({"delivered": 1, "dead_lettered": 2}));
    let causes = letters.report["dead_letters"]["causes"]
        .as_object()
        .unwrap();
    assert_eq!(causes.len(), 2, "{causes:?}");
    assert_equal(&letters, &file.read(), Some(ended(&success)));

    is_down.store(true, Ordering::Relaxed);
    let data = [1020, 1010, 1020, 1010, 1010, 1010];
    stage.write(&data.map(|id| user(id, "good")));
    let partial = run(&stage, &file, &["--max-attempts", "1"]);
    partial.assert(11, &json!({"delivered": 4, "deferred": 2}));
    let metrics = file.read();
    assert!(metrics.has("frontdoor_job_oldest_deferred_timestamp_seconds"));
    assert!(metrics.has("frontdoor_job_route_retry_timestamp_seconds"));
    assert_equal(&partial, &metrics, Some(ended(&success)));

    // The pause that B has requested: this run asks it nothing.
    let paused = run(&stage, &file, &[]);
    paused.assert(75, &json!({"already_completed": 1, "deferred": 2}));
    assert_equal(&paused, &file.read(), Some(ended(&success)));

    let source = stage
        .forward(&["--start-timeout", "1s"])
        .env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
        .env("METRICS_FILE", file.path())
        .output();
    let source = Run::from_output(&source.unwrap());
    assert_eq!(source.code, 74, "{}", source.log);
    assert_equal(&source, &file.read(), Some(ended(&success)));
}

#[test]
fn the_histogram_has_every_response_once() {
    let stage = Stage::new(
        Endpoint::start(|_| {
            std::thread::sleep(Duration::from_millis(3));
            Answer::ok()
        })
        .unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    stage.write(&vec![user(1010, "Paul"); 40]);
    let file = MetricsFile::new();
    run(&stage, &file, &[]).assert(0, &json!({"delivered": 40}));
    let metrics = file.read();
    let of = |le: &str| {
        let labels = [
            ("topic", TOPIC),
            ("group", "frontdoor"),
            ("route", "A"),
            ("le", le),
        ];
        metrics.samples[&Series::new("http_client_request_duration_seconds_bucket", labels)]
    };
    assert_eq!(
        (of("0.002048"), of("67.108864"), of("+Inf")),
        (0.0, 40.0, 40.0)
    );
}
