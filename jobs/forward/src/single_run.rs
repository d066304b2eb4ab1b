//! Ensures that two live runs never read the same partition.
//!
//! A run reads only partitions that the consumer group assigns to it. A run whose window is empty does not join the group:
//! the classic protocol waits three seconds for more members. The consumer protocol (KIP-848) assigns partitions to a
//! first member at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use kafka::config::{GroupProtocol, KafkaSettings};
use kafka::describe::GroupMember;
use kafka::error_codes::suffix;
use kafka::member::{GroupEvent, Member};
use kafka::reader::Reader;
use offsets::window::PartitionOffsets;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What a run does while another is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConcurrentRuns {
    /// It exits.
    Exit,
    /// It shares the partitions with the other.
    Share,
}

/// The membership of the group, with the assigned partitions.
pub struct Membership {
    /// Commits, and leaves the group when dropped.
    pub member: Member,
    /// What the group assigns and revokes from now on.
    pub events: Receiver<GroupEvent>,
    /// The assigned partitions.
    pub partitions: Vec<i32>,
}

/// Why a run has no partitions.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Another run is live, and `CONCURRENT_RUNS=exit`.
    #[error(
        "another run is live in group {group}: {members}; this one exits (CONCURRENT_RUNS=share would take a part; a run that was killed counts until its session ends)"
    )]
    ConcurrentRun {
        /// The group.
        group: String,
        /// Its members.
        members: String,
    },
    /// Other members have all partitions.
    #[error(
        "group {group} gave this run no partition within {timeout:?}: {members} has them; a run that was killed keeps its own until its session ends"
    )]
    NoPartitions {
        /// The group.
        group: String,
        /// How long this run waited.
        timeout: Duration,
        /// The other members.
        members: String,
    },
    /// A commit was moved back between the start of the run and its membership.
    #[error(
        "the commit of partition {partition} was moved back from {listed} to {committed} while this run started; it exits, and \
         the next run reads from there"
    )]
    CommitMoved {
        /// The first such partition.
        partition: i32,
        /// The commit of which the window was planned.
        listed: i64,
        /// The commit now.
        committed: i64,
    },
    /// The broker failed, or rejected the member.
    #[error("joining group {group}: {error}{}", suffix(.error))]
    Broker {
        /// The group.
        group: String,
        /// Why.
        error: KafkaError,
    },
}

/// How often a wait checks for a shutdown.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);

/// How long listing the members for an error message may take.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(1);

/// How a group is joined.
#[derive(Clone, Debug)]
pub struct GroupJoin<'r> {
    /// The group.
    pub group: String,
    /// The protocol; `None`: the best one that the broker supports.
    pub protocol: Option<GroupProtocol>,
    /// What to do while another run is live.
    pub concurrent_runs: ConcurrentRuns,
    /// How long to wait for a partition.
    pub timeout: Duration,
    /// How long the group waits for the run to drain a revoked partition.
    pub revoke_timeout: Duration,
    /// Set by a signal: the wait for a partition ends.
    pub shutdown: &'r AtomicBool,
}

impl GroupJoin<'_> {
    /// Joins the group and waits until it assigns partitions.
    ///
    /// # Errors
    /// Another run is live; no partition was assigned within the timeout, or before a shutdown; the broker failed.
    pub fn join(&self, reader: &Reader, kafka: &KafkaSettings) -> Result<Membership, JoinError> {
        let end = Instant::now() + self.timeout;
        if self.concurrent_runs == ConcurrentRuns::Exit {
            let others = reader
                .group_members(&self.group, self.timeout)
                .unwrap_or_default();
            if !others.is_empty() {
                return Err(JoinError::ConcurrentRun {
                    group: self.group.clone(),
                    members: list(&others),
                });
            }
        }
        let first = self.protocol.unwrap_or(match self.concurrent_runs {
            ConcurrentRuns::Exit => kafka.best_group_protocol(),
            // The classic protocol waits for more members before it assigns, and rebalances within seconds. Runs that
            // start together need both to share the partitions.
            ConcurrentRuns::Share => GroupProtocol::Classic,
        });
        match self.join_with(first, end, reader, kafka) {
            Err(JoinError::Broker { error, .. })
                if self.protocol.is_none() && is_unsupported(&error) =>
            {
                tracing::debug!(%error, "the broker does not support the consumer protocol");
                self.join_with(GroupProtocol::Classic, end, reader, kafka)
            }
            result => result,
        }
    }

    fn join_with(
        &self,
        protocol: GroupProtocol,
        end: Instant,
        reader: &Reader,
        kafka: &KafkaSettings,
    ) -> Result<Membership, JoinError> {
        let broker = |error| JoinError::Broker {
            group: self.group.clone(),
            error,
        };
        let config = kafka.member(&self.group, protocol, self.revoke_timeout);
        let (member, events) =
            Member::join(&config, &kafka.topic, self.revoke_timeout).map_err(broker)?;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match events.recv_timeout(left.min(POLL_TIMEOUT)) {
                Ok(GroupEvent::Assigned(partitions)) if !partitions.is_empty() => {
                    return Ok(Membership {
                        member,
                        events,
                        partitions,
                    });
                }
                Ok(GroupEvent::Failed(error)) => return Err(broker(error)),
                // Nothing is assigned yet, or it was revoked before the run has begun.
                Ok(GroupEvent::Assigned(_) | GroupEvent::Revoking(..) | GroupEvent::Lost(_)) => {}
                Err(RecvTimeoutError::Timeout)
                    if left > POLL_TIMEOUT && !self.shutdown.load(Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let members = reader
                        .group_members(&self.group, MEMBERS_TIMEOUT)
                        .unwrap_or_default();
                    return Err(JoinError::NoPartitions {
                        group: self.group.clone(),
                        timeout: self.timeout,
                        members: list(&members),
                    });
                }
            }
        }
    }
}

/// Checks that no commit was moved back since the window was planned: the run would skip what is between.
///
/// # Errors
/// The first partition whose commit `now` is below the one of the plan.
pub(crate) fn check_commits(
    listed: &[PartitionOffsets],
    now: impl Fn(i32) -> Option<i64>,
) -> Result<(), JoinError> {
    for at in listed {
        if let (Some(listed), Some(committed)) = (at.committed, now(at.partition))
            && committed < listed
        {
            return Err(JoinError::CommitMoved {
                partition: at.partition,
                listed,
                committed,
            });
        }
    }
    Ok(())
}

fn is_unsupported(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion)
    )
}

/// The members of a group, in a sentence.
pub(crate) fn list(members: &[GroupMember]) -> String {
    match members {
        [] => "another member".to_owned(),
        members => {
            let names: Vec<_> = members
                .iter()
                .map(|member| format!("{} at {}", member.id, member.host))
                .collect();
            names.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_was_moved_back_ends_the_run() {
        let at = |partition, committed| PartitionOffsets {
            partition,
            low: 0,
            high: 300,
            committed,
            metadata: String::new(),
            start_time_offset: None,
            end_time_offset: None,
        };
        let listed = [at(0, Some(100)), at(1, None), at(2, Some(100))];
        let check =
            |now: [Option<i64>; 3]| check_commits(&listed, |partition| now[partition as usize]);
        // Unchanged, committed by another run, and expired.
        assert!(check([Some(100), None, Some(100)]).is_ok());
        assert!(check([Some(200), Some(5), None]).is_ok());
        let moved = check([Some(100), None, Some(50)]).unwrap_err().to_string();
        assert!(
            moved.starts_with(
                "the commit of partition 2 was moved back from 100 to 50 while this run started"
            ),
            "{moved}"
        );
    }
}
