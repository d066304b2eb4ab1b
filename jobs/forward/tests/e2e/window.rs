//! Which records a window holds, and that it ends (rows W1 to W11).

use std::time::{Duration, Instant};

use testkit::endpoint::{Answer, Endpoint};
use testkit::kafka::Kafka;
use testkit::records;
use testkit::topics::New;
use testkit::user::User;

use crate::endpoints::{assert_took_all, nobody, taken, takes_after, takes_all};
use crate::stage::{Stage, users};

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w1_an_empty_backlog_ends_with_0_at_once() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w1", 8).await.to(&a, &b);
    let run = stage.run().expect(0);
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
    assert_eq!((run.total("planned"), a.count() + b.count()), (0, 0));

    // The same where everything was delivered before.
    stage.write_users(1010, "u", 16, 8);
    stage.run().expect(0);
    let run = stage.run().expect(0);
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
    assert_eq!((run.total("planned"), assert_took_all(&a, "u", 16)), (0, 0));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w2_records_produced_after_the_start_wait_for_the_next_run() {
    let (a, b) = (takes_after(Duration::from_millis(20)), takes_all());
    let stage = Stage::new("w2", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "2");
    stage.write_users(1010, "early", 60, 2);
    let run = stage.start();
    assert!(a.wait_for(1, Duration::from_secs(30)));
    for _ in 0..5 {
        stage.write_users(1010, "late", 20, 2);
    }
    run.end().expect(0);
    assert_eq!(assert_took_all(&a, "early", 60), 0);
    let run = stage.run().expect(0);
    assert_eq!(run.total("delivered"), 100);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w3_a_run_ends_though_the_last_offsets_are_aborted_or_control_records() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w3-aborted", 1).await.to(&a, &b);
    let (topics, topic) = (&stage.topics, &stage.topic);
    topics
        .whole_transaction(topic, &users(1010, "aborted", 5, 1), false)
        .unwrap();
    topics
        .whole_transaction(topic, &users(1010, "u", 5, 1), true)
        .unwrap();
    topics
        .whole_transaction(topic, &users(1010, "aborted", 5, 1), false)
        .unwrap();
    let run = stage.run().expect(0);
    assert_eq!(assert_took_all(&a, "u", 5), 0);
    // Ten aborted records and three markers.
    assert_eq!(
        (run.total("delivered"), run.total("empty_offsets")),
        (5, 13)
    );
    assert_eq!(stage.committed(), [(0, 18)].into());

    // Nothing but aborted records.
    topics
        .whole_transaction(topic, &users(1010, "aborted", 3, 1), false)
        .unwrap();
    let run = stage.run().expect(0);
    assert_eq!((run.total("delivered"), run.total("empty_offsets")), (0, 4));
    assert_eq!(stage.run().expect(0).total("planned"), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w3_a_run_counts_what_compaction_removed_as_gaps() {
    let (a, b) = (takes_all(), takes_all());
    let compacted = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "100"),
    ];
    let stage = Stage::on(Kafka::shared().unwrap(), "w3-compacted", 1, &compacted)
        .await
        .to(&a, &b);
    stage.write_users(1010, "u", 200, 1);
    let end = Instant::now() + Duration::from_secs(60);
    let left = loop {
        // Only a closed segment is cleaned, and only a write closes one.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let record = New {
            key: Some(b"other".to_vec()),
            ..New::to(0, User::new(999, "other").encode())
        };
        stage.write(&[record]);
        let left = records::all(&stage.bootstrap, &stage.topic).unwrap();
        if left.len() < 100 || Instant::now() > end {
            break left;
        }
    };
    assert!(left.len() < 100, "nothing was compacted");
    let run = stage.run().expect(0);
    // Compaction may have gone on since, so the balance says it all; ten keys are left at most.
    assert!(
        run.total("empty_offsets") >= 190 && run.total("delivered") <= 10,
        "{:#}",
        run.report
    );
    assert_eq!(taken(&a).len() as i64, run.total("delivered"));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w3_an_open_transaction_waits_and_is_not_skipped() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w3-open", 1).await.to(&a, &b);
    stage.write_users(1010, "u", 3, 1);
    let open = stage
        .topics
        .open_transaction(&stage.topic, &users(1010, "later", 2, 1))
        .unwrap();
    let behind: Vec<New> = users(1010, "behind", 2, 1);
    stage.write(&behind);
    stage.run().expect(0);
    assert_eq!(assert_took_all(&a, "u", 3), 0);
    assert_eq!(stage.committed(), [(0, 3)].into());
    open.commit().unwrap();
    stage.run().expect(0);
    let mut names = taken(&a);
    names.sort();
    assert_eq!(
        names,
        [
            "behind-0", "behind-1", "later-0", "later-1", "u-0", "u-1", "u-2"
        ]
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w4_a_window_between_two_times_holds_what_was_written_between_them() {
    let (a, b) = (takes_all(), takes_all());
    // Or records of 2020 would be retired at once.
    let kept = [("retention.ms", "-1")];
    let stage = Stage::on(Kafka::shared().unwrap(), "w4", 2, &kept)
        .await
        .to(&a, &b);
    let day = |day: i64| 1_577_836_800_000 + day * 86_400_000; // 2020-01-01 and after
    for (number, name) in ["first", "second", "third"].into_iter().enumerate() {
        let mut records = users(1010, name, 10 + number, 2);
        for record in &mut records {
            record.timestamp = Some(day(number as i64));
        }
        stage.write(&records);
    }
    let window = |from: &str, until: &str| {
        let run = stage
            .start_with(&["--window-start", from, "--window-end", until])
            .end()
            .expect(0);
        run.total("delivered")
    };
    assert_eq!(window("2020-01-02T00:00:00Z", "2020-01-03T00:00:00Z"), 11);
    assert_eq!(assert_took_all(&a, "second", 11), 0);
    assert_eq!(window("2020-01-01T12:00:00Z", "now"), 23);
    assert_eq!(window("earliest", "2020-01-02T00:00:00Z"), 10);
    assert_eq!(window("2020-01-03T00:00:01Z", "now"), 0);
    // These were replays: the group is where it was.
    assert_eq!(stage.committed(), [].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w5_a_window_between_explicit_offsets_holds_exactly_these() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w5", 3).await.to(&a, &b);
    stage.write_users(1010, "u", 60, 3);
    let flags = ["--window-start", "0:5,2:0", "--window-end", "0:9,2:1"];
    let run = stage.start_with(&flags).end().expect(0);
    assert_eq!(run.total("planned"), 5);
    let mut names = taken(&a);
    names.sort();
    // Record n lies in partition n % 3 at offset n / 3.
    assert_eq!(names, ["u-15", "u-18", "u-2", "u-21", "u-24"]);
    assert_eq!(stage.committed(), [].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w6_a_cap_on_records_is_shared_so_that_no_partition_starves() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w6", 3)
        .await
        .to(&a, &b)
        .with("WINDOW_MAX_RECORDS", "1000");
    let in_one = |partition: i32, count: usize| {
        let mut records = users(999, "nobody", count, 1);
        records
            .iter_mut()
            .for_each(|record| record.partition = Some(partition));
        stage.write(&records);
    };
    in_one(0, 20_000);
    in_one(1, 1_000);
    in_one(2, 1);
    let run = stage.run().expect(12);
    assert_eq!(run.total("planned"), 1_000);
    assert_eq!(run.of_partition(2, "planned"), 1);
    assert!(run.of_partition(1, "planned") >= 40, "{:#}", run.report);
    assert!(run.of_partition(0, "planned") >= 900, "{:#}", run.report);
    let again = stage.run().expect(12);
    assert_eq!(again.total("planned"), 1_000);
    assert_eq!(stage.committed().values().sum::<i64>(), 2_000);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w7_a_cap_on_bytes_is_exact_to_one_record() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w7", 2)
        .await
        .to(&a, &b)
        .with("WINDOW_MAX_BYTES", "1000");
    let records = users(1010, "u", 100, 2);
    let largest = records
        .iter()
        .filter_map(|record| record.value.as_ref())
        .map(Vec::len)
        .max()
        .unwrap();
    stage.write(&records);
    stage.run().expect(12);
    let bytes: usize = a.requests().iter().map(|request| request.body.len()).sum();
    assert!(
        bytes <= 1_000 + largest && bytes + largest >= 1_000,
        "{bytes} bytes"
    );
    let mut runs = 1;
    while stage.run().code == 12 {
        runs += 1;
        assert!(runs < 20, "the windows do not come to an end");
    }
    assert_eq!(assert_took_all(&a, "u", 100), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w8_a_deadline_leaves_time_to_drain_and_commit() {
    let slow = takes_after(Duration::from_millis(200));
    let b = takes_all();
    let mut stage = Stage::new("w8", 2).await.to(&slow, &b);
    stage.set("MAX_IN_FLIGHT", "4");
    stage.set("DEADLINE", "4s");
    stage.write_users(1010, "u", 1_000, 2);
    let run = stage.run().expect(12);
    assert!(run.took < Duration::from_secs(6), "{:?}", run.took);
    let first = taken(&slow).len();
    assert!(first > 0 && first < 1_000, "{first}");
    assert_eq!(run.total("delivered"), first as i64);
    // What was delivered is committed, or noted beside the commit: nothing comes twice.
    let fast = takes_all();
    let stage = stage
        .to(&fast, &b)
        .with("DEADLINE", "60s")
        .with("MAX_IN_FLIGHT", "64");
    stage.run().expect(0);
    assert_eq!(taken(&fast).len() + first, 1_000);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w9_a_commit_that_fell_off_the_log_stops_the_run_with_the_number_of_lost_records() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w9", 2).await.to(&a, &b);
    stage.write_users(1010, "u", 20, 2);
    stage.run().expect(0);
    stage.write_users(1010, "v", 40, 2);
    stage
        .topics
        .delete_before(&stage.topic, 1, 25)
        .await
        .unwrap();
    let run = stage.run().expect(76);
    let told = format!("{} {}", run.report, run.log);
    assert!(told.contains("15") && told.contains("10"), "{told}");
    assert_eq!(taken(&a).len(), 20);
    assert_eq!(stage.committed(), [(0, 10), (1, 10)].into());

    let stage = stage.with("ON_DATA_LOSS", "continue");
    let run = stage.run().expect(0);
    assert_eq!(run.total("delivered"), 20 + 5);
    assert_eq!(stage.committed(), [(0, 30), (1, 30)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w9_what_a_route_had_left_and_the_log_has_lost_holds_up_nothing_behind_it() {
    let (a, b) = (takes_all(), takes_all());
    let mut stage = Stage::new("w9-left", 1).await.to(&a, &b);
    stage.set("API_TYPE_A_URL", nobody());
    for number in 0..50 {
        stage.write_users(1010, &format!("u{number}"), 1, 1);
        stage.write_users(1020, &format!("v{number}"), 1, 1);
    }
    stage.run().expect(11);
    assert_eq!(b.count(), 50);
    stage
        .topics
        .delete_before(&stage.topic, 0, 60)
        .await
        .unwrap();
    stage.set("API_TYPE_A_URL", a.url());
    let told = stage.run().expect(76);
    assert!(
        told.log.contains(
            "offsets 0 to 59 are gone from the log, including records that earlier runs deferred"
        ),
        "{}",
        told.log
    );
    stage.set("ON_DATA_LOSS", "continue");
    let run = stage.run().expect(0);
    assert_eq!((run.total("delivered"), run.total("deferred")), (20, 0));
    assert_eq!((a.count(), b.count()), (20, 50));
    assert_eq!(stage.committed(), [(0, 100)].into());
    stage.set("ON_DATA_LOSS", "stop");
    stage.run().expect(0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w5_a_window_from_an_offset_that_is_gone_stops_with_the_number_of_lost_records() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w5-gone", 1).await.to(&a, &b);
    stage.write_users(1010, "u", 20, 1);
    stage
        .topics
        .delete_before(&stage.topic, 0, 12)
        .await
        .unwrap();
    let flags = ["--window-start", "0:5", "--window-end", "0:15"];
    let run = stage.start_with(&flags).end().expect(76);
    assert!(
        run.log.contains("offsets 5 to 11 are gone from the log"),
        "{}",
        run.log
    );
    let flags = [&flags[..], &["--on-data-loss", "continue"]].concat();
    let run = stage.start_with(&flags).end().expect(0);
    assert_eq!((run.total("planned"), a.count()), (3, 3));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w10_a_topic_that_was_deleted_and_made_again_is_noticed() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("w10", 1).await.to(&a, &b);
    stage.write_users(1010, "old", 10, 1);
    stage.run().expect(0);
    let before = stage.topics.committed(&stage.group, &stage.topic).unwrap();
    stage.topics.delete(&stage.topic).await.unwrap();
    stage.topics.create(&stage.topic, 1, &[]).await.unwrap();
    stage.write_users(1010, "new", 25, 1);
    // Kafka forgets a deleted topic's commits in its own time; a backup, or another broker, does not.
    stage
        .topics
        .commit(&stage.group, &stage.topic, 0, &before[&0])
        .unwrap();
    stage.run().expect(76);
    assert_eq!(taken(&a).len(), 10);

    let run = stage.with("ON_DATA_LOSS", "continue").run().expect(0);
    assert_eq!(run.total("delivered"), 25);
    assert_eq!(taken(&a).len(), 35);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w11_a_broker_that_is_away_is_told_within_the_set_time() {
    let (a, b) = (takes_all(), takes_all());
    let away = nobody()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let stage = Stage::new("w11", 1).await.to(&a, &b);
    let stage = stage
        .with("KAFKA_BOOTSTRAP_SERVERS", &away)
        .with("START_TIMEOUT", "2s");
    let run = stage.run().expect(74);
    assert!(run.took < Duration::from_secs(6), "{:?}", run.took);
    assert!(run.log.contains(&away), "{}", run.log);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn w11_a_topic_that_is_not_there_is_named() {
    let b = Endpoint::always(Answer::ok()).unwrap();
    let stage = Stage::new("w11-topic", 1).await.to(&b, &b);
    let stage = stage.with("KAFKA_TOPIC", "nowhere-to-be-found");
    let run = stage.run();
    assert!([74, 78].contains(&run.code), "{}: {}", run.code, run.log);
    assert!(run.log.contains("nowhere-to-be-found"), "{}", run.log);
}
