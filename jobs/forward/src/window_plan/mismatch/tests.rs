use record::StreamId;

use super::*;
use crate::window_plan::document::tests::document;

const FINGERPRINT: &str = "000000000000002a";

/// The topic as it was when the plan was made.
fn topic() -> TopicOffsets {
    let partition = |partition, committed, high| PartitionOffsets {
        partition,
        low: 0,
        high,
        committed: Some(committed),
        metadata: String::new(),
        start_time_offset: None,
        end_time_offset: None,
    };
    TopicOffsets {
        stream: StreamId {
            cluster: "cluster".to_owned(),
            topic: "topic-id".to_owned(),
        },
        topic_id: Some("topic-id".to_owned()),
        partition_offsets: vec![partition(0, 100, 200), partition(1, 50, 100)],
        leader_epochs: [(0, 3), (1, 3)].into(),
    }
}

/// A change of the topic.
type Change = &'static dyn Fn(&mut TopicOffsets);

/// The outcome and the sentence for a topic with this change.
fn refused(change: impl FnOnce(&mut TopicOffsets)) -> Option<(RunOutcome, String)> {
    let mut topic = topic();
    change(&mut topic);
    let result = check(&document(), &topic, FINGERPRINT);
    let mismatch = result.err()?;
    Some((mismatch.outcome(), mismatch.to_string()))
}

#[test]
fn a_plan_fits_the_topic_that_it_was_made_of_and_its_progress() {
    assert_eq!(refused(|_| {}), None);
    // More records, other leaders, and a run in between.
    assert_eq!(
        refused(|topic| {
            topic.leader_epochs = [(0, 4), (1, 9)].into();
            let first = &mut topic.partition_offsets[0];
            (first.high, first.committed, first.low) = (900, Some(150), 150);
            let second = &mut topic.partition_offsets[1];
            // Completed, and then deleted.
            (second.high, second.committed, second.low) = (900, Some(100), 900);
        }),
        None
    );
    // A broker without ids, and expired commits.
    assert_eq!(
        refused(|topic| {
            topic.topic_id = None;
            topic.leader_epochs.clear();
            topic.partition_offsets[0].committed = None;
        }),
        None
    );
}

#[test]
fn each_change_is_refused_with_its_outcome_and_its_sentence() {
    let cases: [(Change, RunOutcome, &str); 9] = [
        (
            &|topic| topic.stream.cluster = "other".to_owned(),
            RunOutcome::PlanCluster,
            "the plan is of cluster cluster, and this is cluster other",
        ),
        (
            &|topic| topic.topic_id = Some("new".to_owned()),
            RunOutcome::PlanTopic,
            "topic orders was deleted and created again after the plan was made (its id was topic-id, and is new)",
        ),
        (
            &|topic| {
                topic.topic_id = None;
                topic.leader_epochs.insert(1, 0);
            },
            RunOutcome::PlanTopic,
            "(the leader epoch of partition 1 was 3, and is 0)",
        ),
        (
            &|topic| topic.partition_offsets.truncate(1),
            RunOutcome::PlanTopic,
            "(it had 2 partitions, and has 1)",
        ),
        (
            &|topic| {
                let new = PartitionOffsets {
                    partition: 2,
                    ..topic.partition_offsets[0].clone()
                };
                topic.partition_offsets.push(new);
            },
            RunOutcome::PlanPartitions,
            "topic orders has 3 partitions, and had 2 when the plan was made",
        ),
        (
            &|topic| topic.partition_offsets[1].low = 60,
            RunOutcome::PlanTruncated,
            "gone from partition 1: offsets 50 to 59 were deleted",
        ),
        (
            &|topic| {
                topic.partition_offsets[1].committed = None;
                topic.partition_offsets[1].low = 700;
            },
            RunOutcome::PlanTruncated,
            "gone from partition 1: offsets 50 to 99 were deleted",
        ),
        (
            &|topic| topic.partition_offsets[0].high = 199,
            RunOutcome::PlanTruncated,
            "gone from partition 0: the log ends at 199, and the plan at 200",
        ),
        (
            &|topic| topic.partition_offsets[0].committed = Some(99),
            RunOutcome::PlanGroup,
            "the commit of group frontdoor for partition 0 is at 99, below the plan's start 100",
        ),
    ];
    for (change, outcome, sentence) in cases {
        let (found, text) = refused(change).unwrap();
        assert_eq!(found, outcome, "{text}");
        assert!(text.contains(sentence), "{text}");
    }
    let routes = check(&document(), &topic(), "0000000000000007").unwrap_err();
    assert_eq!(routes.outcome(), RunOutcome::PlanRoutes);
    assert!(
        routes
            .to_string()
            .contains("(fingerprint 000000000000002a, now 0000000000000007)")
    );
}

#[test]
fn a_commit_below_records_that_were_deleted_before_the_plan_was_not_moved_back() {
    // ON_DATA_LOSS=continue: the plan starts at the first record of the log.
    let fits = |low| {
        refused(|topic| {
            let first = &mut topic.partition_offsets[0];
            (first.committed, first.low) = (Some(40), low);
        })
    };
    assert_eq!(fits(100), None);
    assert_eq!(fits(99).unwrap().0, RunOutcome::PlanGroup);
    assert_eq!(fits(101).unwrap().0, RunOutcome::PlanTruncated);
}

#[test]
fn text_of_the_plan_in_a_sentence_is_bounded_and_printable() {
    let mut plan = document();
    plan.cluster = format!("\u{1b}[31m{}", "c".repeat(100_000));
    let other_cluster = check(&plan, &topic(), FINGERPRINT).unwrap_err().to_string();
    let mut plan = document();
    plan.topic_id = Some(format!("\u{1b}[31m{}", "t".repeat(100_000)));
    let other_topic = check(&plan, &topic(), FINGERPRINT).unwrap_err().to_string();
    for sentence in [other_cluster, other_topic] {
        assert!(sentence.len() < 2_000, "{}", sentence.len());
        assert!(!sentence.contains('\u{1b}'), "{sentence}");
    }
}

#[test]
fn a_plan_with_a_group_of_its_own_does_not_depend_on_the_commits_of_the_job() {
    let mut plan = document();
    plan.progress = PlanProgress::Plan;
    let mut topic = topic();
    topic.partition_offsets[0].committed = Some(99);
    assert_eq!(check(&plan, &topic, FINGERPRINT), Ok(()));
}
