//! The client that is a member of the consumer group: it receives assignments and commits.
//!
//! A thread of its own polls it, so that the group is served whatever the caller does. It pauses all partitions that
//! are assigned and fetches nothing. When partitions are revoked, the thread waits until the caller has drained and
//! committed them, and then returns them. So two live runs never deliver the same record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::close::close;
use crate::context::{EventHandler, LoggingContext};
use crate::error_codes::suffix;
use crate::tokens::{ClientProperties, TokenRefresher};
use crate::topic_record::{RecordError, StoredTopicRecord};

/// How long leaving the group may take: an unreachable broker must not delay the end of a run.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the member's thread checks whether the member is dropped.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);

/// A change of the membership.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are assigned to the member in addition.
    Assigned(Vec<i32>),
    /// These partitions are being revoked: drain them, commit, then drop the sender.
    Revoking(Vec<i32>, Sender<()>),
    /// These partitions are lost: another member may own them, and their commits are rejected.
    Lost(Vec<i32>),
    /// The member could not join the group, or was removed from it permanently.
    Failed(KafkaError),
}

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Partition.
    pub partition: i32,
    /// The first offset that is not completed: all below are.
    pub offset: i64,
    /// The encoded offset map.
    pub metadata: String,
}

impl Commit {
    pub(crate) fn add_to(
        &self,
        list: &mut TopicPartitionList,
        topic: &str,
        with_metadata: bool,
    ) -> KafkaResult<()> {
        let mut element = list.add_partition(topic, self.partition);
        element.set_offset(Offset::Offset(self.offset))?;
        if with_metadata {
            element.set_metadata(&self.metadata);
        }
        Ok(())
    }
}

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another run owns the partitions.
    #[error("committing: {0}; another run has taken over")]
    Fenced(KafkaError),
    /// The group rebalanced during the commit. Do not retry these offsets as they are: a partition may have a new owner,
    /// whose commit would be overwritten with a lower offset.
    #[error("committing: {0}; the group rebalanced meanwhile")]
    Stale(KafkaError),
    /// The broker rejected the commit or did not answer. A retry may succeed.
    #[error("committing: {error}{}", suffix(.0), error = .0)]
    Broker(KafkaError),
}

impl CommitError {
    fn new(error: KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::FencedMemberEpoch,
            ) => Self::Fenced(error),
            // An old generation does not mean fenced: the member may still own its partitions. The group reports those
            // that it lost as an event.
            Some(RDKafkaErrorCode::IllegalGeneration | RDKafkaErrorCode::RebalanceInProgress) => {
                Self::Stale(error)
            }
            _ => Self::Broker(error),
        }
    }
}

/// A membership of the group; dropping it leaves the group, within two seconds.
pub struct Member {
    /// Dropped before the consumer.
    tokens: Option<TokenRefresher>,
    /// Present until the member is dropped.
    consumer: Option<Arc<BaseConsumer<LoggingContext<GroupHandler>>>>,
    topic: String,
    /// Set when the broker rejected a commit because its metadata was too long.
    omits_metadata: AtomicBool,
    is_leaving: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Joins the group of `config`, subscribed to `topic`. The receiver returns the events of the group. When partitions
    /// are revoked, the caller has `drain_timeout` to drop the sender of [`GroupEvent::Revoking`].
    ///
    /// # Errors
    /// librdkafka rejects the configuration, or no thread can be started.
    pub fn join(
        config: &ClientProperties,
        topic: &str,
        drain_timeout: Duration,
    ) -> KafkaResult<(Self, Receiver<GroupEvent>)> {
        let (sender, events) = channel();
        let is_leaving = Arc::new(AtomicBool::new(false));
        let handler = GroupHandler {
            events: sender.clone(),
            drain_timeout,
            is_leaving: Arc::clone(&is_leaving),
        };
        let context = LoggingContext::new("member", handler);
        let consumer = Arc::new(BaseConsumer::from_config_and_context(config, context)?);
        let tokens = config.authenticate(consumer.client());
        consumer.subscribe(&[topic])?;
        let (polled, stop) = (Arc::clone(&consumer), Arc::clone(&is_leaving));
        let thread = thread::Builder::new()
            .name("member".to_owned())
            .spawn(move || poll(&polled, &stop, &sender))
            .map_err(|error| {
                KafkaError::ClientCreation(format!("starting the member's thread: {error}"))
            })?;
        let member = Self {
            tokens,
            consumer: Some(consumer),
            topic: topic.to_owned(),
            omits_metadata: AtomicBool::new(false),
            is_leaving,
            thread: Some(thread),
        };
        Ok((member, events))
    }

