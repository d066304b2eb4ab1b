//! A running delivery with settings for tests, and its completions.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::{Completion, Delivery, DeliveryConfig, DeliveryOutcome, EndpointConfig, Limits};
use record::{Coordinates, Message, StreamId};
use testkit::endpoint::Endpoint;

/// Longer than any test takes, on a busy machine too.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Harness {
    pub(crate) delivery: Delivery,
    completions: Receiver<Vec<Completion>>,
}

/// One route to each endpoint, with short waits.
pub(crate) fn config(endpoints: &[&Endpoint]) -> DeliveryConfig {
    let limits = Limits {
        max_in_flight: 4,
        backoff_initial: Duration::from_millis(4),
        backoff_max: Duration::from_secs(1),
        circuit_cool_down: Duration::from_millis(50),
        // Most tests are not about the circuit.
        circuit_failure_threshold: 1000,
        ..Limits::default()
    };
    let route = |endpoint: &&Endpoint| EndpointConfig {
        limits,
        ..EndpointConfig::new("A", endpoint.url())
    };
    DeliveryConfig {
        endpoints: endpoints.iter().map(route).collect(),
        queue_bytes: DeliveryConfig::QUEUE_BYTES,
        observer: None,
        stream: StreamId {
            cluster: "cluster".into(),
            topic: "topic".into(),
        },
        seed: 1,
    }
}

impl Harness {
    pub(crate) fn start(config: DeliveryConfig) -> Self {
        let (sender, completions) = channel();
        let delivery = Delivery::start(config, sender).expect("delivery starts");
        Self {
            delivery,
            completions,
        }
    }

    /// A delivery with one route, after a change of its settings.
    pub(crate) fn to(endpoint: &Endpoint, change: impl FnOnce(&mut DeliveryConfig)) -> Self {
        let mut config = config(&[endpoint]);
        change(&mut config);
        Self::start(config)
    }

    pub(crate) fn offer(&self, messages: impl IntoIterator<Item = Message>) {
        for message in messages {
            self.delivery.offer(0, message).expect("there is room");
        }
    }

    /// Waits for the completions of that many messages.
    pub(crate) fn completions(&self, count: usize) -> Vec<Completion> {
        let end = Instant::now() + TIMEOUT;
        let mut all = Vec::new();
        while all.len() < count {
            let remaining = end.saturating_duration_since(Instant::now());
            match self.completions.recv_timeout(remaining) {
                Ok(group) => all.extend(group),
                Err(_) => panic!("{} of {count} messages were completed: {all:#?}", all.len()),
            }
        }
        assert_eq!(all.len(), count);
        all
    }

    /// Whether the number of buffered messages reaches `count`: it decreases just after completions are sent.
    pub(crate) fn holds(&self, route: usize, count: usize) -> bool {
        let end = Instant::now() + TIMEOUT;
        while self.delivery.buffered(route) != count {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// The next group of completions.
    pub(crate) fn next_group(&self) -> Vec<Completion> {
        self.completions
            .recv_timeout(TIMEOUT)
            .expect("a completion")
    }

    /// The completions received so far, without waiting.
    pub(crate) fn received_completions(&self) -> Vec<Completion> {
        self.completions.try_iter().flatten().collect()
    }

    /// The outcomes of that many messages by offset, as in [`word`].
    pub(crate) fn outcomes(&self, count: usize) -> BTreeMap<i64, String> {
        let outcomes: BTreeMap<i64, String> = self
            .completions(count)
            .iter()
            .map(|completion| (completion.message.at.offset, word(&completion.outcome)))
            .collect();
        assert_eq!(outcomes.len(), count, "each message once");
        outcomes
    }

    /// Waits for the outcomes of that many messages and asserts that each is this one.
    #[track_caller]
    pub(crate) fn assert_outcomes(&self, count: usize, expected: &str) {
        let outcomes = self.outcomes(count);
        let other = outcomes.iter().find(|(_, outcome)| *outcome != expected);
        assert_eq!(other, None);
    }

    /// The outcome of a single message.
    pub(crate) fn outcome(&self) -> DeliveryOutcome {
        self.completions(1).remove(0).outcome
    }

    /// All completions until delivery has ended.
    pub(crate) fn rest(self) -> Vec<Completion> {
        self.completions.iter().flatten().collect()
    }
}

/// `delivered`, `rejected 422`, `deferred`.
pub(crate) fn word(outcome: &DeliveryOutcome) -> String {
    match outcome {
        DeliveryOutcome::Delivered(_) => "delivered".into(),
        DeliveryOutcome::Rejected { status, .. } => {
            format!(
                "rejected {}",
                status.map_or("-".into(), |status| status.to_string())
            )
        }
        DeliveryOutcome::Deferred { .. } => "deferred".into(),
    }
}

pub(crate) fn reason(outcome: &DeliveryOutcome) -> &str {
    match outcome {
        DeliveryOutcome::Delivered(_) => "",
        DeliveryOutcome::Rejected { reason, .. } | DeliveryOutcome::Deferred { reason, .. } => {
            reason
        }
    }
}

/// A message whose value is its offset, in one byte.
pub(crate) fn message(partition: i32, offset: i64) -> Message {
    Message {
        at: Coordinates {
            topic: "orders".into(),
            partition,
            offset,
        },
        key: None,
        value: Some(Bytes::copy_from_slice(&[offset as u8])),
        payload: None,
        origin: None,
        headers: Vec::new(),
        timestamp: None,
        client_key: None,
    }
}

/// Sends container files with at most so many records.
pub(crate) fn batch(records: usize) -> impl FnOnce(&mut DeliveryConfig) {
    move |config| set_batch(&mut config.endpoints[0], records)
}

/// One record in a request if `records` is 1, else container files.
pub(crate) fn set_batch(endpoint: &mut EndpointConfig, records: usize) {
    if records > 1 {
        *endpoint = endpoint.clone().with_container_files(records, "\"bytes\"");
    }
}

pub(crate) fn keyed(offset: i64, key: &str) -> Message {
    Message {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        ..message(0, offset)
    }
}
