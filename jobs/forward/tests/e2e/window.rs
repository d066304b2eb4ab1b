//! The records of a window, and the end of a window.

use std::time::{Duration, Instant};

use testkit::endpoint::{Answer, Endpoint};
use testkit::kafka::Kafka;
use testkit::records;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{
    accepted_names, accepting, accepting_after, assert_accepted_all, unused_url,
};
use crate::stage::{Stage, users};

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_empty_window_ends_at_once_with_exit_code_0() {
    let (stage, a, b) = Stage::accepting("empty", 8).await;
    let run = stage.run().expect(0);
    assert!(run.elapsed < Duration::from_secs(5), "{:?}", run.elapsed);
    assert_eq!((run.total("planned"), a.count() + b.count()), (0, 0));

    // The result is the same after all records were delivered.
    stage.write_users(1010, "u", 16, 8);
    stage.run().expect(0);
    let run = stage.run().expect(0);
    assert!(run.elapsed < Duration::from_secs(5), "{:?}", run.elapsed);
    assert_eq!(
        (run.total("planned"), assert_accepted_all(&a, "u", 16)),
        (0, 0)
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn records_produced_after_the_start_are_left_to_the_next_run() {
    let (a, b) = (accepting_after(Duration::from_millis(20)), accepting());
    let stage = Stage::new("late", 2)
        .await
        .to(&a, &b)
        .with("MAX_IN_FLIGHT", "2");
    stage.write_users(1010, "early", 60, 2);
    let run = stage.start();
    assert!(a.wait_for(1, Duration::from_secs(30)));
    for _ in 0..5 {
        stage.write_users(1010, "late", 20, 2);
    }
    run.wait().expect(0);
    assert_eq!(assert_accepted_all(&a, "early", 60), 0);
    let run = stage.run().expect(0);
    assert_eq!(run.total("delivered"), 100);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_run_ends_when_the_last_offsets_are_aborted_or_control_records() {
    let (stage, a, _b) = Stage::accepting("aborted", 1).await;
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
    assert_eq!(assert_accepted_all(&a, "u", 5), 0);
    // Ten aborted records and three transaction markers.
    assert_eq!(
        (run.total("delivered"), run.total("empty_offsets")),
        (5, 13)
    );
    assert_eq!(stage.committed(), [(0, 18)].into());

    // Only aborted records.
    topics
        .whole_transaction(topic, &users(1010, "aborted", 3, 1), false)
        .unwrap();
    let run = stage.run().expect(0);
    assert_eq!((run.total("delivered"), run.total("empty_offsets")), (0, 4));
    assert_eq!(stage.run().expect(0).total("planned"), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn records_removed_by_compaction_are_counted_as_empty_offsets() {
    let (a, b) = (accepting(), accepting());
    let compacted = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "100"),
    ];
    let stage = Stage::on(Kafka::shared().unwrap(), "compacted", 1, &compacted)
        .await
        .to(&a, &b);
    stage.write_users(1010, "u", 200, 1);
    let end = Instant::now() + Duration::from_secs(60);
    let remaining = loop {
        // Only a closed segment is compacted, and only a write closes a segment.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let record = NewRecord {
            key: Some(b"other".to_vec()),
            ..NewRecord::to(0, User::new(999, "other").encode())
        };
        stage.write(&[record]);
        let remaining = records::all(&stage.bootstrap, &stage.topic).unwrap();
        if remaining.len() < 100 || Instant::now() > end {
            break remaining;
        }
    };
    assert!(remaining.len() < 100, "nothing was compacted");
    let run = stage.run().expect(0);
    // Compaction may have continued since, so the counts are bounds. At most ten keys remain.
    assert!(
        run.total("empty_offsets") >= 190 && run.total("delivered") <= 10,
        "{:#}",
        run.report
    );
    assert_eq!(accepted_names(&a).len() as i64, run.total("delivered"));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn records_of_an_open_transaction_are_delivered_after_its_commit() {
    let (stage, a, _b) = Stage::accepting("open-transaction", 1).await;
    stage.write_users(1010, "u", 3, 1);
    let open = stage
        .topics
        .open_transaction(&stage.topic, &users(1010, "later", 2, 1))
        .unwrap();
    let behind: Vec<NewRecord> = users(1010, "behind", 2, 1);
    stage.write(&behind);
    stage.run().expect(0);
    assert_eq!(assert_accepted_all(&a, "u", 3), 0);
    assert_eq!(stage.committed(), [(0, 3)].into());
    open.commit().unwrap();
    stage.run().expect(0);
    let mut names = accepted_names(&a);
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
async fn a_window_between_two_timestamps_contains_the_records_between_them() {
    let (a, b) = (accepting(), accepting());
    // Without this setting, retention deletes records of 2020.
    let retention = [("retention.ms", "-1")];
    let stage = Stage::on(Kafka::shared().unwrap(), "timestamps", 2, &retention)
        .await
        .to(&a, &b);
    let day = |day: i64| 1_577_836_800_000 + day * 86_400_000; // 2020-01-01 plus `day` days
    for (number, name) in ["first", "second", "third"].into_iter().enumerate() {
        let mut records = users(1010, name, 10 + number, 2);
        for record in &mut records {
            record.timestamp = Some(day(number as i64));
        }
        stage.write(&records);
    }
    let run = |start: &str, end: &str| {
        stage
            .start_with(&["--window-start", start, "--window-end", end])
            .wait()
    };
    let window = |start: &str, end: &str| run(start, end).expect(0).total("delivered");
    assert_eq!(window("2020-01-02T00:00:00Z", "2020-01-03T00:00:00Z"), 11);
    assert_eq!(assert_accepted_all(&a, "second", 11), 0);
    assert_eq!(window("2020-01-01T12:00:00Z", "now"), 23);
    assert_eq!(window("earliest", "2020-01-02T00:00:00Z"), 10);
    run("2020-01-03T00:00:01Z", "now").expect(78);
    // Explicit windows are replays and do not commit.
    assert_eq!(stage.committed(), [].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_window_between_explicit_offsets_contains_exactly_these_records() {
    let (stage, a, _b) = Stage::accepting("offsets", 3).await;
    stage.write_users(1010, "u", 60, 3);
    let flags = ["--window-start", "0:5,2:0", "--window-end", "0:9,2:1"];
    let run = stage.start_with(&flags).wait().expect(0);
    assert_eq!(run.total("planned"), 5);
    let mut names = accepted_names(&a);
    names.sort();
    // Record n is in partition n % 3 at offset n / 3.
    assert_eq!(names, ["u-15", "u-18", "u-2", "u-21", "u-24"]);
    assert_eq!(stage.committed(), [].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_record_limit_is_shared_among_all_partitions() {
    let (stage, _a, _b) = Stage::accepting("record-limit", 3).await;
    let stage = stage.with("WINDOW_MAX_RECORDS", "1000");
    let write_to = |partition: i32, count: usize| {
        let mut records = users(999, "unmatched", count, 1);
        records
            .iter_mut()
            .for_each(|record| record.partition = Some(partition));
        stage.write(&records);
    };
    write_to(0, 20_000);
    write_to(1, 1_000);
    write_to(2, 1);
    let run = stage.run().expect(12);
    assert_eq!(run.total("planned"), 1_000);
    assert_eq!(run.partition_value(2, "planned"), 1);
    assert!(run.partition_value(1, "planned") >= 40, "{:#}", run.report);
    assert!(run.partition_value(0, "planned") >= 900, "{:#}", run.report);
    let second = stage.run().expect(12);
    assert_eq!(second.total("planned"), 1_000);
    assert_eq!(stage.total_committed(), 2_000);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_byte_limit_is_accurate_to_one_record() {
    let (stage, a, _b) = Stage::accepting("byte-limit", 2).await;
    let stage = stage.with("WINDOW_MAX_BYTES", "1000");
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
        assert!(runs < 20, "the windows do not end");
    }
    assert_eq!(assert_accepted_all(&a, "u", 100), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_deadline_leaves_time_to_drain_and_commit() {
    let slow = accepting_after(Duration::from_millis(200));
    let b = accepting();
    let mut stage = Stage::new("deadline", 2).await.to(&slow, &b);
    stage.set("MAX_IN_FLIGHT", "4");
    stage.set("DEADLINE", "4s");
    stage.write_users(1010, "u", 1_000, 2);
    let run = stage.run().expect(12);
    assert!(run.elapsed < Duration::from_secs(6), "{:?}", run.elapsed);
    let first = accepted_names(&slow).len();
    assert!(first > 0 && first < 1_000, "{first}");
    assert_eq!(run.total("delivered"), first as i64);
    // Delivered records are committed or in the offset map of the commit, so no record is repeated.
    let fast = accepting();
    let stage = stage
        .to(&fast, &b)
        .with("DEADLINE", "60s")
        .with("MAX_IN_FLIGHT", "64");
    stage.run().expect(0);
    assert_eq!(accepted_names(&fast).len() + first, 1_000);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_committed_offset_below_the_log_start_stops_the_run_and_reports_the_loss() {
    let (stage, a, _b) = Stage::accepting("data-loss", 2).await;
    stage.write_users(1010, "u", 20, 2);
    stage.run().expect(0);
    stage.write_users(1010, "v", 40, 2);
    stage
        .topics
        .delete_before(&stage.topic, 1, 25)
        .await
        .unwrap();
    let run = stage.run().expect(76);
    let output = format!("{} {}", run.report, run.log);
    assert!(output.contains("15") && output.contains("10"), "{output}");
    assert_eq!(accepted_names(&a).len(), 20);
    assert_eq!(stage.committed(), [(0, 10), (1, 10)].into());

    let stage = stage.with("ON_DATA_LOSS", "continue");
    let run = stage.run().expect(0);
    assert_eq!(run.total("delivered"), 20 + 5);
    assert_eq!(stage.committed(), [(0, 30), (1, 30)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn lost_deferred_records_do_not_block_later_records() {
    let (mut stage, a, b) = Stage::accepting("data-loss-deferred", 1).await;
    stage.set("API_TYPE_A_URL", unused_url());
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
    let run = stage.run().expect(76);
    assert!(
        run.log.contains(
            "offsets 0 to 59 are gone from the log, including records that earlier runs deferred"
        ),
        "{}",
        run.log
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
async fn a_window_that_starts_at_a_deleted_offset_stops_and_reports_the_loss() {
    let (stage, a, _b) = Stage::accepting("offsets-deleted", 1).await;
    stage.write_users(1010, "u", 20, 1);
    stage
        .topics
        .delete_before(&stage.topic, 0, 12)
        .await
        .unwrap();
    let flags = ["--window-start", "0:5", "--window-end", "0:15"];
    let run = stage.start_with(&flags).wait().expect(76);
    assert!(
        run.log.contains("offsets 5 to 11 are gone from the log"),
        "{}",
        run.log
    );
    let flags = [&flags[..], &["--on-data-loss", "continue"]].concat();
    let run = stage.start_with(&flags).wait().expect(0);
    assert_eq!((run.total("planned"), a.count()), (3, 3));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_unreachable_broker_is_reported_within_the_start_timeout() {
    let unused = unused_url()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let (stage, _a, _b) = Stage::accepting("unreachable", 1).await;
    let stage = stage
        .with("KAFKA_BOOTSTRAP_SERVERS", &unused)
        .with("START_TIMEOUT", "2s");
    let run = stage.run().expect(74);
    assert!(run.elapsed < Duration::from_secs(6), "{:?}", run.elapsed);
    assert!(run.log.contains(&unused), "{}", run.log);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_missing_topic_is_reported_by_name() {
    let b = Endpoint::always(Answer::ok()).unwrap();
    let stage = Stage::new("missing-topic", 1).await.to(&b, &b);
    let stage = stage.with("KAFKA_TOPIC", "no-such-topic");
    let run = stage.run().expect_one_of(&[74, 78]);
    assert!(run.log.contains("no-such-topic"), "{}", run.log);
}
