//! The report, the exit codes, SIGTERM (rows T2, T5, Q6, Q7), and windows one after another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint};
use testkit::topics::New;

use crate::endpoints::{assert_keys_agree, assert_took_all, nobody, taken, takes_after, takes_all};
use crate::run::PATIENCE;
use crate::stage::{Stage, users};

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn t2_the_report_tells_the_lag_before_and_after() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("t2", 2)
        .await
        .to(&a, &b)
        .with("WINDOW_MAX_RECORDS", "30");
    stage.write_users(1010, "u", 100, 2);
    let run = stage.run().expect(12);
    for partition in [0, 1] {
        assert_eq!(run.of_partition(partition, "lag_before"), 50);
        let end = stage.topics.watermarks(&stage.topic).unwrap()[&partition].1;
        let lag = end - stage.committed()[&partition];
        assert_eq!(run.of_partition(partition, "lag_after"), lag);
        assert_eq!(
            run.of_partition(partition, "committed"),
            stage.committed()[&partition]
        );
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn t5_the_report_of_a_mixed_window_balances_to_the_record() {
    let a = Endpoint::start(|request| match request.number % 7 {
        3 => Answer::status(503),
        5 => Answer::status(429).header("retry-after", "0"),
        _ => Answer::ok(),
    })
    .unwrap();
    // Two answers in seven are failures: with the usual five attempts, some record would use them up now and then.
    let mut stage = Stage::new("t5", 3).await.with("MAX_ATTEMPTS", "20");
    stage.set("API_TYPE_A_URL", a.url());
    stage.set("API_TYPE_B_URL", nobody());
    stage.write_users(1010, "u", 90, 3);
    stage.write_users(1020, "v", 60, 3);
    stage.write_users(999, "nobody", 30, 3);
    stage.write(&[
        New::to(0, vec![0xff; 20]),
        New {
            partition: Some(1),
            ..New::default()
        },
    ]);
    stage
        .topics
        .whole_transaction(&stage.topic, &users(1010, "aborted", 6, 3), false)
        .unwrap();
    let run = stage.run().expect(11);
    // `end` has checked every sum; these are the parts.
    assert_eq!((run.total("delivered"), run.total("deferred")), (90, 60));
    assert_eq!((run.total("skipped"), run.total("dead_lettered")), (31, 1));
    assert_eq!(
        (run.total("empty_offsets"), run.total("planned")),
        (6 + 3, 90 + 60 + 30 + 2 + 9)
    );
    let route = run.route("A");
    assert_eq!(route["attempts"], a.count());
    assert_eq!(route["statuses"]["200"], 90);
    let of = |status: u16| {
        a.requests()
            .iter()
            .filter(|request| request.answered == Some(status))
            .count()
    };
    assert_eq!(
        (&route["statuses"]["503"], &route["statuses"]["429"]),
        (&json!(of(503)), &json!(of(429)))
    );
    let nobody = run.route("B");
    assert!(nobody["attempts"].as_u64() > Some(0));
    assert_eq!(nobody["connection_errors"], nobody["attempts"]);
    assert!(
        route["latency_ms"]["max"].as_f64().unwrap()
            >= route["latency_ms"]["p50"].as_f64().unwrap()
    );
    assert_eq!(run.report["topic"], stage.topic.as_str());
    assert_eq!(run.report["group"], stage.group.as_str());
    assert!(run.report["topic_id"].is_string(), "{:#}", run.report);

    // The next run settles what was left, and its report knows what was already completed.
    let b = takes_all();
    stage.set("API_TYPE_B_URL", b.url());
    let again = stage.run().expect(0);
    assert_eq!((again.total("delivered"), again.total("deferred")), (60, 0));
    assert_eq!(assert_took_all(&b, "v", 60), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn t5_a_report_file_holds_what_stdout_holds() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("t5-file", 1).await.to(&a, &b);
    stage.write_users(1010, "u", 5, 1);
    let file = stage.file("report.json", "");
    let run = stage
        .start_with(&["--report", file.to_str().unwrap()])
        .end()
        .expect(0);
    let kept: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(kept, run.report);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn q6_sigterm_lets_requests_finish_commits_and_reports() {
    let (a, b) = (takes_after(Duration::from_millis(300)), takes_all());
    let stage = Stage::new("q6", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 400, 2);
    let run = stage.start();
    assert!(a.wait_for(10, PATIENCE));
    let asked = Instant::now();
    run.ask_to_stop();
    let run = run.end().expect(12);
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    let first = taken(&a).len();
    // Nothing in flight was cut: what the endpoint read is what the report counts.
    assert_eq!((run.total("delivered"), a.count()), (first as i64, first));
    assert_eq!(run.total("deferred"), 400 - first as i64);
    let fast = takes_all();
    stage.to(&fast, &b).run().expect(0);
    assert_eq!(taken(&fast).len(), 400 - first);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn q6_the_grace_ends_the_wait_for_an_endpoint_that_hangs() {
    let (a, b) = (Endpoint::always(Answer::hang()).unwrap(), takes_all());
    let stage = Stage::new("q6-shutdown_timeout", 1).await.to(&a, &b);
    let stage = stage
        .with("SHUTDOWN_TIMEOUT", "1s")
        .with("REQUEST_TIMEOUT", "60s");
    stage.write_users(1010, "u", 10, 1);
    let run = stage.start();
    assert!(a.wait_for(1, PATIENCE));
    let asked = Instant::now();
    run.ask_to_stop();
    let run = run.end();
    assert!([11, 12].contains(&run.code), "{}", run.code);
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!((run.total("delivered"), run.total("deferred")), (0, 10));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn q7_each_way_to_end_has_its_exit_code() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("q7", 1).await.to(&a, &b);
    stage.write_users(1010, "u", 5, 1);
    // 64 usage, 78 configuration: nothing was read yet.
    stage.start_with(&["--no-such-flag"]).end().expect(64);
    for (flag, value) in [
        ("--max-in-flight", "many"),
        ("--deadline", "soon"),
        ("--concurrent-runs", "maybe"),
        ("--routes", "/nowhere"),
    ] {
        let run = stage.start_with(&[flag, value]).end().expect(78);
        assert!(run.log.contains(value), "{}", run.log);
    }
    let bad_route = json!([{"name": "A", "when": "id ==", "url": a.url()}]).to_string();
    let file = stage.file("bad.json", &bad_route);
    stage
        .start_with(&["--routes", file.to_str().unwrap()])
        .end()
        .expect(78);
    // 12 more work left, 0 done, 10 done with dead letters; the others have tests of their own.
    stage
        .start_with(&["--window-max-records", "2"])
        .end()
        .expect(12);
    stage.run().expect(0);
    stage.write(&[New::to(0, vec![0xff; 20])]);
    stage.run().expect(10);
    // 11 partial.
    stage.write_users(1010, "v", 1, 1);
    let run = stage.start_with(&["--api-type-a-url", &nobody()]).end();
    assert!([11, 75].contains(&run.code), "{}: {}", run.code, run.log);
    assert_eq!(run.total("deferred"), 1);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn windows_one_after_another_in_one_process_keep_the_same_promises() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("every", 2).await.to(&a, &b);
    stage.write_users(1010, "u", 10, 2);
    let file = stage.file("report.json", "");
    let run = stage.start_with(&["--every", "1s", "--report", file.to_str().unwrap()]);
    assert!(a.wait_for(10, PATIENCE));
    let more: Vec<New> = users(1010, "u", 30, 2).split_off(10);
    stage.write(&more);
    assert!(a.wait_for(30, PATIENCE));
    run.ask_to_stop();
    let run = run.end();
    assert!([0, 12].contains(&run.code), "{}: {}", run.code, run.log);
    assert_eq!(assert_took_all(&a, "u", 30), 0, "{}", run.log);
    assert_eq!(stage.committed().values().sum::<i64>(), 30);
    // A line for each window on standard output, and the last of them in the file.
    let lines: Vec<&str> = run.out.lines().collect();
    let delivered = |line: &&str| {
        let report: Value = serde_json::from_str(line).unwrap();
        assert_eq!(report["balanced"], true, "{report:#}");
        report["totals"]["delivered"].as_i64().unwrap()
    };
    assert!(lines.len() >= 2);
    assert_eq!(lines.iter().map(delivered).sum::<i64>(), 30);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept.trim_end(), *lines.last().unwrap());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn two_processes_that_stay_get_over_an_endpoint_that_is_down_and_over_each_other() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let a = Endpoint::start(move |_| match down.load(Ordering::Relaxed) {
        true => Answer::status(503),
        false => Answer::ok(),
    })
    .unwrap();
    let b = takes_all();
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
    assert!(b.wait_for(20, PATIENCE));
    both(20, 40);
    assert!(b.wait_for(40, PATIENCE));
    is_down.store(false, Ordering::Relaxed);
    let end = Instant::now() + PATIENCE;
    while stage.committed().values().sum::<i64>() < 80 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for run in &runs {
        run.ask_to_stop();
    }
    let mut delivered = 0;
    for run in runs {
        let run = run.end();
        for line in run.out.lines() {
            let report: Value = serde_json::from_str(line).unwrap();
            assert_eq!(report["balanced"], true, "{report:#}");
            delivered += report["totals"]["delivered"].as_i64().unwrap();
        }
    }
    assert_eq!(stage.committed().values().sum::<i64>(), 80);
    assert_eq!(
        delivered, 80,
        "each record was delivered by one of them, once"
    );
    assert_eq!(assert_took_all(&a, "u", 40), 0);
    assert_eq!(assert_took_all(&b, "v", 40), 0);
    assert_keys_agree([&a, &b]);
}
