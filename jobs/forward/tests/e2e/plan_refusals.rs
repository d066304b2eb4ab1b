//! Plans that `forward run --plan` refuses on Apache Kafka.

use std::path::Path;

use serde_json::{Value, json};
use testkit::kafka::{Kafka, Options};
use testkit::topics::{Committed, Topics};

use crate::endpoints::accepting;
use crate::plan::{execute, plan, planned};
use crate::stage::Stage;

#[track_caller]
fn assert_refused(stage: &Stage, file: &Path, code: i32, name: &str, sentence: &str) {
    for more in [&[][..], &["--dry-run"]] {
        let run = execute(stage, file, more).expect(code);
        assert_eq!(run.report["outcome"], name);
        let note = run.report["notes"][0].as_str().unwrap();
        assert!(note.contains(sentence), "{note}");
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_does_not_fit_another_topic_of_the_name() {
    let (stage, a, _b) = Stage::accepting("plan-recreated", 2).await;
    stage.write_users(1010, "u", 10, 2);
    let (_, file) = planned(&stage, &[]);
    stage.topics.delete(&stage.topic).await.unwrap();
    stage.topics.create(&stage.topic, 2, &[]).await.unwrap();
    stage.write_users(1010, "u", 10, 2);
    let sentence = "was deleted and created again after the plan was made (its id was ";
    assert_refused(&stage, &file, 41, "plan_topic", sentence);
    assert_eq!(a.count(), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_does_not_fit_a_log_without_its_records() {
    let (stage, a, _b) = Stage::accepting("plan-truncated", 2).await;
    stage.write_users(1010, "u", 20, 2);
    let (_, file) = planned(&stage, &[]);
    stage
        .topics
        .delete_before(&stage.topic, 1, 4)
        .await
        .unwrap();
    let sentence = "gone from partition 1: offsets 0 to 3 were deleted";
    assert_refused(&stage, &file, 42, "plan_truncated", sentence);
    // A setting for runs without a plan changes nothing.
    let stage = stage.with("ON_DATA_LOSS", "continue");
    assert_refused(&stage, &file, 42, "plan_truncated", sentence);
    assert_eq!(a.count(), 0);
    let (_, file) = planned(&stage, &[]);
    let run = execute(&stage, &file, &[]).expect(0);
    assert_eq!(run.total("delivered"), 16);
    // Completed records may be deleted.
    stage
        .topics
        .delete_before(&stage.topic, 0, 9)
        .await
        .unwrap();
    execute(&stage, &file, &[]).expect(0);

    // The plan that the group's next run would have has lost records.
    stage.write_users(1010, "u", 20, 2);
    stage
        .topics
        .delete_before(&stage.topic, 1, 14)
        .await
        .unwrap();
    let stage = stage.with("ON_DATA_LOSS", "stop");
    let (code, _, log) = plan(&stage, &[]);
    assert_eq!(code, 76, "{log}");
    assert!(log.contains("4 records were lost before"), "{log}");
    // This does not apply to a replay.
    planned(&stage, &["--window-start", "earliest"]);
    // Without the lost records, the plan starts above the commit.
    let stage = stage.with("ON_DATA_LOSS", "continue");
    let (_, file) = planned(&stage, &[]);
    let run = execute(&stage, &file, &[]).expect(0);
    assert_eq!(run.total("delivered"), 10 + 6);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_does_not_fit_other_routes() {
    let a = accepting();
    let stage = Stage::new("plan-routes", 1).await;
    let route = |when: &str| json!([{"name": "A", "when": when, "url": a.url()}]);
    let stage = stage.routes(&route("id == 1010"));
    stage.write_users(1010, "u", 10, 1);
    let (_, file) = planned(&stage, &[]);
    let stage = stage.routes(&route("id == 1010 || id == 1011"));
    let sentence = "the routes or schemas were changed after the plan was made";
    assert_refused(&stage, &file, 44, "plan_routes", sentence);
    assert_eq!(a.count(), 0);
    let stage = stage.routes(&route("id == 1010"));
    execute(&stage, &file, &[]).expect(0);
    assert_eq!(a.count(), 10);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_does_not_fit_a_topic_with_more_partitions() {
    let (stage, a, _b) = Stage::accepting("plan-partitions", 2).await;
    stage.write_users(1010, "u", 10, 2);
    let (_, file) = planned(&stage, &[]);
    stage.topics.add_partitions(&stage.topic, 3).await.unwrap();
    let sentence = "has 3 partitions, and had 2 when the plan was made";
    assert_refused(&stage, &file, 43, "plan_partitions", sentence);
    assert_eq!(a.count(), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_does_not_fit_another_cluster_or_a_group_that_was_moved_back() {
    let (stage, a, _b) = Stage::accepting("plan-cluster", 1).await;
    stage.write_users(1010, "u", 10, 1);
    stage.run().expect(0);
    stage.write_users(1010, "new", 10, 1);
    let (found, file) = planned(&stage, &[]);
    let commit = |offset| {
        let committed = Committed {
            offset,
            metadata: String::new(),
        };
        let done = stage
            .topics
            .commit(&stage.group, &stage.topic, 0, &committed);
        done.unwrap();
    };
    commit(5);
    let sentence = "is at 5, below the plan's start 10";
    assert_refused(&stage, &file, 45, "plan_group", sentence);
    commit(10);

    let other = Kafka::start(&Options::default()).unwrap();
    let there = Topics::connect(other.bootstrap()).unwrap();
    there.create(&stage.topic, 1, &[]).await.unwrap();
    let here = stage.bootstrap.clone();
    let stage = stage.with("KAFKA_BOOTSTRAP_SERVERS", other.bootstrap());
    let cluster = found["cluster"].as_str().unwrap();
    let sentence = format!("the plan is of cluster {cluster}, and this is cluster ");
    assert_refused(&stage, &file, 40, "plan_cluster", &sentence);
    let stage = stage.with("KAFKA_BOOTSTRAP_SERVERS", here);
    execute(&stage, &file, &[]).expect(0);
    assert_eq!(a.count(), 20);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_file_that_is_not_a_plan_is_a_configuration_error() {
    let (stage, a, _b) = Stage::accepting("plan-invalid", 1).await;
    stage.write_users(1010, "u", 10, 1);
    let (found, _) = planned(&stage, &[]);
    let changed = |change: fn(&mut Value)| {
        let mut plan = found.clone();
        change(&mut plan);
        plan.to_string()
    };
    for (text, sentence) in [
        ("not json".to_owned(), "it is not JSON: "),
        (
            changed(|plan| plan["version"] = json!(2)),
            "it has version 2, and this program reads version 1",
        ),
        (
            changed(|plan| plan["partitions"][0]["start"] = json!(11)),
            "it contradicts itself: partition 0: start 11 and end 10 are not a range",
        ),
        (
            " ".repeat((32 << 20) + 1),
            "it has more than 33554432 bytes",
        ),
        (
            changed(|plan| plan["topic"] = json!("other")),
            "it is of the topic \"other\", and KAFKA_TOPIC is \"plan-invalid",
        ),
    ] {
        let file = stage.file("plan.json", &text);
        let run = execute(&stage, &file, &[]).expect(78);
        assert!(run.log.contains(sentence), "{}", run.log);
        assert!(run.log.contains("the plan /"), "{}", run.log);
    }
    let run = execute(&stage, Path::new("/no/such/plan"), &[]).expect(78);
    assert!(
        run.log.contains("cannot be read: No such file"),
        "{}",
        run.log
    );
    assert_eq!(a.count(), 0);
}
