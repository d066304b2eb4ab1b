//! The client that is in the group: it says which partitions are ours, and commits.
//!
//! It has a thread of its own, which answers the broker at once whatever the run is doing. It fetches nothing: what
//! it is assigned is paused at once. When partitions are to be taken away, the thread waits for the run to settle
//! what is under way and to commit, and only then lets them go; so two live runs never deliver the same record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Offset;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::closing::close;
use crate::log;

/// What the group says to the run.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are ours from now on.
    Assigned(Vec<i32>),
    /// These are to be given up: settle, commit, then drop the sender.
    Revoking(Vec<i32>, Sender<()>),
    /// These are lost already: another member may have them, and they cannot be committed any more.
    Lost(Vec<i32>),
    /// The group cannot be joined, or has thrown us out for good.
    Failed(KafkaError),
}

/// One offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Partition.
    pub partition: i32,
    /// Everything below is settled.
    pub offset: i64,
    /// The done-map's text.
    pub metadata: String,
}

/// How a commit ended.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another run has our partitions.
    #[error("committing: {0}; another run has taken over")]
    Fenced(KafkaError),
    /// The group was dealt anew while this was on its way. Not to be tried again as it is: it may hold partitions that
    /// are another's by now, whose commit it would move back.
    #[error("committing: {0}; the group was dealt anew meanwhile")]
    Stale(KafkaError),
    /// The broker did not take it.
    #[error("committing: {0}")]
    Broker(KafkaError),
}

/// Our membership of the group; leaving it is dropping this.
pub struct Member {
    /// Present until the member is dropped.
    consumer: Option<Arc<BaseConsumer<Context>>>,
    topic: String,
    /// Set when the broker refused a commit for the length of its metadata.
    without_metadata: AtomicBool,
    leaving: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Joins the group of `config` for `topic`; what the group says comes through the receiver. While partitions are to
    /// be given up, the run has `patience` to settle.
    ///
    /// # Errors
    /// The configuration does not hold together.
    pub fn join(
        config: &ClientConfig,
        topic: &str,
        patience: Duration,
    ) -> KafkaResult<(Self, Receiver<GroupEvent>)> {
        let (sender, events) = channel();
        let leaving = Arc::new(AtomicBool::new(false));
        let context = Context {
            events: sender.clone(),
            patience,
            leaving: Arc::clone(&leaving),
        };
        let consumer = Arc::new(BaseConsumer::from_config_and_context(config, context)?);
        consumer.subscribe(&[topic])?;
        let (polled, stop) = (Arc::clone(&consumer), Arc::clone(&leaving));
        let thread = std::thread::Builder::new()
            .name("member".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // Nothing is fetched, so what comes is an event: callbacks have dealt with it, or it is an error.
                    if let Some(Err(error)) = polled.poll(Duration::from_millis(20))
                        && is_final(&error)
                        && sender.send(GroupEvent::Failed(error)).is_err()
                    {
                        return;
                    }
                }
            })
            .map_err(|error| {
                KafkaError::ClientCreation(format!("starting the member's thread: {error}"))
            })?;
        let member = Self {
            consumer: Some(consumer),
            topic: topic.to_owned(),
            without_metadata: AtomicBool::new(false),
            leaving,
            thread: Some(thread),
        };
        Ok((member, events))
    }

    /// Commits, and answers when the broker has it. Several calls may be needed while the group rebalances. A broker
    /// that allows less metadata than ours (`offset.metadata.max.bytes`) gets none from then on.
    ///
    /// # Errors
    /// Fenced, or the broker did not take it.
    pub fn commit(&self, commits: &[Commit]) -> Result<(), CommitError> {
        let Some(consumer) = &self.consumer else {
            return Ok(());
        };
        loop {
            let without = self.without_metadata.load(Ordering::Relaxed);
            let list = self.list(commits, !without).map_err(CommitError::Broker)?;
            let Err(error) = consumer.commit(&list, CommitMode::Sync) else {
                return Ok(());
            };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::OffsetMetadataTooLarge) if !without => {
                    tracing::warn!(%error, "the broker does not take the metadata of commits: going on without");
                    self.without_metadata.store(true, Ordering::Relaxed);
                }
                code => return Err(met(code, error)),
            }
        }
    }

    fn list(&self, commits: &[Commit], metadata: bool) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for commit in commits {
            let mut element = list.add_partition(&self.topic, commit.partition);
            element.set_offset(Offset::Offset(commit.offset))?;
            if metadata {
                element.set_metadata(&commit.metadata);
            }
        }
        Ok(list)
    }
}

