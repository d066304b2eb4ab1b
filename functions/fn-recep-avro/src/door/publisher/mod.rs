//! To the broker and back with its word: each message is stored, not stored, or nobody can know.
//!
//! One client lives across calls. Its delivery reports arrive on the runtime's own thread (see [`bell`]), so that
//! an acknowledgement costs no detour over a thread of the client's. A client is replaced after a fatal error, after
//! a purge, and after it lay idle so long that its connections may have died unnoticed.

mod bell;
mod client;
mod fate;
mod timers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka::config::KafkaSettings;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use record::idempotency;
use tokio::sync::Notify;
use tracing::{debug, error, info};

use client::Client;
use fate::Batch;
pub(super) use fate::{Fate, Receipt, Trouble};
use timers::Timers;

/// How long reports are awaited beyond the deadline: after a purge they come at once.
const LAST_REPORTS: Duration = Duration::from_millis(200);
/// The same where other calls share the client, so that nothing is purged: the client looks for messages that are
/// over time once a second.
const SHARED_REPORTS: Duration = Duration::from_millis(1500);

/// How long a new client's first question to an absent broker holds a thread.
const WARM: Duration = Duration::from_secs(2);

/// How messages are published.
#[derive(Clone, Debug)]
pub(super) struct Publishing {
    /// The broker and the topic.
    pub(super) kafka: KafkaSettings,
    /// The longest wait for the acknowledgement.
    pub(super) timeout: Duration,
    /// A client that was not used for this long is replaced before it is used again: its connections may have died
    /// unnoticed while the function was frozen.
    pub(super) idle: Duration,
}

/// The broker's client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("starting the Kafka client: {0}")]
pub struct PublishError(#[from] KafkaError);

/// One message to be.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) key: Option<Bytes>,
    pub(super) value: &'a [u8],
    /// What all messages of a call have in common.
    pub(super) headers: Arc<[(&'static str, Bytes)]>,
    /// The header of that name.
    pub(super) idempotency_key: Option<String>,
}

impl Message<'_> {
    /// All headers, in order.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let shared = self.headers.iter();
        let own = self.idempotency_key.as_ref();
        shared
            .map(|(name, value)| (*name, value.as_ref()))
            .chain(own.map(|key| (idempotency::HEADER, key.as_bytes())))
    }

    /// The most bytes that the message takes in Kafka's record format (version 2), varints at their longest.
    pub(super) fn wire_size(&self) -> usize {
        const RECORD: usize = 36;
        const HEADER: usize = 10;
        let headers: usize = self
            .lines()
            .map(|(name, value)| HEADER + name.len() + value.len())
            .sum();
        RECORD + self.key.as_ref().map_or(0, Bytes::len) + self.value.len() + headers
    }
}

/// Publishes messages; shared by all calls.
pub(super) struct Publisher {
    config: ClientConfig,
    topic: String,
    timeout: Duration,
    idle: Duration,
    current: Mutex<Option<Current>>,
    calls: AtomicUsize,
    refusal: Arc<Notify>,
    timers: Timers,
}

struct Current {
    client: Arc<Client>,
    used: Instant,
}

impl Publisher {
    /// Starts the client; the connection is made in the background.
    ///
    /// # Errors
    /// The client refuses its configuration, such as a CA file that does not exist.
    pub(super) async fn open(publishing: Publishing) -> Result<Self, PublishError> {
        let publisher = Self {
            config: publishing.kafka.producer_within(publishing.timeout),
            topic: publishing.kafka.topic,
            timeout: publishing.timeout,
            idle: publishing.idle,
            current: Mutex::new(None),
            calls: AtomicUsize::new(0),
            refusal: Arc::default(),
            timers: Timers::default(),
        };
        publisher.client().await?;
        Ok(publisher)
    }

    /// Ends when the broker has refused our user or password.
    pub(super) async fn refused(&self) {
        self.refusal.notified().await;
    }

