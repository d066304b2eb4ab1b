//! A process with more than one window.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::*;

#[test]
fn counters_are_the_sums_of_the_reports() {
    let stage = Stage::accepting();
    stage.write(&[
        user(1010, "Paul"),
        b"no datum".to_vec(),
        user(10029, "John"),
    ]);
    let file = MetricsFile::new();
    let mut command = stage.forward(&["--every", "100ms"]);
    let command = command
        .env("METRICS_FILE", file.path())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut reports: Vec<Value> = Vec::new();
    // Until a window after those with records was empty: which window reads the later records is a matter of time.
    let is_over = |reports: &[Value]| {
        let delivered = reports
            .iter()
            .filter_map(|report| report["totals"]["delivered"].as_u64());
        let last = reports.last();
        delivered.sum::<u64>() == 3 && last.is_some_and(|last| last["totals"]["planned"] == 0)
    };
    while !is_over(&reports) {
        assert!(reports.len() < 200, "{reports:#?}");
        let line = lines.next().unwrap().unwrap();
        reports.push(serde_json::from_str(&line).unwrap());
        if reports.len() == 2 {
            stage.write(&[user(1020, "Mary"), user(1010, "Paul"), b"x".to_vec()]);
        }
    }
    let mut kill = Command::new("kill");
    let killed = kill.arg("-TERM").arg(child.id().to_string()).status();
    assert!(killed.unwrap().success());
    reports.extend(lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()));
    assert!([0, 10, 12].contains(&child.wait().unwrap().code().unwrap()));

    let metrics = file.read();
    let sum = |pointer: &str| {
        let counts = reports.iter().map(|report| report.pointer(pointer));
        counts
            .map(|count| count.map_or(0.0, |count| count.as_f64().unwrap()))
            .sum::<f64>()
    };
    for (outcome, member) in OUTCOMES {
        let total = metrics.sum("frontdoor_job_records_total", ("outcome", outcome));
        assert_eq!(total, sum(&format!("/totals/{member}")), "{outcome}");
    }
    assert_eq!(sum("/totals/delivered"), 3.0);
    let cause = "undecodable";
    let letters = metrics.sum("frontdoor_job_dead_letters_total", ("cause", cause));
    assert_eq!(letters, sum("/dead_letters/causes/undecodable"));
    for code in [0, 10] {
        let runs = metrics.sum("frontdoor_job_runs_total", ("exit_code", &code.to_string()));
        let reported = reports.iter().filter(|report| report["exit_code"] == code);
        assert_eq!(runs, reported.count() as f64, "{code}");
    }
    let responses = metrics.sum("http_client_request_duration_seconds_count", ("route", "A"));
    assert_eq!(responses, sum("/routes/0/statuses/200"));

    // What a cause had in an earlier window is not in the last run.
    let last = reports.last().unwrap();
    assert_eq!(last["totals"]["planned"], 0);
    assert!(!metrics.has("frontdoor_job_last_run_dead_letters"));
    for route in ["A", "B"] {
        let state = |state: &str| {
            let labels = [
                ("topic", TOPIC),
                ("group", "frontdoor"),
                ("route", route),
                ("state", state),
            ];
            metrics.samples[&Series::new("frontdoor_job_circuit_state", labels)]
        };
        assert_eq!(["closed", "half_open", "open"].map(state), [1.0, 0.0, 0.0]);
        for name in [
            "frontdoor_job_requests_in_flight",
            "frontdoor_job_buffered_records",
        ] {
            assert!(metrics.has(name));
            assert_eq!(metrics.sum(name, ("route", route)), 0.0);
        }
    }
}