    /// Commits, and waits for the broker's acknowledgement. Several calls may be needed while the group rebalances.
    ///
    /// If the broker rejects the metadata as too long (`offset.metadata.max.bytes`), this and all later commits are
    /// sent without metadata.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub fn commit(&self, commits: &[Commit]) -> Result<(), CommitError> {
        let Some(consumer) = &self.consumer else {
            return Ok(());
        };
        loop {
            let omits_metadata = self.omits_metadata.load(Ordering::Relaxed);
            let list = self
                .list(commits, !omits_metadata)
                .map_err(CommitError::Broker)?;
            let Err(error) = consumer.commit(&list, CommitMode::Sync) else {
                return Ok(());
            };
            if omits_metadata
                || error.rdkafka_error_code() != Some(RDKafkaErrorCode::OffsetMetadataTooLarge)
            {
                return Err(CommitError::new(error));
            }
            tracing::warn!(%error, "committing without metadata: the broker rejected its length");
            self.omits_metadata.store(true, Ordering::Relaxed);
        }
    }

    /// Writes the topic record, and waits for the broker's acknowledgement.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn write_topic_record(&self, record: &StoredTopicRecord) -> Result<(), RecordError> {
        match &self.consumer {
            Some(consumer) => record.write(consumer, CommitMode::Sync),
            None => Ok(()),
        }
    }

    fn list(&self, commits: &[Commit], with_metadata: bool) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for commit in commits {
            commit.add_to(&mut list, &self.topic, with_metadata)?;
        }
        Ok(list)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        let (consumer, thread) = (self.consumer.take(), self.thread.take());
        let tokens = self.tokens.take();
        let (done, wait) = channel::<()>();
        let leave = move || {
            if let Some(consumer) = &consumer {
                // Causes an event, which wakes up the thread that polls.
                consumer.unsubscribe();
            }
            if let Some(thread) = thread {
                let _ = thread.join();
            }
            drop(tokens);
            if let Some(consumer) = consumer {
                close(&consumer, LEAVE_TIMEOUT);
            }
            drop(done);
        };
        if thread::Builder::new()
            .name("leave".to_owned())
            .spawn(leave)
            .is_ok()
        {
            let _ = wait.recv_timeout(LEAVE_TIMEOUT);
        }
    }
}

/// Serves the group until the member leaves it. Callbacks handle all events but errors.
fn poll(
    consumer: &BaseConsumer<LoggingContext<GroupHandler>>,
    is_leaving: &AtomicBool,
    events: &Sender<GroupEvent>,
) {
    while !is_leaving.load(Ordering::Relaxed) {
        if let Some(Err(error)) = consumer.poll(POLL_TIMEOUT)
            && is_final(&error)
            && events.send(GroupEvent::Failed(error)).is_err()
        {
            return;
        }
    }
}

/// True for errors after which this member will never be assigned a partition.
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

/// Turns rebalance callbacks into events.
struct GroupHandler {
    events: Sender<GroupEvent>,
    drain_timeout: Duration,
    /// Set when the caller drops the member: everything is completed, and no event is received.
    is_leaving: Arc<AtomicBool>,
}

impl EventHandler for GroupHandler {}

impl ConsumerContext for LoggingContext<GroupHandler> {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(list) = rebalance else {
            return;
        };
        let handler = self.handler();
        let partitions = partitions(list);
        if partitions.is_empty() || handler.is_leaving.load(Ordering::Relaxed) {
            return;
        }
        if consumer.assignment_lost() {
            let _ = handler.events.send(GroupEvent::Lost(partitions));
            return;
        }
        let (done, wait) = channel();
        let event = GroupEvent::Revoking(partitions, done);
        if handler.events.send(event).is_ok() {
            let _ = wait.recv_timeout(handler.drain_timeout);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let events = &self.handler().events;
        match rebalance {
            Rebalance::Assign(list) => {
                if let Err(error) = consumer.pause(list) {
                    tracing::warn!(%error, "the member could not pause its partitions: it fetches records and discards them");
                }
                let _ = events.send(GroupEvent::Assigned(partitions(list)));
            }
            Rebalance::Error(error) => {
                let _ = events.send(GroupEvent::Failed(error.clone()));
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
