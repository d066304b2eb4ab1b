//! The report, the exit codes, SIGTERM, and repeated windows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint};
use testkit::topics::NewRecord;

use crate::endpoints::{
    accepted_names, accepting, accepting_after, assert_accepted_all, assert_keys_agree, unused_url,
};
use crate::run::TIMEOUT;
use crate::stage::{Stage, users};

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_report_contains_the_lag_before_and_after() {
    let (stage, _a, _b) = Stage::accepting("lag", 2).await;
    let stage = stage.with("WINDOW_MAX_RECORDS", "30");
    stage.write_users(1010, "u", 100, 2);
    let run = stage.run().expect(12);
    for partition in [0, 1] {
        assert_eq!(run.partition_value(partition, "lag_before"), 50);
        let end = stage.topics.watermarks(&stage.topic).unwrap()[&partition].1;
        let lag = end - stage.committed()[&partition];
        assert_eq!(run.partition_value(partition, "lag_after"), lag);
        assert_eq!(
            run.partition_value(partition, "committed"),
            stage.committed()[&partition]
        );
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_report_of_a_mixed_window_accounts_for_each_record() {
    let a = Endpoint::start(|request| match request.number % 7 {
        3 => Answer::status(503),
        5 => Answer::status(429).header("retry-after", "0"),
        _ => Answer::ok(),
    })
    .unwrap();
    // Two responses in seven are failures, so the default of five attempts would sometimes not be enough.
    let mut stage = Stage::new("mixed-report", 3)
        .await
        .with("MAX_ATTEMPTS", "20");
    stage.set("API_TYPE_A_URL", a.url());
    stage.set("API_TYPE_B_URL", unused_url());
    stage.write_users(1010, "u", 90, 3);
    stage.write_users(1020, "v", 60, 3);
    stage.write_users(999, "unmatched", 30, 3);
    stage.write(&[
        NewRecord::to(0, vec![0xff; 20]),
        NewRecord {
            partition: Some(1),
            ..NewRecord::default()
        },
    ]);
    stage
        .topics
        .whole_transaction(&stage.topic, &users(1010, "aborted", 6, 3), false)
        .unwrap();
    let run = stage.run().expect(11);
    // `wait` has checked the sums; these are the parts.
    assert_eq!((run.total("delivered"), run.total("deferred")), (90, 60));
    assert_eq!((run.total("skipped"), run.total("dead_lettered")), (31, 1));
    assert_eq!(
        (run.total("empty_offsets"), run.total("planned")),
        (6 + 3, 90 + 60 + 30 + 2 + 9)
    );
    let route = run.route("A");
    assert_eq!(route["attempts"], a.count());
    assert_eq!(route["statuses"]["200"], 90);
    let count = |status: u16| {
        a.requests()
            .iter()
            .filter(|request| request.answered == Some(status))
            .count()
    };
    assert_eq!(
        (&route["statuses"]["503"], &route["statuses"]["429"]),
        (&json!(count(503)), &json!(count(429)))
    );
    let unavailable = run.route("B");
    assert!(unavailable["attempts"].as_u64() > Some(0));
    assert_eq!(unavailable["connection_errors"], unavailable["attempts"]);
    assert!(
        route["latency_ms"]["max"].as_f64().unwrap()
            >= route["latency_ms"]["p50"].as_f64().unwrap()
    );
    assert_eq!(run.report["topic"], stage.topic.as_str());
    assert_eq!(run.report["group"], stage.group.as_str());
    assert!(run.report["topic_id"].is_string(), "{:#}", run.report);

    // The next run completes the deferred records.
    let b = accepting();
    stage.set("API_TYPE_B_URL", b.url());
    let second = stage.run().expect(0);
    assert_eq!(
        (second.total("delivered"), second.total("deferred")),
        (60, 0)
    );
    assert_eq!(assert_accepted_all(&b, "v", 60), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_report_file_equals_the_report_on_stdout() {
    let (stage, _a, _b) = Stage::accepting("report-file", 1).await;
    stage.write_users(1010, "u", 5, 1);
    let file = stage.file("report.json", "");
    let run = stage
        .start_with(&["--report", file.to_str().unwrap()])
        .wait()
        .expect(0);
    let content: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(content, run.report);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn sigterm_lets_requests_finish_and_then_commits_and_reports() {
    let (a, b) = (accepting_after(Duration::from_millis(300)), accepting());
    let stage = Stage::new("sigterm", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 400, 2);
    let run = stage.start();
    assert!(a.wait_for(10, TIMEOUT));
    let requested = Instant::now();
    run.terminate();
    let run = run.wait().expect(12);
    assert!(
        requested.elapsed() < Duration::from_secs(5),
        "{:?}",
        requested.elapsed()
    );
    let first = accepted_names(&a).len();
    // No request in flight was cancelled: the report counts each request that the endpoint received.
    assert_eq!((run.total("delivered"), a.count()), (first as i64, first));
    assert_eq!(run.total("deferred"), 400 - first as i64);
    let fast = accepting();
    stage.to(&fast, &b).run().expect(0);
    assert_eq!(accepted_names(&fast).len(), 400 - first);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_shutdown_timeout_ends_the_wait_for_an_unresponsive_endpoint() {
    let (a, b) = (Endpoint::always(Answer::hang()).unwrap(), accepting());
    let stage = Stage::new("shutdown-timeout", 1).await.to(&a, &b);
    let stage = stage
        .with("SHUTDOWN_TIMEOUT", "1s")
        .with("REQUEST_TIMEOUT", "60s");
    stage.write_users(1010, "u", 10, 1);
    let run = stage.start();
    assert!(a.wait_for(1, TIMEOUT));
    let requested = Instant::now();
    run.terminate();
    let run = run.wait().expect_one_of(&[11, 12]);
    assert!(
        requested.elapsed() < Duration::from_secs(6),
        "{:?}",
        requested.elapsed()
    );
    assert_eq!((run.total("delivered"), run.total("deferred")), (0, 10));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn each_outcome_has_its_exit_code() {
    let (stage, a, _b) = Stage::accepting("exit-codes", 1).await;
    stage.write_users(1010, "u", 5, 1);
    // 64 usage, 78 configuration: the run ends before it reads a record.
    stage.start_with(&["--no-such-flag"]).wait().expect(64);
    for (flag, value) in [
        ("--max-in-flight", "many"),
        ("--deadline", "soon"),
        ("--concurrent-runs", "maybe"),
        ("--routes", "/nowhere"),
    ] {
        let run = stage.start_with(&[flag, value]).wait().expect(78);
        assert!(run.log.contains(value), "{}", run.log);
    }
    let bad_route =
        json!({"version": 1, "routes": [{"name": "A", "when": "id ==", "url": a.url()}]})
            .to_string();
    let file = stage.file("bad.json", &bad_route);
    stage
        .start_with(&["--routes", file.to_str().unwrap()])
        .wait()
        .expect(78);
    // 12 more work, 0 completed, 10 completed with dead letters. Other tests cover the remaining codes.
    stage
        .start_with(&["--window-max-records", "2"])
        .wait()
        .expect(12);
    stage.run().expect(0);
    stage.write(&[NewRecord::to(0, vec![0xff; 20])]);
    stage.run().expect(10);
    // 11 or 75: an endpoint is unavailable.
    stage.write_users(1010, "v", 1, 1);
    let run = stage
        .start_with(&["--api-type-a-url", &unused_url()])
        .wait()
        .expect_one_of(&[11, 75]);
    assert_eq!(run.total("deferred"), 1);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn repeated_windows_in_one_process_deliver_each_record_once() {
    let (stage, a, _b) = Stage::accepting("every", 2).await;
    stage.write_users(1010, "u", 10, 2);
    let file = stage.file("report.json", "");
    let run = stage.start_with(&["--every", "1s", "--report", file.to_str().unwrap()]);
    assert!(a.wait_for(10, TIMEOUT));
    let more: Vec<NewRecord> = users(1010, "u", 30, 2).split_off(10);
    stage.write(&more);
    assert!(a.wait_for(30, TIMEOUT));
    run.terminate();
    let run = run.wait().expect_one_of(&[0, 12]);
    assert_eq!(assert_accepted_all(&a, "u", 30), 0, "{}", run.log);
    assert_eq!(stage.total_committed(), 30);
    // Standard output has one line per window; the file has the last one.
    let lines: Vec<&str> = run.out.lines().collect();
    let delivered = |line: &&str| {
        let report: Value = serde_json::from_str(line).unwrap();
        assert_eq!(report["balanced"], true, "{report:#}");
        report["totals"]["delivered"].as_i64().unwrap()
    };
    assert!(lines.len() >= 2);
    assert_eq!(lines.iter().map(delivered).sum::<i64>(), 30);
    let content = std::fs::read_to_string(&file).unwrap();
    assert_eq!(content.trim_end(), *lines.last().unwrap());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn two_repeating_runs_recover_from_an_unavailable_endpoint() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let a = Endpoint::start(move |_| match down.load(Ordering::Relaxed) {
        true => Answer::status(503),
        false => Answer::ok(),
    })
    .unwrap();
    let b = accepting();
    let stage = Stage::new("every-two", 2).await.to(&a, &b);
    let stage = stage
        .with("MAX_ATTEMPTS", "2")
        .with("CIRCUIT_MAX_PROBES", "1");
    let both = |from: usize, to: usize| {
        let mut records = users(1010, "u", to, 2).split_off(from);
        records.extend(users(1020, "v", to, 2).split_off(from));
        stage.write(&records);
    };
    both(0, 20);
    let runs = [(); 2].map(|()| stage.start_with(&["--every", "100ms"]));
    assert!(b.wait_for(20, TIMEOUT));
    both(20, 40);
    assert!(b.wait_for(40, TIMEOUT));
    is_down.store(false, Ordering::Relaxed);
    let end = Instant::now() + TIMEOUT;
    while stage.total_committed() < 80 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for run in &runs {
        run.terminate();
    }
    let mut delivered = 0;
    for run in runs {
        let run = run.wait();
        for line in run.out.lines() {
            let report: Value = serde_json::from_str(line).unwrap();
            assert_eq!(report["balanced"], true, "{report:#}");
            delivered += report["totals"]["delivered"].as_i64().unwrap();
        }
    }
    assert_eq!(stage.total_committed(), 80);
    assert_eq!(
        delivered, 80,
        "each record is delivered once, by one of the runs"
    );
    assert_eq!(assert_accepted_all(&a, "u", 40), 0);
    assert_eq!(assert_accepted_all(&b, "v", 40), 0);
    assert_keys_agree([&a, &b]);
}
