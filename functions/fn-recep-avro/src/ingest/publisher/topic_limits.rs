//! The limits of the topic's messages, as the broker describes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::config::Profile;
use kafka::describe::TopicLimits;
use kafka::producer::Producer;
use tokio::task::JoinHandle;
use tracing::{debug, info};

use crate::ingest::envelope::MessageLimits;

/// The age at which a description is requested again.
const MAX_AGE: Duration = Duration::from_secs(180);
/// The same if the broker did not describe the topic.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// The first description is requested this long after the metadata: the first message is acknowledged by then.
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// How long the broker may take for each of two requests.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The last description of the topic. The first is requested after the start.
pub(super) struct DescribedTopic {
    setting: Option<usize>,
    profile: Profile,
    topic: String,
    last: Mutex<LastDescription>,
    /// Held while a description is requested.
    request: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct LastDescription {
    /// The last one that the broker returned.
    limits: Option<TopicLimits>,
    /// When it was requested last, with or without success.
    requested: Option<Instant>,
}

impl DescribedTopic {
    /// `setting` is `MAX_MESSAGE`, in bytes.
    pub(super) fn new(setting: Option<usize>, profile: Profile, topic: String) -> Arc<Self> {
        Arc::new(Self {
            setting,
            profile,
            topic,
            last: Mutex::default(),
            request: tokio::sync::Mutex::default(),
        })
    }

    /// The limits as far as they are known.
    pub(super) fn limits(&self) -> MessageLimits {
        MessageLimits::new(self.setting, self.profile, self.lock().limits.as_ref())
    }

    /// The topic's limit of a record batch, if the broker has described the topic.
    pub(super) fn max_bytes(&self) -> Option<usize> {
        let last = self.lock();
        last.limits.as_ref().map(|limits| limits.max_message_bytes)
    }

    /// Whether a description is older than a few minutes, and not being requested.
    pub(super) fn is_due(&self) -> bool {
        let max_age = match self.lock().limits {
            Some(_) => MAX_AGE,
            None => RETRY_INTERVAL,
        };
        self.is_older_than(max_age) && self.request.try_lock().is_ok()
    }

    /// Requests the first description, a moment after the metadata for the first message have arrived. A broker answers one
    /// request of a connection at a time: a message that is waiting would have to wait for the description too.
    pub(super) async fn describe_later(&self, producer: Arc<Producer>, prefetch: JoinHandle<()>) {
        let _guard = self.request.lock().await;
        let _ = prefetch.await;
        tokio::time::sleep(FIRST_DELAY).await;
        self.describe(producer, Duration::ZERO).await;
    }

    /// Requests a description, unless the last request is not older than `max_age`. Concurrent calls share one request.
    pub(super) async fn refresh(&self, producer: Arc<Producer>, max_age: Duration) {
        let _guard = self.request.lock().await;
        self.describe(producer, max_age).await;
    }

    async fn describe(&self, producer: Arc<Producer>, max_age: Duration) {
        if !self.is_older_than(max_age) {
            return;
        }
        let topic = self.topic.clone();
        let describe = move || producer.topic_limits(&topic, TIMEOUT);
        let described = tokio::task::spawn_blocking(describe).await.ok().flatten();
        let mut last = self.lock();
        last.requested = Some(Instant::now());
        match described {
            Some(limits) if last.limits.as_ref() != Some(&limits) => {
                info!(
                    topic = self.topic,
                    max_message_bytes = limits.max_message_bytes,
                    "the limits of the topic are known"
                );
                last.limits = Some(limits);
            }
            Some(_) => {}
            None => debug!(
                topic = self.topic,
                "the broker does not describe the topic's configuration"
            ),
        }
    }

    /// Whether the last request is older, or there was none. Never on OCI Streaming, which does not document the request.
    pub(super) fn is_older_than(&self, max_age: Duration) -> bool {
        let requested = self.lock().requested;
        self.profile != Profile::OciStreaming && requested.is_none_or(|at| at.elapsed() >= max_age)
    }

    fn lock(&self) -> MutexGuard<'_, LastDescription> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
