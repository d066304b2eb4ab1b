//! Records that no endpoint will ever take (rows P1, P2, P4, P5, P7).

use std::collections::BTreeSet;

use testkit::topics::New;
use testkit::user::User;

use crate::endpoints::{assert_took_all, takes_all};
use crate::stage::{Stage, users};

/// Bytes that look like a datum, more or less, and are none.
fn poison() -> Vec<Vec<u8>> {
    let good = User::new(1010, "someone").encode();
    let mut with_id = vec![0];
    with_id.extend_from_slice(&7u32.to_be_bytes());
    with_id.extend_from_slice(&good);
    vec![
        vec![],
        vec![0xff; 12],
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), &[0]].concat(),
        // An object container's magic, a single-object header with a foreign fingerprint, a registry's framing.
        b"Obj\x01".to_vec(),
        [&[0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8], good.as_slice()].concat(),
        with_id,
        // A name that is not UTF-8, and one of two gigabytes.
        b"\xe4\x0f\x04\xff\xff\x02x".to_vec(),
        b"\xe4\x0f\xfe\xff\xff\xff\x0f".to_vec(),
    ]
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn p1_what_cannot_be_decoded_is_a_dead_letter_and_reaches_no_endpoint() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("p1", 1).await.to(&a, &b);
    let mut records = users(1010, "u", 50, 1);
    let bad = poison();
    for (number, bytes) in bad.iter().enumerate() {
        records.insert(5 * number, New::to(0, bytes.clone()));
    }
    stage.write(&records);
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("delivered"), run.total("dead_lettered")),
        (50, bad.len() as i64)
    );
    // Every body that came is a datum: `assert_took_all` decodes each.
    assert_eq!(assert_took_all(&a, "u", 50) + b.count(), 0);
    let letters = stage.dead_letters();
    let values: Vec<Vec<u8>> = letters
        .iter()
        .map(|letter| letter.value.clone().unwrap())
        .collect();
    assert_eq!(values, bad);
    for letter in &letters {
        let cause = letter.header("__connect.errors.class.name").unwrap();
        assert!(cause.contains("undecodable"), "{cause}");
    }
    assert_eq!(stage.committed(), [(0, 50 + bad.len() as i64)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn p2_a_tombstone_never_ends_a_run() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("p2", 1).await.to(&a, &b);
    let tombstone = || New {
        partition: Some(0),
        key: Some(b"gone".to_vec()),
        ..New::default()
    };
    let mut records = users(1010, "u", 20, 1);
    records.insert(10, tombstone());
    records.push(tombstone());
    stage.write(&records);
    let run = stage.run().expect(0);
    assert_eq!((run.total("delivered"), run.total("skipped")), (20, 2));
    assert_eq!(assert_took_all(&a, "u", 20), 0);
    assert_eq!(stage.committed(), [(0, 22)].into());

    let stage = stage.with("TOMBSTONES", "dead_letter");
    stage.write(&[tombstone()]);
    assert_eq!(stage.run().expect(10).total("dead_lettered"), 1);
    let letters = stage.dead_letters();
    assert_eq!(
        (letters[0].key.as_deref(), &letters[0].value),
        (Some(b"gone".as_slice()), &None)
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn p4_p5_a_dead_letter_is_the_record_unchanged_with_three_families_of_headers() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("p4", 2).await.to(&a, &b);
    let headers = vec![
        ("traceparent".to_owned(), Some(b"00-1-2-01".to_vec())),
        ("twice".to_owned(), Some(vec![0xff, 0x00])),
        ("twice".to_owned(), None),
    ];
    let bad = New {
        key: Some(vec![0, 159, 146, 150]),
        headers: headers.clone(),
        timestamp: Some(1_577_836_800_000),
        ..New::to(1, vec![0xff; 30])
    };
    let mut records = users(1010, "u", 10, 1);
    records.extend([New::to(1, User::new(999, "before").encode()), bad.clone()]);
    stage.write(&records);
    stage.run().expect(10);
    let letter = stage.dead_letters().remove(0);
    assert_eq!(
        (letter.key.clone(), letter.value.clone()),
        (bad.key, bad.value)
    );
    assert_eq!(
        letter.headers[..3],
        headers,
        "the record's own headers come first, unchanged"
    );
    let header = |name: &str| {
        letter
            .header(name)
            .unwrap_or_else(|| panic!("no {name}: {:?}", letter.headers))
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
async fn p5_a_dead_letter_in_an_envelope_holds_everything_without_headers() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("p5-envelope", 1)
        .await
        .to(&a, &b)
        .with("DEAD_LETTER_ENVELOPE", "true");
    let mut records = users(1010, "u", 3, 1);
    records.push(New {
        key: Some(b"k".to_vec()),
        ..New::to(0, b"\xff\xff".to_vec())
    });
    stage.write(&records);
    stage.run().expect(10);
    let letter = stage.dead_letters().remove(0);
    let envelope: serde_json::Value =
        serde_json::from_slice(letter.value.as_deref().unwrap()).unwrap();
    let text = envelope.to_string();
    assert!(
        text.contains("//8=") && text.contains(&stage.topic) && text.contains("undecodable"),
        "{text}"
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn p7_a_brake_stops_a_run_in_which_too_much_is_poison() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("p7", 1)
        .await
        .to(&a, &b)
        .with("DEAD_LETTER_MIN_COUNT", "50");
    let bad: Vec<New> = (0..5_000u32)
        .map(|number| New::to(0, [&[0xff; 11], &number.to_be_bytes()[..]].concat()))
        .collect();
    stage.write(&bad);
    let run = stage.run().expect(65);
    let written = stage.dead_letters().len() as i64;
    assert!((50..1_000).contains(&written), "{written} dead letters");
    assert_eq!(run.total("dead_lettered"), written);
    assert!(run.total("deferred") > 0);
    let committed = stage.committed().get(&0).copied().unwrap_or(0);
    assert!(committed <= written, "{committed} > {written}");

    // Not below the share.
    let stage = Stage::new("p7-few", 1)
        .await
        .to(&a, &b)
        .with("DEAD_LETTER_MIN_COUNT", "10");
    let mut records = users(1010, "u", 2_000, 1);
    for number in 0..60 {
        records.insert(
            number * 30,
            New::to(
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
async fn p1_kill_9_repeats_no_more_dead_letters_than_were_not_committed() {
    const MAX_UNCOMMITTED: usize = 8;
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("p1-kill", 2).await.to(&a, &b);
    let stage = stage
        .with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string())
        .with("DEAD_LETTER_MAX_RATIO", "1");
    let poison = |number: i32| New::to(number % 2, format!("\u{1}poison-{number}"));
    stage.write(&(0..6_000).map(poison).collect::<Vec<_>>());
    let topic = stage.dead_letter_topic();
    let written = || stage.topics.watermarks(&topic).unwrap()[&0].1;
    let mut kills = 0;
    for after in [40, 90, 60] {
        let before = written();
        let mut run = stage.start();
        while written() < before + after {
            if !run.runs() {
                run = stage.start();
            }
        }
        kills += usize::from(run.kill().code == -9);
    }
    let last = stage.run_when_free();
    assert!([0, 10].contains(&last.code), "{}: {}", last.code, last.log);
    let letters = stage.dead_letters();
    let distinct: BTreeSet<_> = letters.iter().map(|letter| &letter.value).collect();
    assert_eq!(distinct.len(), 6_000);
    let repeats = letters.len() - distinct.len();
    assert!(
        repeats <= kills * MAX_UNCOMMITTED,
        "{repeats} repeats after {kills} kills"
    );
    assert_eq!(a.count() + b.count(), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn p4_a_letter_too_large_for_its_topic_holds_the_commit_and_says_what_to_set() {
    let (a, b) = (takes_all(), takes_all());
    let mut stage = Stage::new("p4-large", 1).await.to(&a, &b);
    let small = format!("{}-small", stage.topic);
    let settings = [("max.message.bytes", "500000")];
    stage.topics.create(&small, 1, &settings).await.unwrap();
    stage.set("DEAD_LETTER_TOPIC", &small);
    stage.set("DEAD_LETTER_MAX_RATIO", "1");
    let large = vec![0xff; 600_000];
    stage.write(&[
        New::to(0, vec![0xff; 9]),
        New::to(0, large.clone()),
        New::to(0, vec![0xff; 9]),
    ]);
    let run = stage.run().expect(74);
    assert_eq!((run.total("dead_lettered"), run.total("deferred")), (2, 1));
    assert_eq!(stage.committed(), [(0, 1)].into());
    let told = run.report["notes"].to_string();
    let record = format!("{}/0@1 has 60", stage.topic);
    for part in [&record, &small, "max.message.bytes: 500000"] {
        assert!(told.contains(part), "{part}: {told}");
    }

    stage
        .topics
        .create(&format!("{small}-not"), 1, &[])
        .await
        .unwrap();
    stage.set("DEAD_LETTER_TOPIC", format!("{small}-not"));
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("dead_lettered"), run.total("already_completed")),
        (1, 1)
    );
    assert_eq!(stage.committed(), [(0, 3)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn p4_a_dead_letter_topic_of_the_jobs_own_has_room_for_an_envelope() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("p4-room", 1).await.to(&a, &b);
    let topic = format!("{}-made-by-the-job", stage.topic);
    let stage = stage
        .with("DEAD_LETTER_TOPIC", &topic)
        .with("DEAD_LETTER_ENVELOPE", "true")
        .with("DEAD_LETTER_MAX_RATIO", "1");
    // In base64 it is beyond what a topic takes by default.
    stage.write(&[New::to(0, vec![0xff; 900_000])]);
    let run = stage.run().expect(10);
    assert_eq!(run.total("dead_lettered"), 1);
    assert_eq!(stage.topics.watermarks(&topic).unwrap()[&0].1, 1);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn p4_a_grace_of_no_time_is_time_enough_for_a_dead_letter() {
    let (a, b) = (takes_all(), takes_all());
    let mut stage = Stage::new("p4-shutdown_timeout", 1).await.to(&a, &b);
    for (number, shutdown_timeout) in ["0s", "5ms"].into_iter().enumerate() {
        stage.set("SHUTDOWN_TIMEOUT", shutdown_timeout);
        stage.write(&[New::to(0, vec![0xff; 9])]);
        let run = stage.run().expect(10);
        assert_eq!(run.total("dead_lettered"), 1, "{shutdown_timeout}");
        assert_eq!(stage.committed(), [(0, number as i64 + 1)].into());
    }
}