    /// The topic that every message goes to.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Publishes all messages and waits for the word on each, until `deadline` or the door's own limit.
    ///
    /// A deadline that has passed already publishes nothing. Without transactions, which would cost two more round
    /// trips for each call and which OCI Streaming lacks, several messages are not one: some may be stored when
    /// others are not, and then the fates say which.
    pub(super) async fn publish(
        &self,
        messages: &[Message<'_>],
        deadline: Option<Instant>,
    ) -> Vec<Fate> {
        let now = Instant::now();
        let limit = now + self.timeout;
        let deadline = deadline.map_or(limit, |deadline| deadline.min(limit));
        let none = |trouble| vec![Fate::NotStored(trouble); messages.len()];
        if deadline <= now {
            return none(Trouble::Unacknowledged);
        }
        let client = match self.client().await {
            Ok(client) => client,
            Err(error) => {
                error!(%error, "no Kafka client");
                return none(Trouble::Refused);
            }
        };
        let turn = Turn::take(&self.calls);
        let batch = Batch::of(messages.len());
        for (place, message) in messages.iter().enumerate() {
            client.send(&self.topic, message, &batch, place);
        }
        let settled = self.timers.within(deadline, batch.settled()).await;
        if settled.is_none() {
            let last = if turn.is_alone() {
                client.purge();
                // A purge tears a hole into an idempotent producer's sequence, which the broker would not take.
                self.replace(&client);
                LAST_REPORTS
            } else {
                SHARED_REPORTS
            };
            let last = Instant::now() + last;
            let _ = self.timers.within(last, batch.settled()).await;
        }
        let mut fates = batch.fates(|| client.has_met_a_broker());
        if fates.iter().any(|fate| fate.trouble().is_some()) {
            blame_the_fatal_error(&client, &mut fates);
        }
        fates
    }

    /// The client in use, or a new one in its place.
    async fn client(&self) -> Result<Arc<Client>, PublishError> {
        if let Some(client) = self.usable() {
            return Ok(client);
        }
        // Reading the authorities' certificates takes its time; the runtime has other calls to serve.
        let (config, refusal) = (self.config.clone(), Arc::clone(&self.refusal));
        let client = tokio::task::spawn_blocking(move || Client::start(&config, refusal))
            .await
            .map_err(|_| KafkaError::Canceled)??;
        // Leaders are known before a message asks for them. A failure is that message's to tell.
        let (warm, topic) = (Arc::clone(&client), self.topic.clone());
        let patience = self.timeout.min(WARM);
        tokio::task::spawn_blocking(move || warm.warm(&topic, patience));
        let mut current = self.lock();
        // Another call may have been quicker; then this client is one too many, and goes.
        let current = current.get_or_insert(Current {
            client,
            used: Instant::now(),
        });
        Ok(Arc::clone(&current.client))
    }

    /// The client in use, unless it is worn; a worn one is taken out of use.
    fn usable(&self) -> Option<Arc<Client>> {
        let worn = {
            let mut current = self.lock();
            let current = current.as_mut()?;
            let idle = current.used.elapsed();
            let fatal = current.client.fatal_error();
            if idle < self.idle && fatal.is_none() {
                current.used = Instant::now();
                return Some(Arc::clone(&current.client));
            }
            match fatal {
                Some((_, error)) => info!(error, "replacing the Kafka client after a fatal error"),
                None => debug!(?idle, "replacing the Kafka client, which lay idle"),
            }
            Arc::clone(&current.client)
        };
        self.replace(&worn);
        None
    }

    /// Takes this client out of use; whoever still waits for its reports gets them.
    fn replace(&self, worn: &Arc<Client>) {
        let mut current = self.lock();
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(&current.client, worn))
            && let Some(old) = current.take()
        {
            // Ending a client joins its threads, so it must not end on the runtime's own: not even with the last call
            // that waits for it.
            tokio::task::spawn_blocking(move || {
                while Arc::strong_count(&old.client) > 1 {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        // Nothing panics while it is held; a poisoned lock would guard sound data all the same.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A producer that the broker refuses for good says of its messages only that they were given up.
fn blame_the_fatal_error(client: &Client, fates: &mut [Fate]) {
    let Some((code, reason)) = client.fatal_error() else {
        return;
    };
    error!(reason, "the Kafka client can go on no more");
    for fate in fates {
        if let Fate::NotStored(trouble) = fate {
            *trouble = Trouble::of(code).max(*trouble);
        }
    }
}

/// Counts a call while it lasts.
struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::Relaxed);
        Self(calls)
    }

    /// No other call waits for reports now, so that everything in the client's queues is this one's.
    fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
