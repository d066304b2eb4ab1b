//! Requests to the endpoints, and the offsets that are committed.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::kafka::{Kafka, Options};
use testkit::topics::Topics;
use testkit::user::User;

use crate::endpoints::{
    accepted_names, accepting, accepting_after, answering, assert_accepted_all, assert_keys_agree,
    unused_url,
};
use crate::run::TIMEOUT;
use crate::stage::{Stage, users};

/// Parses the partition and the offset from the idempotency key.
fn position(request: &Request) -> (i32, i64) {
    let key = request.header("idempotency-key").unwrap().trim_matches('"');
    let mut parts = key.rsplit('/');
    let offset = parts.next().unwrap().parse().unwrap();
    (parts.next().unwrap().parse().unwrap(), offset)
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_sigkill_loses_no_record_and_repeats_have_the_same_key() {
    const MAX_IN_FLIGHT: usize = 8;
    let (a, b) = (
        accepting_after(Duration::from_millis(3)),
        accepting_after(Duration::from_millis(3)),
    );
    let stage = Stage::new("sigkill", 3)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", MAX_IN_FLIGHT.to_string())
        .with("MAX_UNCOMMITTED", MAX_IN_FLIGHT.to_string());
    stage.write_users(1010, "u", 600, 3);
    stage.write_users(1020, "v", 600, 3);
    let mut kills = 0;
    for after in [0, 15, 30, 60, 90, 130, 180] {
        let before = a.count() + b.count();
        let mut run = stage.start();
        while run.is_running() && a.count() + b.count() < before + after {
            std::thread::sleep(Duration::from_millis(1));
        }
        kills += usize::from(run.kill().code == -9);
        std::thread::sleep(Duration::from_millis(300));
    }
    stage.run_when_free().expect(0);
    let repeats = assert_accepted_all(&a, "u", 600) + assert_accepted_all(&b, "v", 600);
    assert!(
        repeats <= kills * 2 * MAX_IN_FLIGHT,
        "{repeats} repeats after {kills} kills"
    );
    assert_keys_agree([&a, &b]);
    assert_eq!(stage.total_committed(), 1_200);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_committed_offset_never_passes_an_undelivered_record() {
    // Some requests take much longer than later ones.
    let delay = |partition: i32, offset: i64| {
        let slow = (offset * 7 + i64::from(partition)) % 11 == 0;
        Duration::from_millis(if slow { 200 } else { (offset % 5) as u64 })
    };
    let a = Endpoint::start(move |request| {
        let (partition, offset) = position(request);
        Answer::ok().after(delay(partition, offset))
    })
    .unwrap();
    let b = accepting();
    let stage = Stage::new("commit-order", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "8");
    stage.write_users(1010, "u", 800, 2);

    let done = AtomicBool::new(false);
    let seen: Vec<(Instant, BTreeMap<i32, i64>)> = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let topics = Topics::connect(&stage.bootstrap).unwrap();
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let committed = topics.committed(&stage.group, &stage.topic).unwrap();
                let offsets = committed
                    .into_iter()
                    .map(|(partition, one)| (partition, one.offset));
                let offsets = offsets.collect();
                seen.push((Instant::now(), offsets));
            }
            seen
        });
        stage.run().expect(0);
        done.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    let mut answered: BTreeMap<(i32, i64), Instant> = BTreeMap::new();
    for request in a.requests() {
        let (partition, offset) = position(&request);
        answered.insert((partition, offset), request.at + delay(partition, offset));
    }
    let mut between = 0;
    for (at, committed) in seen {
        for (partition, end) in committed {
            between += i64::from(end > 0 && end < 400);
            for offset in 0..end {
                let answered = answered[&(partition, offset)];
                assert!(
                    answered <= at,
                    "{partition}@{offset} was committed before it was answered"
                );
            }
        }
    }
    assert!(between > 0, "no commit was observed during the run");
    assert_eq!(stage.committed(), [(0, 400), (1, 400)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn deliveries_pause_while_commits_fail_and_a_kill_repeats_few_records() {
    const MAX_UNCOMMITTED: usize = 8;
    let options = Options {
        set: vec![
            "group.consumer.session.timeout.ms=3000".to_owned(),
            "group.consumer.heartbeat.interval.ms=500".to_owned(),
        ],
        ..Options::default()
    };
    let kafka = Kafka::start(&options).unwrap();
    let (a, b) = (accepting_after(Duration::from_millis(2)), accepting());
    let stage = Stage::on(&kafka, "broker-down", 2, &[]).await.to(&a, &b);
    let stage = stage
        .with("MAX_IN_FLIGHT", "4")
        .with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string());
    stage.write_users(1010, "u", 600, 2);
    let mut run = stage.start();
    assert!(a.wait_for(50, TIMEOUT));
    kafka.kill(1).await.unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let paused = a.count();
    std::thread::sleep(Duration::from_secs(2));
    assert!(run.is_running());
    assert_eq!(
        a.count(),
        paused,
        "requests continue while no offset is committed"
    );
    assert!(
        paused < 600,
        "all records were delivered before the broker was killed"
    );
    run.kill().expect(-9);
    kafka.restart(1).await.unwrap();
    stage.run_when_free().expect(0);
    let repeats = assert_accepted_all(&a, "u", 600);
    assert!(repeats <= MAX_UNCOMMITTED, "{repeats} repeats");
    assert_keys_agree([&a, &b]);
}

/// A delay that is much longer for some requests than for later ones.
fn out_of_order(partition: i32, offset: i64) -> Duration {
    let slow = (offset * 7 + i64::from(partition)) % 53 == 0;
    Duration::from_millis(if slow { 700 } else { (offset % 5) as u64 })
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_kill_repeats_only_requests_in_flight_when_the_commit_is_far_behind() {
    const MAX_IN_FLIGHT: usize = 8;
    let a = Endpoint::start(|request| {
        let (partition, offset) = position(request);
        Answer::ok().after(out_of_order(partition, offset))
    })
    .unwrap();
    let b = accepting();
    let stage = Stage::new("sigkill-behind", 2).await.to(&a, &b);
    let stage = stage
        .with("MAX_IN_FLIGHT", MAX_IN_FLIGHT.to_string())
        .with("MAX_UNCOMMITTED", MAX_IN_FLIGHT.to_string());
    stage.write_users(1010, "u", 1_500, 2);
    let (mut seen, mut most_behind) = (HashSet::new(), 0);
    for after in [120, 210, 170, 250] {
        let before = a.count();
        let mut run = stage.start();
        while a.count() < before + after {
            std::thread::sleep(Duration::from_millis(1));
            // The run exits while the session of the killed run is active.
            if !run.is_running() {
                run = stage.start();
            }
        }
        run.kill().expect(-9);
        // The endpoint reads the requests that were sent before the kill.
        std::thread::sleep(Duration::from_millis(300));
        let committed = stage.total_committed();
        let requests = a.requests();
        let sent: Vec<_> = requests[before..].iter().map(position).collect();
        let repeats = sent
            .iter()
            .filter(|position| seen.contains(*position))
            .count();
        assert!(
            repeats <= MAX_IN_FLIGHT,
            "{repeats} of {} requests are repeats",
            sent.len()
        );
        seen.extend(sent);
        most_behind = most_behind.max(seen.len() as i64 - committed);
    }
    assert!(
        most_behind > 4 * MAX_IN_FLIGHT as i64,
        "the commit was never far behind: {most_behind}"
    );
    stage.run_when_free().expect(0);
    let repeats = assert_accepted_all(&a, "u", 1_500);
    assert!(repeats <= 4 * MAX_IN_FLIGHT, "{repeats} repeats");
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn records_completed_beyond_the_commit_are_not_sent_again_after_a_kill() {
    const MAX_IN_FLIGHT: usize = 8;
    // The first request never completes, so no later offset can be committed.
    let stuck = answering("u-0", Answer::hang());
    let b = accepting();
    let stage = Stage::new("sigkill-stuck", 1).await.to(&stuck, &b);
    let stage = stage
        .with("MAX_IN_FLIGHT", MAX_IN_FLIGHT.to_string())
        .with("REQUEST_TIMEOUT", "60s");
    stage.write_users(1010, "u", 400, 1);
    let run = stage.start();
    assert!(stuck.wait_for(400, TIMEOUT));
    // Offsets are committed periodically, not after each record.
    std::thread::sleep(Duration::from_secs(2));
    run.kill().expect(-9);
    assert_eq!(stage.committed_offset(0), 0);

    let fast = accepting();
    stage.to(&fast, &b).run_when_free().expect(0);
    let names = accepted_names(&fast);
    assert!(names.contains(&"u-0".to_owned()));
    assert!(
        names.len() <= MAX_IN_FLIGHT,
        "{} repeats: {names:?}",
        names.len()
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_permanently_rejected_record_is_dead_lettered_and_the_others_are_delivered() {
    let a = answering("u-500", Answer::status(422).body("no such user"));
    let b = accepting();
    let stage = Stage::new("rejected", 3).await.to(&a, &b);
    stage.write_users(1010, "u", 1_000, 3);
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("delivered"), run.total("dead_lettered")),
        (999, 1)
    );
    assert_eq!(a.count(), 1_000, "a rejected record is not sent again");
    let dead_letters = stage.dead_letters();
    assert_eq!(dead_letters.len(), 1);
    let user = User::decode(dead_letters[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(user.name, "u-500");
    stage.run().expect(0);
    assert_eq!((a.count(), stage.dead_letters().len()), (1_000, 1));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_dead_letter_that_cannot_be_written_blocks_the_commit() {
    let (mut stage, a, _b) = Stage::accepting("unwritten", 1).await;
    let tiny = stage.create_limited_topic("20").await;
    stage.set("DEAD_LETTER_TOPIC", tiny);
    let mut records = users(1010, "u", 20, 1);
    records[7].value = Some(vec![0xff; 64]);
    stage.write(&records);
    let run = stage.run();
    assert!(
        ![0, 10, -9].contains(&run.code),
        "exit {}: {}",
        run.code,
        run.log
    );
    assert!(
        run.total("deferred") >= 1 && run.total("dead_lettered") == 0,
        "{:#}",
        run.report
    );
    assert!(stage.committed_offset(0) <= 7, "{:?}", stage.committed());

    let dead_letters = stage.dead_letter_topic();
    let stage = stage.with("DEAD_LETTER_TOPIC", &dead_letters);
    stage.run().expect(10);
    assert_eq!(stage.dead_letters().len(), 1);
    assert_eq!(stage.committed(), [(0, 20)].into());
    let mut names = accepted_names(&a);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 19);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_unavailable_endpoint_leaves_only_its_records_to_the_next_run() {
    let b = accepting();
    let mut stage = Stage::new("unavailable", 3).await;
    stage.set("API_TYPE_A_URL", unused_url());
    stage.set("API_TYPE_B_URL", b.url());
    let (a_users, b_users) = (users(1010, "u", 150, 3), users(1020, "v", 150, 3));
    let mixed: Vec<_> = a_users
        .into_iter()
        .zip(b_users)
        .flat_map(|(one, other)| [one, other])
        .collect();
    stage.write(&mixed);
    let run = stage.run().expect(11);
    assert_eq!((run.total("delivered"), run.total("deferred")), (150, 150));
    assert_eq!(assert_accepted_all(&b, "v", 150), 0);
    assert_eq!(run.route("A")["state"], "deferred");
    assert_eq!(stage.committed().values().copied().max().unwrap_or(0), 0);

    let a = accepting();
    stage.set("API_TYPE_A_URL", a.url());
    let run = stage.run().expect(0);
    assert_eq!(
        (run.total("delivered"), run.total("already_completed")),
        (150, 150)
    );
    assert_eq!(assert_accepted_all(&a, "u", 150), 0);
    assert_eq!(b.count(), 150, "records of B were sent again");
    assert_eq!(stage.total_committed(), 300);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_broker_without_commit_metadata_is_reported_and_causes_repeats_without_loss() {
    let options = Options {
        // Too small for an offset map, so commits have no metadata.
        set: vec!["offset.metadata.max.bytes=8".to_owned()],
        fast_join: true,
        ..Options::default()
    };
    let kafka = Kafka::start(&options).unwrap();
    let b = accepting();
    let mut stage = Stage::on(&kafka, "no-metadata", 2, &[]).await;
    stage.set("API_TYPE_A_URL", unused_url());
    stage.set("API_TYPE_B_URL", b.url());
    stage.write_users(1020, "early", 20, 2);
    stage.write_users(1010, "u", 40, 2);
    stage.write_users(1020, "v", 60, 2);
    let run = stage.run().expect(11);
    assert!(
        run.report["notes"]
            .to_string()
            .contains("keeps no metadata beside commits"),
        "{:#}\n{}",
        run.report,
        run.log
    );
    assert_eq!((run.total("delivered"), run.total("deferred")), (80, 40));
    assert_eq!(stage.committed(), [(0, 10), (1, 10)].into());

    let a = accepting();
    let run = stage.to(&a, &b).run().expect(0);
    assert_eq!(run.total("delivered"), 100);
    assert_eq!(assert_accepted_all(&a, "u", 40), 0);
    let names = accepted_names(&b);
    let accepted = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count();
    assert_eq!((accepted("early"), accepted("v")), (20, 120));
    assert_keys_agree([&a, &b]);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_second_of_two_concurrent_runs_exits_and_reports_the_first() {
    let (a, b) = (accepting_after(Duration::from_millis(20)), accepting());
    let stage = Stage::new("concurrent", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 600, 2);
    let first = stage.start();
    assert!(a.wait_for(10, TIMEOUT));
    let second = stage.run().expect(20);
    assert!(second.log.contains("another run is live"), "{}", second.log);
    assert!(
        second.elapsed < Duration::from_secs(5),
        "{:?}",
        second.elapsed
    );
    let first = first.wait().expect(0);
    assert_eq!(first.total("delivered"), 600);
    assert_eq!(assert_accepted_all(&a, "u", 600), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn two_runs_started_together_deliver_each_record_once() {
    let (a, b) = (accepting_after(Duration::from_millis(5)), accepting());
    let stage = Stage::new("concurrent-start", 4)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 400, 4);
    let (first, second) = (stage.start(), stage.start());
    let codes = [first.wait().code, second.wait().code];
    assert!(
        codes.iter().all(|code| [0, 12, 20].contains(code)),
        "{codes:?}"
    );
    while stage.run_when_free().expect(0).total("planned") > 0 {}
    assert_eq!(assert_accepted_all(&a, "u", 400), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_decoded_field_selects_the_endpoint() {
    let (stage, a, b) = Stage::accepting("fields", 3).await;
    stage.write_users(1010, "u", 30, 3);
    stage.write_users(1020, "v", 20, 3);
    stage.write_users(-1010, "unmatched", 10, 3);
    let run = stage.run().expect(0);
    assert_eq!(
        (
            assert_accepted_all(&a, "u", 30),
            assert_accepted_all(&b, "v", 20)
        ),
        (0, 0)
    );
    assert_eq!((run.total("delivered"), run.total("skipped")), (50, 10));
    assert_eq!(
        (&run.route("A")["delivered"], &run.route("B")["delivered"]),
        (&json!(30), &json!(20))
    );

    // The same with configured routes, on another field.
    let c = accepting();
    let stage = Stage::new("fields-routes", 1).await.routes(&json!([
        {"name": "prefix", "when": "name.startsWith('u-1')", "url": c.url()},
    ]));
    stage.write_users(7, "u", 20, 1);
    let run = stage.run().expect(0);
    assert_eq!(run.route("prefix")["delivered"], 11);
    assert_eq!(run.total("skipped"), 9);
    assert_eq!(
        c.requests()[0].header("content-type"),
        Some("application/octet-stream")
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn unmatched_records_are_counted_and_handled_as_configured() {
    let (a, b) = (accepting(), accepting());
    let stage = |name: &'static str, policy: &'static str| {
        let (a, b) = (&a, &b);
        async move {
            let stage = Stage::new(name, 1).await.to(a, b).with("UNMATCHED", policy);
            stage.write_users(999, "unmatched", 5, 1);
            stage
        }
    };
    let skipping = stage("unmatched-skip", "skip").await;
    assert_eq!(skipping.run().expect(0).total("skipped"), 5);

    let dead_lettering = stage("unmatched-dead-letter", "dead_letter").await;
    assert_eq!(dead_lettering.run().expect(10).total("dead_lettered"), 5);
    assert_eq!(dead_lettering.dead_letters().len(), 5);

    let stopping = stage("unmatched-stop", "stop").await;
    let run = stopping.run();
    assert!(
        ![0, 10, 12, -9].contains(&run.code),
        "exit {}: {}",
        run.code,
        run.log
    );
    assert_eq!(stopping.committed_offset(0), 0);
    assert_eq!(a.count() + b.count(), 0);
}
