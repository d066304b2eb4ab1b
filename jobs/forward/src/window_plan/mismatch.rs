//! Why a run does not execute a plan: what it fixes has changed. Pure.

use kafka::list_offsets::TopicOffsets;
use offsets::window::PartitionOffsets;

use super::document::{PlanDocument, PlanProgress, PlannedPartition};
use crate::exit::RunOutcome;
use crate::versioned::shown;

/// What has changed since the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanMismatch {
    /// The cluster is another one.
    #[error(
        "the plan is of cluster {planned}, and this is cluster {found}: execute it there, or make another plan"
    )]
    Cluster {
        /// The cluster's id in the plan.
        planned: String,
        /// Its id now.
        found: String,
    },
    /// The topic was deleted and created again.
    #[error(
        "topic {topic} was deleted and created again after the plan was made ({evidence}): the planned records are gone; make \
         another plan"
    )]
    Topic {
        /// The topic.
        topic: String,
        /// What shows it.
        evidence: String,
    },
    /// Records of the window were deleted, or the log was truncated.
    #[error(
        "records of the plan are gone from partition {partition}: {evidence}; make another plan to continue without them"
    )]
    Truncated {
        /// The first such partition.
        partition: i32,
        /// Which offsets.
        evidence: String,
    },
    /// The topic has more partitions.
    #[error(
        "topic {topic} has {found} partitions, and had {planned} when the plan was made: keys may be in other partitions now; \
         make another plan"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// Their number in the plan.
        planned: i32,
        /// Their number now.
        found: i32,
    },
    /// The routes or the schemas are others.
    #[error(
        "the routes or schemas were changed after the plan was made (fingerprint {planned}, now {found}): the records of the \
         plan may go to other routes; make another plan"
    )]
    Routes {
        /// The fingerprint in the plan.
        planned: String,
        /// The fingerprint now.
        found: String,
    },
    /// The group's commit was moved back below the window.
    #[error(
        "the commit of group {group} for partition {partition} is at {committed}, below the plan's start {start}: it was moved \
         back after the plan was made, and the plan would skip the records between; make another plan"
    )]
    Group {
        /// The group.
        group: String,
        /// The first such partition.
        partition: i32,
        /// Its commit.
        committed: i64,
        /// The plan's start.
        start: i64,
    },
}

impl PlanMismatch {
    /// How the run ends.
    pub fn outcome(&self) -> RunOutcome {
        match self {
            Self::Cluster { .. } => RunOutcome::PlanCluster,
            Self::Topic { .. } => RunOutcome::PlanTopic,
            Self::Truncated { .. } => RunOutcome::PlanTruncated,
            Self::Partitions { .. } => RunOutcome::PlanPartitions,
            Self::Routes { .. } => RunOutcome::PlanRoutes,
            Self::Group { .. } => RunOutcome::PlanGroup,
        }
    }
}

/// Compares a plan with the topic and the fingerprint of the routes.
///
/// # Errors
/// The first difference, the most fundamental first.
pub(super) fn check(
    plan: &PlanDocument,
    topic: &TopicOffsets,
    routes_fingerprint: &str,
) -> Result<(), PlanMismatch> {
    if plan.cluster != topic.stream.cluster {
        return Err(PlanMismatch::Cluster {
            planned: shown(&plan.cluster),
            found: topic.stream.cluster.clone(),
        });
    }
    if let Some(evidence) = is_other_topic(plan, topic) {
        return Err(PlanMismatch::Topic {
            topic: plan.topic.clone(),
            evidence,
        });
    }
    let found = i32::try_from(topic.partition_offsets.len()).unwrap_or(i32::MAX);
    if found > plan.topic_partitions {
        return Err(PlanMismatch::Partitions {
            topic: plan.topic.clone(),
            planned: plan.topic_partitions,
            found,
        });
    }
    if plan.routes_fingerprint != routes_fingerprint {
        return Err(PlanMismatch::Routes {
            planned: plan.routes_fingerprint.clone(),
            found: routes_fingerprint.to_owned(),
        });
    }
    for planned in &plan.partitions {
        let mut known = topic.partition_offsets.iter();
        if let Some(at) = known.find(|at| at.partition == planned.partition) {
            check_partition(plan, planned, at)?;
        }
    }
    Ok(())
}

/// What shows that the topic is another one of the same name.
fn is_other_topic(plan: &PlanDocument, topic: &TopicOffsets) -> Option<String> {
    if let (Some(planned), Some(found)) = (&plan.topic_id, &topic.topic_id)
        && planned != found
    {
        return Some(format!("its id was {}, and is {found}", shown(planned)));
    }
    let found = topic.partition_offsets.len();
    if i32::try_from(found).is_ok_and(|found| found < plan.topic_partitions) {
        return Some(format!(
            "it had {} partitions, and has {found}",
            plan.topic_partitions
        ));
    }
    plan.partitions.iter().find_map(|one| {
        let planned = one.leader_epoch?;
        let found = topic.leader_epochs.get(&one.partition)?;
        (*found < planned).then(|| {
            format!(
                "the leader epoch of partition {} was {planned}, and is {found}",
                one.partition
            )
        })
    })
}

fn check_partition(
    plan: &PlanDocument,
    planned: &PlannedPartition,
    at: &PartitionOffsets,
) -> Result<(), PlanMismatch> {
    // Records below the log's start were deleted: the plan does not skip them.
    if plan.progress == PlanProgress::Group
        && let Some(committed) = at.committed
        && committed.max(at.low) < planned.start
    {
        return Err(PlanMismatch::Group {
            group: plan.group.clone(),
            partition: planned.partition,
            committed,
            start: planned.start,
        });
    }
    let position = at.committed.unwrap_or(planned.start).max(planned.start);
    let truncated = |evidence| {
        Err(PlanMismatch::Truncated {
            partition: planned.partition,
            evidence,
        })
    };
    if position >= planned.end {
        return Ok(());
    }
    if position < at.low {
        let last = at.low.min(planned.end) - 1;
        return truncated(format!("offsets {position} to {last} were deleted"));
    }
    if at.high < planned.end {
        return truncated(format!(
            "the log ends at {}, and the plan at {}",
            at.high, planned.end
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
