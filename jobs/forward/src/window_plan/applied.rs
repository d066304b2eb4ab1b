//! A plan as the window of a run.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use kafka::list_offsets::TopicOffsets;
use kafka::settings::KAFKA_TOPIC;
use offsets::offset_map::Scope;
use offsets::window::{WindowEnd, WindowStart};
use openssl::sha::sha256;
use runtime::text::hex;

use super::cli::PlanFile;
use super::document::{PlanDocument, PlanProgress};
use super::mismatch::{self, PlanMismatch};
use super::parse::InvalidPlan;
use super::shard::{self, Shard};
use crate::config::Config;
use crate::dead_letter::shortened;
use crate::settings::{CONCURRENT_RUNS, KAFKA_GROUP_ID};
use crate::single_run::ConcurrentRuns;

/// A plan as the window of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedPlan {
    /// The plan. If a shard of it is executed, only with the partitions of the shard.
    plan: PlanDocument,
}

impl AppliedPlan {
    /// Reads the plan, and makes the configuration of a run that of its execution.
    ///
    /// # Errors
    /// The file cannot be read, is not a valid plan, or is one of another topic or group.
    pub fn load(file: &PlanFile, config: &mut Config) -> Result<Self> {
        let read = match file.path == Path::new("-") {
            true => PlanDocument::read(io::stdin().lock()),
            false => File::open(&file.path)
                .map_err(InvalidPlan::from)
                .and_then(PlanDocument::read),
        };
        read.and_then(|plan| Self::new(plan, file.shard, config))
            .with_context(|| format!("the plan {}", file.path.display()))
    }

    /// As [`AppliedPlan::load`], of a plan that was read.
    ///
    /// # Errors
    /// The plan is of another topic or group, or has no such shard.
    pub fn new(
        mut plan: PlanDocument,
        shard: Option<Shard>,
        config: &mut Config,
    ) -> Result<Self, InvalidPlan> {
        let is_of_group = plan.progress == PlanProgress::Group;
        let differs = |name, setting: String, planned: &str, found: &str| {
            (planned != found).then(|| InvalidPlan::Setting {
                name,
                setting,
                planned: shortened(planned),
                found: found.to_owned(),
            })
        };
        let topic = differs(
            "topic",
            KAFKA_TOPIC.variable(),
            &plan.topic,
            &config.kafka.topic,
        );
        let group = differs(
            "group",
            KAFKA_GROUP_ID.variable(),
            &plan.group,
            &config.group,
        );
        if let Some(error) = topic.or(group) {
            return Err(error);
        }
        if !is_of_group {
            config.group = own_group(&plan, shard);
            // The records are old: the second of two executions would give up all that the first has deferred.
            config.give_up_after = None;
        }
        if let Some(shard) = shard {
            if is_of_group && config.concurrent_runs == ConcurrentRuns::Share {
                return Err(InvalidPlan::Shard(format!(
                    "it is of the group's own window, whose partitions {} divides: run it without --shard",
                    CONCURRENT_RUNS.variable()
                )));
            }
            keep(&mut plan, shard)?;
        }
        let ends = plan.partitions.iter().map(|one| (one.partition, one.end));
        config.window_start = WindowStart::Committed;
        config.window_end = WindowEnd::Offsets(ends.collect());
        (config.records, config.bytes) = (None, None);
        Ok(Self { plan })
    }

    /// Compares the plan with the topic and the scope of the routes.
    ///
    /// # Errors
    /// What has changed since the plan was made.
    pub fn check(&self, topic: &TopicOffsets, scope: &Scope) -> Result<(), PlanMismatch> {
        mismatch::check(&self.plan, topic, &fingerprint(scope))
    }

