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
