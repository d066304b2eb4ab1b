//! Runs with `CONCURRENT_RUNS=share`.

use std::time::{Duration, Instant};

use crate::endpoints::{accepting, accepting_after, assert_accepted_all, assert_keys_agree};
use crate::run::TIMEOUT;
use crate::stage::Stage;

/// Runs until all records are committed. The partitions of a killed run are reassigned only after its session times
/// out, so one run may not be enough.
fn run_until_committed(stage: &Stage, records: i64) {
    let end = Instant::now() + TIMEOUT;
    while stage.total_committed() < records {
        assert!(Instant::now() < end, "committed {:?}", stage.committed());
        stage.run_when_free().expect_one_of(&[0, 11, 12]);
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn concurrent_runs_deliver_each_record_once() {
    let (a, b) = (accepting_after(Duration::from_millis(5)), accepting());
    let stage = Stage::new("share", 12).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 2_400, 12);
    let runs: Vec<_> = (0..3).map(|_| stage.start()).collect();
    let mut delivered = Vec::new();
    for run in runs {
        let run = run.wait().expect_one_of(&[0, 11, 12, 20]);
        delivered.push(
            run.report["totals"]["delivered"]
                .as_i64()
                .unwrap_or_default(),
        );
    }
    run_until_committed(&stage, 2_400);
    assert_eq!(
        assert_accepted_all(&a, "u", 2_400),
        0,
        "by run: {delivered:?}"
    );
    assert!(
        delivered.iter().filter(|count| **count > 0).count() >= 2,
        "one run delivered all records: {delivered:?}"
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_that_joins_later_takes_partitions_over_without_repeats() {
    let (a, b) = (accepting_after(Duration::from_millis(10)), accepting());
    let stage = Stage::new("share-late", 6).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 1_800, 6);
    let first = stage.start();
    assert!(a.wait_for(200, TIMEOUT));
    let second = stage.start();
    let (first, second) = (first.wait(), second.wait());
    assert!(
        [0, 11, 12].contains(&first.code),
        "{}: {:#}\n{}",
        first.code,
        first.report,
        first.log
    );
    assert!(
        [0, 11, 12, 20].contains(&second.code),
        "{}: {:#}\n{}",
        second.code,
        second.report,
        second.log
    );
    run_until_committed(&stage, 1_800);
    assert_eq!(assert_accepted_all(&a, "u", 1_800), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_that_joins_waits_for_the_slowest_request_of_the_other() {
    let (a, b) = (accepting_after(Duration::from_secs(6)), accepting());
    let stage = Stage::new("share-slow", 4).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("SHUTDOWN_TIMEOUT", "100ms")
        .with("REQUEST_TIMEOUT", "20s");
    stage.write_users(1010, "u", 40, 4);
    let first = stage.start();
    assert!(a.wait_for(40, TIMEOUT));
    let second = stage.start();
    let (first, second) = (first.wait(), second.wait());
    for run in [&first, &second] {
        assert!(
            [0, 11, 12, 20].contains(&run.code),
            "{}: {}",
            run.code,
            run.log
        );
    }
    run_until_committed(&stage, 40);
    assert_eq!(
        assert_accepted_all(&a, "u", 40),
        0,
        "{}\n{}",
        first.log,
        second.log
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_without_partitions_reports_a_concurrent_run() {
    let (a, b) = (accepting_after(Duration::from_millis(20)), accepting());
    let stage = Stage::new("share-none", 1).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "1")
        .with("START_TIMEOUT", "3s");
    stage.write_users(1010, "u", 600, 1);
    let first = stage.start();
    assert!(a.wait_for(20, TIMEOUT));
    let second = stage.run().expect(20);
    let notes = second.report["notes"].to_string();
    assert!(notes.contains("gave this run no partition"), "{notes}");
    assert_eq!(second.report["outcome"], "concurrent_run");
    let first = first.wait().expect(0);
    assert_eq!(first.total("delivered"), 600);
    assert_eq!(assert_accepted_all(&a, "u", 600), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_that_waits_for_partitions_ends_on_sigterm() {
    let (a, b) = (accepting_after(Duration::from_millis(20)), accepting());
    let stage = Stage::new("share-sigterm", 1).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "1")
        .with("START_TIMEOUT", "80s");
    stage.write_users(1010, "u", 3_000, 1);
    let first = stage.start();
    assert!(a.wait_for(20, TIMEOUT));
    let second = stage.start();
    std::thread::sleep(Duration::from_secs(3));
    second.terminate();
    let second = second.wait().expect(12);
    let notes = second.report["notes"].to_string();
    assert!(notes.contains("before it began"), "{notes}");
    assert!(
        second.elapsed < Duration::from_secs(40),
        "{:?}",
        second.elapsed
    );
    first.kill();
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn records_of_a_killed_run_are_delivered_by_the_others() {
    const MAX_IN_FLIGHT: usize = 4;
    let (a, b) = (accepting_after(Duration::from_millis(5)), accepting());
    let stage = Stage::new("share-kill", 8).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", MAX_IN_FLIGHT.to_string())
        .with("MAX_UNCOMMITTED", MAX_IN_FLIGHT.to_string());
    stage.write_users(1010, "u", 2_400, 8);
    let runs: Vec<_> = (0..3).map(|_| stage.start()).collect();
    assert!(a.wait_for(800, TIMEOUT));
    for (number, run) in runs.into_iter().enumerate() {
        if number == 1 {
            run.kill();
        } else {
            run.wait().expect_one_of(&[0, 11, 12, 20]);
        }
    }
    run_until_committed(&stage, 2_400);
    let repeats = assert_accepted_all(&a, "u", 2_400);
    assert!(repeats <= MAX_IN_FLIGHT, "{repeats} repeats");
    assert_keys_agree([&a]);
}
