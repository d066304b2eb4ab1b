//! What the job writes to Kafka.

use offsets::pauses::Pause;
use offsets::topic_record::TopicRecord;

use super::*;

#[test]
fn the_headers_of_dead_letters_are_valid_and_follow_those_of_the_record() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let mut causes = Vec::new();
    let mut reasons = Vec::new();
    for letter in stage.dead_letters() {
        let original = &records()[0].headers;
        let (own, added) = letter.headers.split_at(original.len());
        assert_eq!(own, original);
        assert_valid("dead-letter-headers", &headers(added));
        causes.push(letter.header("frontdoor.cause").unwrap());
        reasons.push(letter.header("__connect.errors.exception.message").unwrap());
    }
    causes.sort();
    assert_eq!(causes, ["refused", "tombstone", "undecodable"]);
    assert!(
        reasons.contains(&"422: a response".to_owned()),
        "{reasons:?}"
    );
}

#[test]
fn the_envelopes_of_dead_letters_are_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&["--dead-letter-envelope", "true"]);
    let letters = stage.dead_letters();
    assert_eq!(letters.len(), 3);
    for letter in letters {
        let envelope: Value = serde_json::from_slice(&letter.value.unwrap()).unwrap();
        assert_eq!(envelope["headers"][1], json!(["empty", null]));
        assert_valid("dead-letter-envelope", &envelope);
    }
}

#[test]
fn the_answers_of_a_route_and_their_report_are_valid() {
    let stage = Stage::new();
    for topic in ["accepted", "refused"] {
        stage.broker.create_topic(topic, 1).unwrap();
    }
    stage.write(&records());
    let routes = tempfile::NamedTempFile::new().unwrap();
    let answers = json!({"success_topic": "accepted", "error_topic": "refused", "headers": ["Content-Type"], "max_body": 4});
    let table = json!({"version": 1, "routes": [
        {"name": "A", "when": "id == 1010", "url": stage.a.url(), "answers": answers}]});
    assert_valid("routes", &table);
    std::fs::write(&routes, table.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
        .env("KAFKA_TOPIC", TOPIC)
        .env("ROUTES", routes.path())
        .args(["run", "--output", "json"])
        .output()
        .unwrap();
    let report = report(&output);
    assert_valid("run-report", &report);
    assert_eq!(
        report["routes"][0]["answers"],
        json!({"success": 2, "error": 1})
    );
    for (topic, count) in [("accepted", 2), ("refused", 1)] {
        let stored = records::all(stage.broker.bootstrap(), topic).unwrap();
        assert_eq!(stored.len(), count);
        for answer in stored {
            assert_eq!(answer.key.as_deref(), Some(&b"key"[..]));
            let value: Value = serde_json::from_slice(&answer.value.unwrap()).unwrap();
            assert_valid("answer", &value);
        }
    }
}

#[test]
fn the_metadata_of_a_commit_is_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    let committed = &topics.committed("frontdoor", TOPIC).unwrap()[&0];
    assert_eq!(committed.offset, 3, "the deferred record");
    assert_valid("commit-metadata", &json!(committed.metadata));
}

#[test]
fn a_topic_record_is_valid() {
    let record = TopicRecord {
        id: "Xy-3_topic0123456789aa".to_owned(),
        name: "orders.v2".to_owned(),
        pauses: vec![Pause { route: 1, until: 2 }],
    };
    assert_valid("topic-record", &json!(record.encode()));
}
