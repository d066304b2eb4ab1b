//! What reaches the endpoints, and what is committed when (rows D1 to D9).

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::kafka::{Kafka, Options};
use testkit::topics::Topics;
use testkit::user::User;

use crate::endpoints::{
    assert_keys_agree, assert_took_all, nobody, taken, takes_after, takes_all, user_of,
};
use crate::run::PATIENCE;
use crate::stage::{Stage, users};

/// Partition and offset, as the idempotency key tells them.
fn place(request: &Request) -> (i32, i64) {
    let key = request.header("idempotency-key").unwrap().trim_matches('"');
    let mut parts = key.rsplit('/');
    let offset = parts.next().unwrap().parse().unwrap();
    (parts.next().unwrap().parse().unwrap(), offset)
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d1_kill_9_at_any_moment_loses_nothing_and_repeats_carry_the_same_key() {
    const MAX_IN_FLIGHT: usize = 8;
    let (a, b) = (
        takes_after(Duration::from_millis(3)),
        takes_after(Duration::from_millis(3)),
    );
    let stage = Stage::new("d1", 3)
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
        while run.runs() && a.count() + b.count() < before + after {
            std::thread::sleep(Duration::from_millis(1));
        }
        kills += usize::from(run.kill().code == -9);
        std::thread::sleep(Duration::from_millis(300));
    }
    stage.run_when_free().expect(0);
    let repeats = assert_took_all(&a, "u", 600) + assert_took_all(&b, "v", 600);
    assert!(
        repeats <= kills * 2 * MAX_IN_FLIGHT,
        "{repeats} repeats after {kills} kills"
    );
    assert_keys_agree([&a, &b]);
    assert_eq!(stage.committed().values().sum::<i64>(), 1_200);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d2_the_committed_offset_never_passes_an_undelivered_record() {
    // Some requests take much longer than those behind them.
    let delay = |partition: i32, offset: i64| {
        let slow = (offset * 7 + i64::from(partition)) % 11 == 0;
        Duration::from_millis(if slow { 200 } else { (offset % 5) as u64 })
    };
    let a = Endpoint::start(move |request| {
        let (partition, offset) = place(request);
        Answer::ok().after(delay(partition, offset))
    })
    .unwrap();
    let b = takes_all();
    let stage = Stage::new("d2", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "8");
    stage.write_users(1010, "u", 800, 2);

    let done = AtomicBool::new(false);
    let seen: Vec<(Instant, BTreeMap<i32, i64>)> = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let topics = Topics::of(&stage.bootstrap).unwrap();
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
        let (partition, offset) = place(&request);
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
    assert!(between > 0, "no commit was seen under way");
    assert_eq!(stage.committed(), [(0, 400), (1, 400)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d1_while_the_broker_takes_no_commit_deliveries_pause_and_a_kill_repeats_no_more() {
    const MAX_UNCOMMITTED: usize = 8;
    let options = Options {
        set: vec![
            "group.consumer.session.timeout.ms=3000".to_owned(),
            "group.consumer.heartbeat.interval.ms=500".to_owned(),
        ],
        ..Options::default()
    };
    let kafka = Kafka::start(&options).unwrap();
    let (a, b) = (takes_after(Duration::from_millis(2)), takes_all());
    let stage = Stage::on(&kafka, "d1-away", 2, &[]).await.to(&a, &b);
    let stage = stage
        .with("MAX_IN_FLIGHT", "4")
        .with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string());
    stage.write_users(1010, "u", 600, 2);
    let mut run = stage.start();
    assert!(a.wait_for(50, PATIENCE));
    kafka.kill(1).await.unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let paused = a.count();
    std::thread::sleep(Duration::from_secs(2));
    assert!(run.runs());
    assert_eq!(
        a.count(),
        paused,
        "requests go on though nothing is committed"
    );
    assert!(paused < 600, "all was delivered before the broker was gone");
    run.kill().expect(-9);
    kafka.revive(1).await.unwrap();
    stage.run_when_free().expect(0);
    let repeats = assert_took_all(&a, "u", 600);
    assert!(repeats <= MAX_UNCOMMITTED, "{repeats} repeats");
    assert_keys_agree([&a, &b]);
}

/// Some requests take much longer than those behind them.
fn out_of_order(partition: i32, offset: i64) -> Duration {
    let slow = (offset * 7 + i64::from(partition)) % 53 == 0;
    Duration::from_millis(if slow { 700 } else { (offset % 5) as u64 })
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d3_a_kill_in_mid_stream_repeats_only_what_was_in_flight_though_the_commit_is_far_behind() {
    const MAX_IN_FLIGHT: usize = 8;
    let a = Endpoint::start(|request| {
        let (partition, offset) = place(request);
        Answer::ok().after(out_of_order(partition, offset))
    })
    .unwrap();
    let b = takes_all();
    let stage = Stage::new("d3-mid", 2).await.to(&a, &b);
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
            // Fenced off by the run that was killed, until its session ends.
            if !run.runs() {
                run = stage.start();
            }
        }
        run.kill().expect(-9);
        // What the endpoint had been sent is read by now.
        std::thread::sleep(Duration::from_millis(300));
        let committed = stage.committed().values().sum::<i64>();
        let requests = a.requests();
        let sent: Vec<_> = requests[before..].iter().map(place).collect();
        let again = sent.iter().filter(|place| seen.contains(*place)).count();
        assert!(
            again <= MAX_IN_FLIGHT,
            "{again} of {} came again",
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
    let repeats = assert_took_all(&a, "u", 1_500);
    assert!(repeats <= 4 * MAX_IN_FLIGHT, "{repeats} repeats");
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d3_what_was_done_beyond_the_commit_is_not_sent_again_after_kill_9() {
    const MAX_IN_FLIGHT: usize = 8;
    // The first record hangs, so nothing can be committed past it.
    let stuck = Endpoint::start(|request| {
        if user_of(request).name == "u-0" {
            Answer::hang()
        } else {
            Answer::ok()
        }
    })
    .unwrap();
    let b = takes_all();
    let stage = Stage::new("d3", 1).await.to(&stuck, &b);
    let stage = stage
        .with("MAX_IN_FLIGHT", MAX_IN_FLIGHT.to_string())
        .with("REQUEST_TIMEOUT", "60s");
    stage.write_users(1010, "u", 400, 1);
    let run = stage.start();
    assert!(stuck.wait_for(400, PATIENCE));
    // Progress is committed now and then, not at every record.
    std::thread::sleep(Duration::from_secs(2));
    run.kill().expect(-9);
    assert_eq!(stage.committed().get(&0).copied().unwrap_or(0), 0);

    let fast = takes_all();
    stage.to(&fast, &b).run_when_free().expect(0);
    let names = taken(&fast);
    assert!(names.contains(&"u-0".to_owned()));
    assert!(
        names.len() <= MAX_IN_FLIGHT,
        "{} records came again: {names:?}",
        names.len()
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d4_a_record_refused_for_good_is_a_dead_letter_and_the_rest_is_delivered() {
    let a = Endpoint::start(|request| {
        if user_of(request).name == "u-500" {
            Answer::status(422).body("no such user")
        } else {
            Answer::ok()
        }
    })
    .unwrap();
    let b = takes_all();
    let stage = Stage::new("d4", 3).await.to(&a, &b);
    stage.write_users(1010, "u", 1_000, 3);
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("delivered"), run.total("dead_lettered")),
        (999, 1)
    );
    assert_eq!(a.count(), 1_000, "a refused record is not sent again");
    let letters = stage.dead_letters();
    assert_eq!(letters.len(), 1);
    let user = User::decode(letters[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(user.name, "u-500");
    stage.run().expect(0);
    assert_eq!((a.count(), stage.dead_letters().len()), (1_000, 1));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d5_a_dead_letter_that_cannot_be_written_holds_the_commit() {
    let (a, b) = (takes_all(), takes_all());
    let mut stage = Stage::new("d5", 1).await.to(&a, &b);
    stage
        .topics
        .create(
            &format!("{}-tiny", stage.topic),
            1,
            &[("max.message.bytes", "20")],
        )
        .await
        .unwrap();
    stage.set("DEAD_LETTER_TOPIC", format!("{}-tiny", stage.topic));
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
    assert!(
        stage.committed().get(&0).is_none_or(|offset| *offset <= 7),
        "{:?}",
        stage.committed()
    );

    let dead_letters = stage.dead_letter_topic();
    let stage = stage.with("DEAD_LETTER_TOPIC", &dead_letters);
    stage.run().expect(10);
    assert_eq!(stage.dead_letters().len(), 1);
    assert_eq!(stage.committed(), [(0, 20)].into());
    let mut names = taken(&a);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 19);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d6_an_endpoint_that_is_down_costs_the_other_nothing_and_the_next_run_sends_only_its_records()
 {
    let b = takes_all();
    let mut stage = Stage::new("d6", 3).await;
    stage.set("API_TYPE_A_URL", nobody());
    stage.set("API_TYPE_B_URL", b.url());
    let (ours, theirs) = (users(1010, "u", 150, 3), users(1020, "v", 150, 3));
    let mixed: Vec<_> = ours
        .into_iter()
        .zip(theirs)
        .flat_map(|(one, other)| [one, other])
        .collect();
    stage.write(&mixed);
    let run = stage.run().expect(11);
    assert_eq!((run.total("delivered"), run.total("deferred")), (150, 150));
    assert_eq!(assert_took_all(&b, "v", 150), 0);
    assert_eq!(run.route("A")["state"], "deferred");
    assert_eq!(stage.committed().values().copied().max().unwrap_or(0), 0);

    let a = takes_all();
    stage.set("API_TYPE_A_URL", a.url());
    let run = stage.run().expect(0);
    assert_eq!(
        (run.total("delivered"), run.total("already_completed")),
        (150, 150)
    );
    assert_eq!(assert_took_all(&a, "u", 150), 0);
    assert_eq!(b.count(), 150, "B's records were sent again");
    assert_eq!(stage.committed().values().sum::<i64>(), 300);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d6_a_broker_that_keeps_no_commit_metadata_is_noticed_and_costs_repeats_and_no_record() {
    let options = Options {
        // Less than any done-map needs, so that commits go without.
        set: vec!["offset.metadata.max.bytes=8".to_owned()],
        fast_join: true,
        ..Options::default()
    };
    let kafka = Kafka::start(&options).unwrap();
    let b = takes_all();
    let mut stage = Stage::on(&kafka, "d6-bare", 2, &[]).await;
    stage.set("API_TYPE_A_URL", nobody());
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

    let a = takes_all();
    let run = stage.to(&a, &b).run().expect(0);
    assert_eq!(run.total("delivered"), 100);
    assert_eq!(assert_took_all(&a, "u", 40), 0);
    let names = taken(&b);
    let repeats = |name: &str| names.iter().filter(|taken| taken.starts_with(name)).count();
    assert_eq!((repeats("early"), repeats("v")), (20, 120));
    assert_keys_agree([&a, &b]);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d7_of_two_runs_at_once_the_second_says_why_it_leaves() {
    let (a, b) = (takes_after(Duration::from_millis(20)), takes_all());
    let stage = Stage::new("d7", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 600, 2);
    let first = stage.start();
    assert!(a.wait_for(10, PATIENCE));
    let second = stage.run().expect(20);
    assert!(second.log.contains("another run is live"), "{}", second.log);
    assert!(second.took < Duration::from_secs(5), "{:?}", second.took);
    let first = first.end().expect(0);
    assert_eq!(first.total("delivered"), 600);
    assert_eq!(assert_took_all(&a, "u", 600), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d7_two_runs_that_start_in_the_same_moment_deliver_nothing_twice() {
    let (a, b) = (takes_after(Duration::from_millis(5)), takes_all());
    let stage = Stage::new("d7-tie", 4)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "4");
    stage.write_users(1010, "u", 400, 4);
    let (first, second) = (stage.start(), stage.start());
    let codes = [first.end().code, second.end().code];
    assert!(
        codes.iter().all(|code| [0, 12, 20].contains(code)),
        "{codes:?}"
    );
    while stage.run_when_free().expect(0).total("planned") > 0 {}
    assert_eq!(assert_took_all(&a, "u", 400), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d8_a_decoded_field_decides_the_endpoint() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("d8", 3).await.to(&a, &b);
    stage.write_users(1010, "u", 30, 3);
    stage.write_users(1020, "v", 20, 3);
    stage.write_users(-1010, "nobody", 10, 3);
    let run = stage.run().expect(0);
    assert_eq!(
        (assert_took_all(&a, "u", 30), assert_took_all(&b, "v", 20)),
        (0, 0)
    );
    assert_eq!((run.total("delivered"), run.total("skipped")), (50, 10));
    assert_eq!(
        (&run.route("A")["delivered"], &run.route("B")["delivered"]),
        (&json!(30), &json!(20))
    );

    // The same by routes of one's own, on another field and with a body of its own type.
    let c = takes_all();
    let stage = Stage::new("d8-own", 1).await.routes(&json!([
        {"name": "letters", "when": "name.startsWith('u-1')", "url": c.url()},
    ]));
    stage.write_users(7, "u", 20, 1);
    let run = stage.run().expect(0);
    assert_eq!(run.route("letters")["delivered"], 11);
    assert_eq!(run.total("skipped"), 9);
    assert_eq!(
        c.requests()[0].header("content-type"),
        Some("application/octet-stream")
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn d9_what_no_route_matches_is_counted_and_goes_where_the_setting_says() {
    let (a, b) = (takes_all(), takes_all());
    let stage = |name: &'static str, policy: &'static str| {
        let (a, b) = (&a, &b);
        async move {
            let stage = Stage::new(name, 1).await.to(a, b).with("UNMATCHED", policy);
            stage.write_users(999, "nobody", 5, 1);
            stage
        }
    };
    let passing = stage("d9-pass", "skip").await;
    assert_eq!(passing.run().expect(0).total("skipped"), 5);

    let burying = stage("d9-bury", "dead_letter").await;
    assert_eq!(burying.run().expect(10).total("dead_lettered"), 5);
    assert_eq!(burying.dead_letters().len(), 5);

    let stopping = stage("d9-stop", "stop").await;
    let run = stopping.run();
    assert!(
        ![0, 10, 12, -9].contains(&run.code),
        "exit {}: {}",
        run.code,
        run.log
    );
    assert_eq!(stopping.committed().get(&0).copied().unwrap_or(0), 0);
    assert_eq!(a.count() + b.count(), 0);
}
