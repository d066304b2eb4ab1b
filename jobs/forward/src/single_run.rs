//! Sees to it that two live runs never deal with the same record.
//!
//! Partitions are ours only while the consumer group says so. A group whose protocol the broker assigns itself
//! (KIP-848) gives a first member its partitions at once; the classic one waits three seconds for more members. So
//! nothing is joined for a window that holds nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use kafka::config::{GroupProtocol, KafkaSettings};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use kafka::describe::GroupMember;
use kafka::member::{GroupEvent, Member};
use kafka::reader::Reader;

/// What a run does when another is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConcurrentRuns {
    /// It leaves.
    Exit,
    /// It takes its part of the partitions.
    Share,
}

/// The partitions that the group gave us, and our place in it.
pub struct Membership {
    /// Commits, and leaves the group when dropped.
    pub member: Member,
    /// What the group says from now on.
    pub events: Receiver<GroupEvent>,
    /// The partitions that are ours.
    pub partitions: Vec<i32>,
}

/// Why we are not in.
#[derive(Debug, thiserror::Error)]
pub enum Fenced {
    /// Another run is live.
    #[error(
        "another run is live in group {group}: {who}; this one leaves (CONCURRENT_RUNS=share would take a part; a run that was killed counts until its session ends)"
    )]
    Live {
        /// The group.
        group: String,
        /// Its members.
        who: String,
    },
    /// Others have all the partitions.
    #[error(
        "group {group} gave this run no partition within {patience:?}: {who} has them; a run that was killed keeps its own until its session ends"
    )]
    NoPartitions {
        /// The group.
        group: String,
        /// How long we waited.
        patience: Duration,
        /// Its members.
        who: String,
    },
    /// The broker would not have us.
    #[error("joining group {group}: {error}")]
    Broker {
        /// The group.
        group: String,
        /// What we met.
        error: KafkaError,
    },
}

impl Fenced {
    /// True when not another run but the broker kept us out.
    pub fn is_the_brokers_fault(&self) -> bool {
        matches!(self, Self::Broker { .. })
    }
}

/// How often somebody who waits looks whether the run is asked to stop.
const STEP: Duration = Duration::from_millis(50);

/// How a group is joined.
#[derive(Clone, Debug)]
pub struct Joining<'r> {
    /// The group.
    pub group: String,
    /// The protocol; `None`: the broker's best.
    pub protocol: Option<GroupProtocol>,
    /// What to do about others.
    pub concurrent_runs: ConcurrentRuns,
    /// How long to wait for a partition.
    pub patience: Duration,
    /// How long the run may take to settle what is to be given up.
    pub settling: Duration,
    /// Set by a signal: nothing is waited for then.
    pub shutdown: &'r AtomicBool,
}

impl Joining<'_> {
    /// Joins the group, and answers when it has given us partitions.
    ///
    /// # Errors
    /// Another run is live, or nothing was given to us in time, or before the run was asked to stop.
    pub fn join(&self, reader: &Reader, kafka: &KafkaSettings) -> Result<Membership, Fenced> {
        let end = Instant::now() + self.patience;
        if self.concurrent_runs == ConcurrentRuns::Exit {
            let others = reader
                .group_members(&self.group, self.patience)
                .unwrap_or_default();
            if !others.is_empty() {
                return Err(Fenced::Live {
                    group: self.group.clone(),
                    who: list(&others),
                });
            }
        }
        let first = self.protocol.unwrap_or(match self.concurrent_runs {
            ConcurrentRuns::Exit => kafka.best_group_protocol(),
            // Runs that start together and share are to wait for one another, and to hear of a change within seconds:
            // what is a drawback of the classic protocol elsewhere is what they need.
            ConcurrentRuns::Share => GroupProtocol::Classic,
        });
        match self.join_with(first, end, reader, kafka) {
            Err(Fenced::Broker { error, .. })
                if self.protocol.is_none() && is_unsupported(&error) =>
            {
                tracing::debug!(%error, "the broker does not have the consumer protocol");
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
    ) -> Result<Membership, Fenced> {
        let broker = |error| Fenced::Broker {
            group: self.group.clone(),
            error,
        };
        let config = kafka.member(&self.group, protocol, self.settling);
        let (member, events) =
            Member::join(&config, &kafka.topic, self.settling).map_err(broker)?;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match events.recv_timeout(left.min(STEP)) {
                Ok(GroupEvent::Assigned(partitions)) if !partitions.is_empty() => {
                    return Ok(Membership {
                        member,
                        events,
                        partitions,
                    });
                }
                Ok(GroupEvent::Failed(error)) => return Err(broker(error)),
                // Given nothing yet, or given and taken again before we began: wait on.
                Ok(GroupEvent::Assigned(_) | GroupEvent::Revoking(..) | GroupEvent::Lost(_)) => {}
                Err(RecvTimeoutError::Timeout)
                    if left > STEP && !self.shutdown.load(Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let members = reader
                        .group_members(&self.group, Duration::from_secs(1))
                        .unwrap_or_default();
                    return Err(Fenced::NoPartitions {
                        group: self.group.clone(),
                        patience: self.patience,
                        who: list(&members),
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

fn list(members: &[GroupMember]) -> String {
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
