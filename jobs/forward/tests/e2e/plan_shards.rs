//! Plans that several processes execute on Apache Kafka.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::endpoints::{accepted_names, accepting, accepting_after, assert_accepted_all};
use crate::plan::{execute, execute_when_free, planned};
use crate::stage::Stage;

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn shards_of_a_replay_are_executed_at_the_same_time() {
    const COUNT: usize = 400;
    let slow = accepting_after(Duration::from_millis(10));
    let stage = Stage::new("plan-shards", 5).await.to(&slow, &accepting());
    stage.write_users(1010, "u", COUNT, 5);
    let (found, file) = planned(&stage, &["--window-start", "earliest", "--shards", "3"]);
    let shards: BTreeSet<i64> = (found["partitions"].as_array().unwrap().iter())
        .map(|one| one["shard"].as_i64().unwrap())
        .collect();
    assert_eq!(shards, [1, 2, 3].into());
    let flags = |shard: &'static str| ["--plan", file.to_str().unwrap(), "--shard", shard];
    let processes = ["1/3", "2/3", "3/3"].map(|shard| stage.start_with(&flags(shard)));
    let delivered = processes.map(|process| process.wait().expect(0).total("delivered"));
    assert_eq!(delivered.iter().sum::<i64>(), COUNT as i64, "{delivered:?}");
    assert!(delivered.iter().all(|count| *count > 0), "{delivered:?}");
    assert_eq!(assert_accepted_all(&slow, "u", COUNT), 0);
    let again = execute(&stage, &file, &["--shard", "2/3"]).expect(0);
    assert_eq!((again.total("planned"), stage.total_committed()), (0, 0));
    let run = execute(&stage, &file, &["--shard", "2/4"]).expect(78);
    assert!(run.log.contains("it has 3 shards"), "{}", run.log);

    // Of the group's own window, one after another.
    let (_, file) = planned(&stage, &["--shards", "2"]);
    for shard in ["1/2", "2/2"] {
        execute(&stage, &file, &["--shard", shard]).expect(0);
    }
    assert_eq!(stage.total_committed(), COUNT as i64);
    assert_eq!(accepted_names(&slow).len(), 2 * COUNT);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn several_processes_share_a_plan_of_the_group() {
    const COUNT: usize = 400;
    let slow = accepting_after(Duration::from_millis(20));
    let stage = Stage::new("plan-shared", 4)
        .await
        .to(&slow, &accepting())
        .with("CONCURRENT_RUNS", "share")
        .with("MAX_IN_FLIGHT", "2");
    stage.write_users(1010, "u", COUNT, 4);
    let (_, file) = planned(&stage, &[]);
    stage.write_users(1010, "after", 8, 4);
    let flags = ["--plan", file.to_str().unwrap()];
    let processes = [(); 2].map(|()| stage.start_with(&flags));
    // A run that has given partitions to the other one ends with 12, and one that gets none with 20.
    for process in processes {
        process.wait().expect_one_of(&[0, 12, 20]);
    }
    execute_when_free(&stage, &file, &[]).expect(0);
    assert_eq!(assert_accepted_all(&slow, "u", COUNT), 0);
    assert_eq!(stage.total_committed(), COUNT as i64);
    let run = execute(&stage, &file, &["--shard", "1/2"]).expect(78);
    assert!(run.log.contains("run it without --shard"), "{}", run.log);
}
