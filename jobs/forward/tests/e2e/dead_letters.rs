//! Records that cannot be decoded, tombstones, and the messages in the dead-letter topic.

use std::collections::BTreeSet;

use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::assert_accepted_all;
use crate::stage::{Stage, users};

/// Returns byte strings that are similar to a datum but invalid.
fn invalid_data() -> Vec<Vec<u8>> {
    let good = User::new(1010, "someone").encode();
    let mut with_id = vec![0];
    with_id.extend_from_slice(&7u32.to_be_bytes());
    with_id.extend_from_slice(&good);
    vec![
        vec![],
        vec![0xff; 12],
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), &[0]].concat(),
        // The magic of a container file, a single-object header with another fingerprint, a schema registry frame.
        b"Obj\x01".to_vec(),
        [&[0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8], good.as_slice()].concat(),
        with_id,
        // A name that is not UTF-8, and a name of two gigabytes.
        b"\xe4\x0f\x04\xff\xff\x02x".to_vec(),
        b"\xe4\x0f\xfe\xff\xff\xff\x0f".to_vec(),
    ]
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn undecodable_records_are_dead_lettered_and_sent_to_no_endpoint() {
    let (stage, a, b) = Stage::accepting("invalid", 1).await;
    let mut records = users(1010, "u", 50, 1);
    let bad = invalid_data();
    for (number, bytes) in bad.iter().enumerate() {
        records.insert(5 * number, NewRecord::to(0, bytes.clone()));
    }
    stage.write(&records);
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("delivered"), run.total("dead_lettered")),
        (50, bad.len() as i64)
    );
    // Each body is a datum: `assert_accepted_all` decodes each of them.
    assert_eq!(assert_accepted_all(&a, "u", 50) + b.count(), 0);
    let dead_letters = stage.dead_letters();
    let values: Vec<Vec<u8>> = dead_letters
        .iter()
        .map(|dead_letter| dead_letter.value.clone().unwrap())
        .collect();
    assert_eq!(values, bad);
    for (dead_letter, value) in dead_letters.iter().zip(&bad) {
        // The single object and the frame name a schema that is not known.
        let names_schema = value.starts_with(&[0xc3, 0x01]) || value.starts_with(&[0, 0]);
        let expected = match names_schema {
            true => "frontdoor.unknown-schema",
            false => "frontdoor.undecodable",
        };
        let cause = dead_letter.header("__connect.errors.class.name");
        assert_eq!(cause.as_deref(), Some(expected), "{value:?}");
    }
    assert_eq!(stage.committed(), [(0, 50 + bad.len() as i64)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_tombstone_never_stops_a_run() {
    let (stage, a, _b) = Stage::accepting("tombstones", 1).await;
    let tombstone = || NewRecord {
        partition: Some(0),
        key: Some(b"gone".to_vec()),
        ..NewRecord::default()
    };
    let mut records = users(1010, "u", 20, 1);
    records.insert(10, tombstone());
    records.push(tombstone());
    stage.write(&records);
    let run = stage.run().expect(0);
    assert_eq!((run.total("delivered"), run.total("skipped")), (20, 2));
    assert_eq!(assert_accepted_all(&a, "u", 20), 0);
    assert_eq!(stage.committed(), [(0, 22)].into());

    let stage = stage.with("TOMBSTONES", "dead_letter");
    stage.write(&[tombstone()]);
    assert_eq!(stage.run().expect(10).total("dead_lettered"), 1);
    let dead_letters = stage.dead_letters();
    assert_eq!(
        (dead_letters[0].key.as_deref(), &dead_letters[0].value),
        (Some(b"gone".as_slice()), &None)
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_dead_letter_is_the_unchanged_record_with_three_sets_of_headers() {
    let (stage, _a, _b) = Stage::accepting("headers", 2).await;
    let headers = vec![
        ("traceparent".to_owned(), Some(b"00-1-2-01".to_vec())),
        ("twice".to_owned(), Some(vec![0xff, 0x00])),
        ("twice".to_owned(), None),
    ];
    let bad = NewRecord {
        key: Some(vec![0, 159, 146, 150]),
        headers: headers.clone(),
        timestamp: Some(1_577_836_800_000),
        ..NewRecord::to(1, vec![0xff; 30])
    };
    let mut records = users(1010, "u", 10, 1);
    records.extend([
        NewRecord::to(1, User::new(999, "before").encode()),
        bad.clone(),
    ]);
    stage.write(&records);
    stage.run().expect(10);
    let dead_letter = stage.dead_letters().remove(0);
    assert_eq!(
        (dead_letter.key.clone(), dead_letter.value.clone()),
        (bad.key, bad.value)
    );
    assert_eq!(
        dead_letter.headers[..3],
        headers,
        "the headers of the record come first, unchanged"
    );
    let header = |name: &str| {
        dead_letter
            .header(name)
            .unwrap_or_else(|| panic!("no {name}: {:?}", dead_letter.headers))
    };
    for family in ["__connect.errors.", "__streams.errors.", "__dlq.errors."] {
        assert_eq!(header(&format!("{family}topic")), stage.topic);
        assert_eq!(header(&format!("{family}partition")), "1");
        assert_eq!(header(&format!("{family}offset")), "1");
    }
    assert!(!header("__connect.errors.exception.message").is_empty());
    assert!(!header("__streams.errors.message").is_empty());
    assert!(!header("__dlq.errors.message").is_empty());
    assert_eq!(header("__dlq.errors.group"), stage.group);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_dead_letter_envelope_contains_value_topic_and_cause() {
    let (stage, _a, _b) = Stage::accepting("envelope", 1).await;
    let stage = stage.with("DEAD_LETTER_ENVELOPE", "true");
    let mut records = users(1010, "u", 3, 1);
    records.push(NewRecord {
        key: Some(b"k".to_vec()),
        ..NewRecord::to(0, b"\xff\xff".to_vec())
    });
    stage.write(&records);
    stage.run().expect(10);
    let dead_letter = stage.dead_letters().remove(0);
    let envelope: serde_json::Value =
        serde_json::from_slice(dead_letter.value.as_deref().unwrap()).unwrap();
    let text = envelope.to_string();
    assert!(
        text.contains("//8=") && text.contains(&stage.topic) && text.contains("undecodable"),
        "{text}"
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn too_many_dead_letters_stop_the_run() {
    let (stage, a, b) = Stage::accepting("threshold", 1).await;
    let stage = stage.with("DEAD_LETTER_MIN_COUNT", "50");
    let bad: Vec<NewRecord> = (0..5_000u32)
        .map(|number| NewRecord::to(0, [&[0xff; 11], &number.to_be_bytes()[..]].concat()))
        .collect();
    stage.write(&bad);
    let run = stage.run().expect(65);
    let written = stage.dead_letters().len() as i64;
    assert!((50..1_000).contains(&written), "{written} dead letters");
    assert_eq!(run.total("dead_lettered"), written);
    assert!(run.total("deferred") > 0);
    let committed = stage.committed_offset(0);
    assert!(committed <= written, "{committed} > {written}");

    // Below the ratio, the run does not stop.
    let stage = Stage::new("threshold-below", 1)
        .await
        .to(&a, &b)
        .with("DEAD_LETTER_MIN_COUNT", "10");
    let mut records = users(1010, "u", 2_000, 1);
    for number in 0..60 {
        records.insert(
            number * 30,
            NewRecord::to(
                0,
                [&[0xff; 11], &(number as u32).to_be_bytes()[..]].concat(),
            ),
        );
    }
    stage.write(&records);
    assert_eq!(stage.run().expect(10).total("dead_lettered"), 60);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_kill_repeats_only_uncommitted_dead_letters() {
    const MAX_UNCOMMITTED: usize = 8;
    let (stage, a, b) = Stage::accepting("invalid-sigkill", 2).await;
    let stage = stage
        .with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string())
        .with("DEAD_LETTER_MAX_RATIO", "1");
    let invalid = |number: i32| NewRecord::to(number % 2, format!("\u{1}invalid-{number}"));
    stage.write(&(0..6_000).map(invalid).collect::<Vec<_>>());
    let topic = stage.dead_letter_topic();
    let written = || stage.topics.watermarks(&topic).unwrap()[&0].1;
    let mut kills = 0;
    for after in [40, 90, 60] {
        let before = written();
        let mut run = stage.start();
        while written() < before + after {
            if !run.is_running() {
                run = stage.start();
            }
        }
        kills += usize::from(run.kill().code == -9);
    }
    stage.run_when_free().expect_one_of(&[0, 10]);
    let dead_letters = stage.dead_letters();
    let distinct: BTreeSet<_> = dead_letters
        .iter()
        .map(|dead_letter| &dead_letter.value)
        .collect();
    assert_eq!(distinct.len(), 6_000);
    let repeats = dead_letters.len() - distinct.len();
    assert!(
        repeats <= kills * MAX_UNCOMMITTED,
        "{repeats} repeats after {kills} kills"
    );
    assert_eq!(a.count() + b.count(), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_dead_letter_too_large_for_its_topic_blocks_the_commit_and_names_the_setting() {
    let (mut stage, _a, _b) = Stage::accepting("large", 1).await;
    let small = stage.create_limited_topic("500000").await;
    stage.set("DEAD_LETTER_TOPIC", &small);
    stage.set("DEAD_LETTER_MAX_RATIO", "1");
    let large = vec![0xff; 600_000];
    stage.write(&[
        NewRecord::to(0, vec![0xff; 9]),
        NewRecord::to(0, large.clone()),
        NewRecord::to(0, vec![0xff; 9]),
    ]);
    let run = stage.run().expect(74);
    assert_eq!((run.total("dead_lettered"), run.total("deferred")), (2, 1));
    assert_eq!(stage.committed(), [(0, 1)].into());
    let notes = run.report["notes"].to_string();
    let record = format!("{}/0@1 has 60", stage.topic);
    for part in [&record, &small, "max.message.bytes: 500000"] {
        assert!(notes.contains(part), "{part}: {notes}");
    }

    stage
        .topics
        .create(&format!("{small}-default"), 1, &[])
        .await
        .unwrap();
    stage.set("DEAD_LETTER_TOPIC", format!("{small}-default"));
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("dead_lettered"), run.total("already_completed")),
        (1, 1)
    );
    assert_eq!(stage.committed(), [(0, 3)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_dead_letter_topic_created_by_the_job_accepts_large_envelopes() {
    let (stage, _a, _b) = Stage::accepting("large-envelope", 1).await;
    let topic = format!("{}-created-by-the-job", stage.topic);
    let stage = stage
        .with("DEAD_LETTER_TOPIC", &topic)
        .with("DEAD_LETTER_ENVELOPE", "true")
        .with("DEAD_LETTER_MAX_RATIO", "1");
    // In base64, the record is larger than the default maximum of a topic.
    stage.write(&[NewRecord::to(0, vec![0xff; 900_000])]);
    let run = stage.run().expect(10);
    assert_eq!(run.total("dead_lettered"), 1);
    assert_eq!(stage.topics.watermarks(&topic).unwrap()[&0].1, 1);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_dead_letter_is_written_with_a_zero_shutdown_timeout() {
    let (mut stage, _a, _b) = Stage::accepting("zero-timeout", 1).await;
    for (number, shutdown_timeout) in ["0s", "5ms"].into_iter().enumerate() {
        stage.set("SHUTDOWN_TIMEOUT", shutdown_timeout);
        stage.write(&[NewRecord::to(0, vec![0xff; 9])]);
        let run = stage.run().expect(10);
        assert_eq!(run.total("dead_lettered"), 1, "{shutdown_timeout}");
        assert_eq!(stage.committed(), [(0, number as i64 + 1)].into());
    }
}