/// What a refused commit means.
fn met(code: Option<RDKafkaErrorCode>, error: KafkaError) -> CommitError {
    match code {
        Some(
            // A generation or an epoch that has passed is none of these: the group has changed around us, what we
            // keep is still ours, and the commit is tried again. What we lose, the group says by itself.
            RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::FencedInstanceId
            | RDKafkaErrorCode::FencedMemberEpoch,
        ) => CommitError::Fenced(error),
        Some(RDKafkaErrorCode::IllegalGeneration | RDKafkaErrorCode::RebalanceInProgress) => {
            CommitError::Stale(error)
        }
        _ => CommitError::Broker(error),
    }
}

/// How long leaving the group may take; a broker that is away must not hold up the end of a run.
const LEAVING: Duration = Duration::from_secs(2);

impl Drop for Member {
    fn drop(&mut self) {
        self.leaving.store(true, Ordering::Relaxed);
        let (consumer, thread) = (self.consumer.take(), self.thread.take());
        let (left, wait) = channel::<()>();
        // The last reference closes the client, which says goodbye to the group and waits for an answer.
        let leave = move || {
            if let Some(consumer) = &consumer {
                // The thread that polls has something to wake up for then.
                consumer.unsubscribe();
            }
            if let Some(thread) = thread {
                let _ = thread.join();
            }
            if let Some(consumer) = consumer {
                close(&consumer, LEAVING);
            }
            drop(left);
        };
        if std::thread::Builder::new()
            .name("leave".to_owned())
            .spawn(leave)
            .is_ok()
        {
            let _ = wait.recv_timeout(LEAVING);
        }
    }
}

/// True for errors after which this membership will never get a partition.
fn is_final(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnsupportedFeature
                    | RDKafkaErrorCode::UnsupportedVersion
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::InconsistentGroupProtocol
                    | RDKafkaErrorCode::UnreleasedInstanceId
                    | RDKafkaErrorCode::FencedInstanceId
                    | RDKafkaErrorCode::GroupMaxSizeReached
            )
        )
}

struct Context {
    events: Sender<GroupEvent>,
    patience: Duration,
    /// Set when the run leaves of its own accord: it has settled everything, and nobody listens any more.
    leaving: Arc<AtomicBool>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log::tell(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let reason = crate::config::quoted(reason);
        tracing::debug!(%error, reason, "the member's connection");
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(list) = rebalance else {
            return;
        };
        let partitions = partitions(list);
        if partitions.is_empty() || self.leaving.load(Ordering::Relaxed) {
            return;
        }
        if consumer.assignment_lost() {
            let _ = self.events.send(GroupEvent::Lost(partitions));
            return;
        }
        let (done, wait) = channel();
        if self
            .events
            .send(GroupEvent::Revoking(partitions, done))
            .is_ok()
        {
            let _ = wait.recv_timeout(self.patience);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                if let Err(error) = consumer.pause(list) {
                    tracing::warn!(%error, "the member could not pause what it was assigned; it will fetch in vain");
                }
                let _ = self.events.send(GroupEvent::Assigned(partitions(list)));
            }
            Rebalance::Error(error) => {
                let _ = self.events.send(GroupEvent::Failed(error.clone()));
            }
            Rebalance::Revoke(_) => {}
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements()
        .iter()
        .map(|element| element.partition())
        .collect()
}