    /// Makes the planned start the commit of each partition that has none. In a group of the plan's own, a completed partition
    /// gets the start of the log as its commit: records that are deleted later are not a data loss.
    pub fn set_starts(&self, topic: &mut TopicOffsets) {
        for at in &mut topic.partition_offsets {
            let mut planned = self.plan.partitions.iter();
            let Some(planned) = planned.find(|one| one.partition == at.partition) else {
                continue;
            };
            let committed = at.committed.unwrap_or(planned.start);
            let is_done = committed >= planned.end && !self.is_of_group();
            at.committed = Some(match is_done {
                true => committed.max(at.low),
                false => committed,
            });
        }
    }

    /// True if the progress is in the commits of the job's group.
    pub fn is_of_group(&self) -> bool {
        self.plan.progress == PlanProgress::Group
    }
}

/// The fingerprint of routes and schemas in a plan.
pub(super) fn fingerprint(scope: &Scope) -> String {
    format!("{:016x}", scope.routes)
}

/// The consumer group with the progress of a plan that is not of the group's own window.
fn own_group(plan: &PlanDocument, shard: Option<Shard>) -> String {
    let mut text = format!(
        "{}\0{}\0{:?}\0{}",
        plan.created, plan.cluster, plan.topic_id, plan.routes_fingerprint
    );
    for one in &plan.partitions {
        // Writing to a String cannot fail.
        let _ = write!(text, "\0{}:{}-{}", one.partition, one.start, one.end);
    }
    let fingerprint = hex(&sha256(text.as_bytes())[..8]);
    let group = format!("{}.plan.{fingerprint}", plan.group);
    match shard {
        Some(Shard { number, shards }) => format!("{group}.{number}of{shards}"),
        None => group,
    }
}

