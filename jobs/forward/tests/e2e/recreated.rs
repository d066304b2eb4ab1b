//! A topic that is deleted and created again between two runs.

use std::time::{Duration, Instant};

use offsets::topic_record::TopicRecord;
use serde_json::Value;
use testkit::topics::Committed;

use crate::endpoints::{accepted_names, unused_url};
use crate::run::Run;
use crate::stage::Stage;

impl Stage {
    /// Deletes the topic and creates it again. Returns when Kafka has deleted the commits of the deleted topic.
    async fn recreate_topic(&self) {
        self.topics.delete(&self.topic).await.unwrap();
        self.topics.create(&self.topic, 1, &[]).await.unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while !self.committed().is_empty() {
            assert!(Instant::now() < end, "Kafka has not deleted the commits");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The group's commit for partition 0 of the dead-letter topic.
    fn topic_record(&self) -> Option<Committed> {
        let topic = self.dead_letter_topic();
        let committed = self.topics.committed(&self.group, &topic).unwrap();
        committed.get(&0).cloned()
    }

    /// Asserts that the record names the topic, and has a pause for each route that the report says is paused.
    fn assert_recorded(&self, run: &Run) {
        let committed = self.topic_record().unwrap();
        let record = TopicRecord::decode(&committed.metadata).unwrap();
        let id = run.report["topic_id"].as_str().unwrap();
        assert_eq!(
            (committed.offset, &*record.id, &record.name),
            (0, id, &self.topic)
        );
        let routes = run.report["routes"].as_array().unwrap();
        let paused = routes.iter().filter(|route| route["retry_at"].is_string());
        assert_eq!(record.pauses.len(), paused.count(), "{:#}", run.report);
    }
}

#[track_caller]
fn assert_notes(run: &Run, expected: &[&str]) {
    let notes = run.report["notes"].as_array().unwrap();
    let notes: Vec<&str> = notes.iter().filter_map(Value::as_str).collect();
    let is_expected = notes.len() == expected.len()
        && notes
            .iter()
            .zip(expected)
            .all(|(note, part)| note.contains(part));
    assert!(is_expected, "{notes:#?}");
}

const CREATED_AGAIN: &str = "was deleted and created again";
const NOT_NOTICED: &str = "would not be noticed";

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_recreated_topic_stops_the_run() {
    let (mut stage, a, _b) = Stage::accepting("recreated", 1).await;
    stage.write_users(1010, "old", 10, 1);
    let run = stage.run().expect(0);
    assert_notes(&run, &[]);
    stage.assert_recorded(&run);
    // These are not read before the topic is deleted.
    stage.write_users(1010, "lost", 5, 1);
    stage.recreate_topic().await;
    let run = stage.run().expect(76);
    assert_notes(&run, &[CREATED_AGAIN]);
    assert!(!run.log.contains("0 records"), "{}", run.log);

    stage.write_users(1010, "new", 25, 1);
    assert_notes(&stage.run().expect(76), &[CREATED_AGAIN]);
    let dry_run = stage.start_with(&["--dry-run"]).wait().expect(76);
    assert_notes(&dry_run, &[CREATED_AGAIN]);
    assert_eq!(accepted_names(&a).len(), 10);
    let (code, checks) = stage.check();
    assert_eq!((code, &checks["topic"]["result"]), (0, &"warning".into()));

    stage.set("ON_DATA_LOSS", "continue");
    let run = stage.run().expect(0);
    assert_notes(&run, &[CREATED_AGAIN]);
    assert_eq!(run.total("delivered"), 25);
    stage.assert_recorded(&run);

    stage.set("ON_DATA_LOSS", "stop");
    assert_notes(&stage.run().expect(0), &[]);
    stage.write_users(1010, "newest", 3, 1);
    let run = stage.run().expect(0);
    assert_notes(&run, &[]);
    assert_eq!(run.total("delivered"), 3);
    assert_eq!(stage.check().1["topic"]["result"], "ok");
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_recreated_topic_without_records_is_recorded_by_a_run_that_continues() {
    let (mut stage, _a, _b) = Stage::accepting("recreated-empty", 1).await;
    let run = stage.run().expect(0);
    assert_notes(&run, &[]);
    stage.assert_recorded(&run);
    stage.write_users(1010, "lost", 5, 1);
    stage.recreate_topic().await;
    assert_notes(&stage.run().expect(76), &[CREATED_AGAIN]);
    stage.set("ON_DATA_LOSS", "continue");
    let run = stage.run().expect(0);
    assert_notes(&run, &[CREATED_AGAIN]);
    stage.assert_recorded(&run);
    stage.set("ON_DATA_LOSS", "stop");
    assert_notes(&stage.run().expect(0), &[]);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_recreated_topic_is_detected_after_a_run_that_delivered_nothing() {
    let (mut stage, _a, _b) = Stage::accepting("recreated-deferred", 1).await;
    stage.set("API_TYPE_A_URL", unused_url());
    stage.set("KAFKA_GROUP_PROTOCOL", "classic");
    stage.write_users(1010, "lost", 5, 1);
    let run = stage.run().expect(75);
    stage.assert_recorded(&run);
    stage.recreate_topic().await;
    stage.write_users(1010, "new", 5, 1);
    assert_notes(&stage.run().expect(76), &[CREATED_AGAIN]);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_restored_commit_of_a_recreated_topic_is_detected() {
    let (stage, a, _b) = Stage::accepting("recreated-restored", 1).await;
    stage.write_users(1010, "old", 10, 1);
    stage.run().expect(0);
    let before = stage.topics.committed(&stage.group, &stage.topic).unwrap();
    stage.recreate_topic().await;
    stage.write_users(1010, "new", 25, 1);
    // A backup has the commits of the deleted topic.
    stage
        .topics
        .commit(&stage.group, &stage.topic, 0, &before[&0])
        .unwrap();
    let run = stage.run().expect(76);
    assert!(!run.log.contains("0 records"), "{}", run.log);
    assert_eq!(accepted_names(&a).len(), 10);

    let run = stage.with("ON_DATA_LOSS", "continue").run().expect(0);
    assert_eq!(run.total("delivered"), 25);
    assert_eq!(accepted_names(&a).len(), 35);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn commits_without_metadata_cause_no_report_of_a_recreated_topic() {
    let (stage, _a, _b) = Stage::accepting("not-recreated", 2).await;
    stage.write_users(1010, "u", 10, 2);
    assert_notes(&stage.run().expect(0), &[]);
    // As Kafka's own tool resets offsets.
    for partition in 0..2 {
        let reset = Committed {
            offset: 3,
            metadata: String::new(),
        };
        stage
            .topics
            .commit(&stage.group, &stage.topic, partition, &reset)
            .unwrap();
    }
    let run = stage.run().expect(0);
    assert_notes(&run, &[]);
    assert_eq!(run.total("delivered"), 4);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_commit_of_another_consumer_is_not_overwritten_by_the_topic_record() {
    let (stage, _a, _b) = Stage::accepting("record-foreign", 1).await;
    let commit = Committed {
        offset: 7,
        metadata: "of another consumer".to_owned(),
    };
    let topic = stage.dead_letter_topic();
    stage
        .topics
        .commit(&stage.group, &topic, 0, &commit)
        .unwrap();
    assert_notes(&stage.run().expect(0), &[NOT_NOTICED]);
    stage.write_users(1010, "u", 10, 1);
    assert_notes(&stage.run().expect(0), &[NOT_NOTICED]);
    assert_eq!(stage.topic_record(), Some(commit));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_missing_dead_letter_topic_is_noted_and_does_not_stop_the_run() {
    let (stage, _a, _b) = Stage::accepting("record-missing", 1).await;
    let stage = stage.with("DEAD_LETTER_TOPIC", "no-topic-for-a-record");
    stage.write_users(1010, "u", 10, 1);
    let run = stage.run().expect(0);
    assert_notes(&run, &[NOT_NOTICED]);
    assert_eq!(run.total("delivered"), 10);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_record_of_another_topic_causes_no_report() {
    let (mut stage, _a, _b) = Stage::accepting("record-shared", 1).await;
    stage.write_users(1010, "u", 10, 1);
    stage.run().expect(0);
    stage.set("DEAD_LETTER_TOPIC", stage.dead_letter_topic());
    let other = format!("{}-other", stage.topic);
    stage.topics.create(&other, 1, &[]).await.unwrap();
    stage.topic = other;
    stage.write_users(1010, "u", 10, 1);
    let run = stage.run().expect(0);
    assert_notes(&run, &[]);
    assert_eq!(run.total("delivered"), 10);
}
