//! Runs that share the work on purpose, or follow one another closely.

use std::time::{Duration, Instant};

use crate::endpoints::{assert_keys_agree, assert_took_all, takes_after, takes_all};
use crate::run::PATIENCE;
use crate::stage::Stage;

/// Runs until everything is committed. A run that came too late, or was killed, leaves its part to the next one; what
/// a killed one had is nobody's until its session ends, and a run that shares takes only what it is given.
fn run_to_the_end(stage: &Stage, records: i64) {
    let end = Instant::now() + PATIENCE;
    while stage.committed().values().sum::<i64>() < records {
        assert!(Instant::now() < end, "committed {:?}", stage.committed());
        let run = stage.run_when_free();
        assert!(
            [0, 11, 12].contains(&run.code),
            "{}: {:#}",
            run.code,
            run.report
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn runs_that_share_deliver_everything_once() {
    let (a, b) = (takes_after(Duration::from_millis(5)), takes_all());
    let stage = Stage::new("share", 12).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 2_400, 12);
    let runs: Vec<_> = (0..3).map(|_| stage.start()).collect();
    let mut delivered = Vec::new();
    for run in runs {
        let run = run.end();
        assert!(
            [0, 11, 12, 20].contains(&run.code),
            "{}: {:#}\n{}",
            run.code,
            run.report,
            run.log
        );
        delivered.push(
            run.report["totals"]["delivered"]
                .as_i64()
                .unwrap_or_default(),
        );
    }
    run_to_the_end(&stage, 2_400);
    assert_eq!(assert_took_all(&a, "u", 2_400), 0, "by run: {delivered:?}");
    assert!(
        delivered.iter().filter(|count| **count > 0).count() >= 2,
        "nobody shared: {delivered:?}"
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_that_joins_half_way_takes_over_without_repeats() {
    let (a, b) = (takes_after(Duration::from_millis(10)), takes_all());
    let stage = Stage::new("share-late", 6).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 1_800, 6);
    let first = stage.start();
    assert!(a.wait_for(200, PATIENCE));
    let second = stage.start();
    let (first, second) = (first.end(), second.end());
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
    run_to_the_end(&stage, 1_800);
    assert_eq!(assert_took_all(&a, "u", 1_800), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_that_joins_waits_for_the_slowest_request_of_the_other() {
    let (a, b) = (takes_after(Duration::from_secs(6)), takes_all());
    let stage = Stage::new("share-slow", 4).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("SHUTDOWN_TIMEOUT", "100ms")
        .with("REQUEST_TIMEOUT", "20s");
    stage.write_users(1010, "u", 40, 4);
    let first = stage.start();
    assert!(a.wait_for(40, PATIENCE));
    let second = stage.start();
    let (first, second) = (first.end(), second.end());
    for run in [&first, &second] {
        assert!(
            [0, 11, 12, 20].contains(&run.code),
            "{}: {}",
            run.code,
            run.log
        );
    }
    run_to_the_end(&stage, 40);
    assert_eq!(
        assert_took_all(&a, "u", 40),
        0,
        "{}\n{}",
        first.log,
        second.log
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_that_shares_where_others_have_all_partitions_says_so_and_leaves_them() {
    let (a, b) = (takes_after(Duration::from_millis(20)), takes_all());
    let stage = Stage::new("share-none", 1).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "1")
        .with("START_TIMEOUT", "3s");
    stage.write_users(1010, "u", 600, 1);
    let first = stage.start();
    assert!(a.wait_for(20, PATIENCE));
    let second = stage.run().expect(20);
    let told = second.report["notes"].to_string();
    assert!(told.contains("gave this run no partition"), "{told}");
    assert_eq!(second.report["outcome"], "concurrent_run");
    let first = first.end().expect(0);
    assert_eq!(first.total("delivered"), 600);
    assert_eq!(assert_took_all(&a, "u", 600), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_that_waits_for_its_share_ends_when_it_is_asked_to() {
    let (a, b) = (takes_after(Duration::from_millis(20)), takes_all());
    let stage = Stage::new("share-asked", 1).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "1")
        .with("START_TIMEOUT", "80s");
    stage.write_users(1010, "u", 3_000, 1);
    let first = stage.start();
    assert!(a.wait_for(20, PATIENCE));
    let second = stage.start();
    std::thread::sleep(Duration::from_secs(3));
    second.ask_to_stop();
    let second = second.end().expect(12);
    let told = second.report["notes"].to_string();
    assert!(told.contains("before it began"), "{told}");
    assert!(second.took < Duration::from_secs(40), "{:?}", second.took);
    first.kill();
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_killed_among_others_is_made_up_for() {
    const MAX_IN_FLIGHT: usize = 4;
    let (a, b) = (takes_after(Duration::from_millis(5)), takes_all());
    let stage = Stage::new("share-kill", 8).await.to(&a, &b);
    let stage = stage
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", MAX_IN_FLIGHT.to_string())
        .with("MAX_UNCOMMITTED", MAX_IN_FLIGHT.to_string());
    stage.write_users(1010, "u", 2_400, 8);
    let runs: Vec<_> = (0..3).map(|_| stage.start()).collect();
    assert!(a.wait_for(800, PATIENCE));
    for (number, run) in runs.into_iter().enumerate() {
        if number == 1 {
            run.kill();
        } else {
            let run = run.end();
            assert!(
                [0, 11, 12, 20].contains(&run.code),
                "{}: {:#}\n{}",
                run.code,
                run.report,
                run.log
            );
        }
    }
    run_to_the_end(&stage, 2_400);
    let repeats = assert_took_all(&a, "u", 2_400);
    assert!(repeats <= MAX_IN_FLIGHT, "{repeats} repeats");
    assert_keys_agree([&a]);
}