/// Keeps the partitions of a shard.
fn keep(plan: &mut PlanDocument, shard: Shard) -> Result<(), InvalidPlan> {
    match plan.shards {
        None => shard::divide(&mut plan.partitions, shard.shards),
        Some(shards) if shards == shard.shards => {}
        Some(shards) => {
            return Err(InvalidPlan::Shard(format!(
                "it has {shards} shards, and --shard {shard} is one of {}",
                shard.shards
            )));
        }
    }
    plan.partitions
        .retain(|one| one.shard == Some(shard.number));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::document::tests::document;
    use super::*;
    use crate::config::tests::config;

    const SETTINGS: [(&str, &str); 3] = [
        ("KAFKA_TOPIC", "orders"),
        ("WINDOW_START", "earliest"),
        ("WINDOW_MAX_RECORDS", "5"),
    ];

    fn plan(progress: PlanProgress) -> PlanDocument {
        PlanDocument {
            progress,
            ..document()
        }
    }

    #[tokio::test]
    async fn the_window_is_that_of_the_plan() {
        let mut config = config(&SETTINGS).await.unwrap();
        AppliedPlan::new(plan(PlanProgress::Group), None, &mut config).unwrap();
        assert_eq!(config.group, "frontdoor");
        assert_eq!(config.window_start, WindowStart::Committed);
        let ends = BTreeMap::from([(0, 200), (1, 100)]);
        assert_eq!(config.window_end, WindowEnd::Offsets(ends));
        assert_eq!(config.records, None);
    }

    #[tokio::test]
    async fn the_progress_of_another_window_is_in_a_group_of_the_plan_and_of_the_shard() {
        let config = config(&SETTINGS).await.unwrap();
        let group = |plan: PlanDocument, shard: Option<&str>| {
            let mut config = config.clone();
            let shard = shard.map(|shard| Shard::parse(shard).unwrap());
            AppliedPlan::new(plan, shard, &mut config).unwrap();
            (config.group, config.window_end)
        };
        let (first, _) = group(plan(PlanProgress::Plan), None);
        assert!(
            first.starts_with("frontdoor.plan.") && first.len() == 15 + 16,
            "{first}"
        );
        assert_eq!(group(plan(PlanProgress::Plan), None).0, first);
        let mut later = plan(PlanProgress::Plan);
        later.created = "2026-11-28T14:18:19.837Z".to_owned();
        assert_ne!(group(later, None).0, first);
        let mut shorter = plan(PlanProgress::Plan);
        shorter.partitions[1].end = 99;
        assert_ne!(group(shorter, None).0, first);
        let (second, end) = group(plan(PlanProgress::Plan), Some("2/2"));
        assert_eq!(second, format!("{first}.2of2"));
        assert_eq!(end, WindowEnd::Offsets(BTreeMap::from([(1, 100)])));
        let (_, end) = group(plan(PlanProgress::Plan), Some("3/3"));
        assert_eq!(end, WindowEnd::Offsets(BTreeMap::new()));
    }

    #[tokio::test]
    async fn a_replay_gives_up_no_record_for_its_age() {
        let config = config(&SETTINGS).await.unwrap();
        let after = |progress| {
            let mut config = config.clone();
            AppliedPlan::new(plan(progress), None, &mut config).unwrap();
            config.give_up_after
        };
        assert!(config.give_up_after.is_some());
        assert_eq!(after(PlanProgress::Group), config.give_up_after);
        assert_eq!(after(PlanProgress::Plan), None);
    }

    #[tokio::test]
    async fn a_plan_of_other_settings_is_refused() {
        let refused = async |settings: &[(&str, &str)], shard: Option<&str>| {
            let mut config = config(settings).await.unwrap();
            let mut plan = plan(PlanProgress::Group);
            plan.shards = Some(4);
            let shard = shard.map(|shard| Shard::parse(shard).unwrap());
            let applied = AppliedPlan::new(plan, shard, &mut config);
            applied.unwrap_err().to_string()
        };
        assert_eq!(
            refused(&[], None).await,
            "it is of the topic \"orders\", and KAFKA_TOPIC is \"FrontDoorTopic\""
        );
        let group = [("KAFKA_TOPIC", "orders"), ("KAFKA_GROUP_ID", "g")];
        assert_eq!(
            refused(&group, None).await,
            "it is of the group \"frontdoor\", and KAFKA_GROUP_ID is \"g\""
        );
        assert_eq!(
            refused(&SETTINGS, Some("1/2")).await,
            "it has 4 shards, and --shard 1/2 is one of 2"
        );
        let shard = [("KAFKA_TOPIC", "orders"), ("CONCURRENT_RUNS", "share")];
        assert!(
            refused(&shard, Some("1/4"))
                .await
                .contains("run it without --shard")
        );
    }

    #[tokio::test]
    async fn a_partition_without_a_commit_starts_where_the_plan_does() {
        let mut config = config(&SETTINGS).await.unwrap();
        let plan = AppliedPlan::new(plan(PlanProgress::Plan), None, &mut config).unwrap();
        let at = |partition, low, committed| offsets::window::PartitionOffsets {
            partition,
            low,
            high: 300,
            committed,
            metadata: String::new(),
            start_time_offset: None,
            end_time_offset: None,
        };
        let mut topic = TopicOffsets {
            stream: record::StreamId {
                cluster: String::new(),
                topic: String::new(),
            },
            topic_id: None,
            partition_offsets: vec![at(0, 0, None), at(1, 0, Some(70)), at(2, 0, None)],
            leader_epochs: BTreeMap::new(),
        };
        let committed = |topic: &mut TopicOffsets| {
            plan.set_starts(topic);
            let offsets = topic.partition_offsets.iter();
            offsets.map(|at| at.committed).collect::<Vec<_>>()
        };
        assert_eq!(committed(&mut topic), [Some(100), Some(70), None]);
        // It is completed, and its records are deleted.
        topic.partition_offsets = vec![at(1, 150, Some(100))];
        assert_eq!(committed(&mut topic), [Some(150)]);
        topic.partition_offsets = vec![at(1, 150, Some(99))];
        assert_eq!(committed(&mut topic), [Some(99)]);
    }
}
