//! A delivery engine with settings for tests, and what it settles.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::completion::{Completion, DeliveryOutcome};
use delivery::{Delivery, DeliveryConfig, EndpointConfig, Limits, Order};
use record::{Coordinates, Message, StreamId};
use testkit::endpoint::Endpoint;

/// Longer than anything here takes, also on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) delivery: Delivery,
    settled: Receiver<Vec<Completion>>,
}

/// One route to each endpoint, with short waits.
pub(crate) fn config(endpoints: &[&Endpoint]) -> DeliveryConfig {
    DeliveryConfig {
        endpoints: endpoints
            .iter()
            .map(|endpoint| EndpointConfig {
                name: "A".into(),
                url: endpoint.url(),
                token: None,
                batch: 1,
            })
            .collect(),
        limits: Limits {
            max_in_flight: 4,
            backoff_initial: Duration::from_millis(4),
            backoff_max: Duration::from_secs(1),
            circuit_cool_down: Duration::from_millis(50),
            // Most tests are not about the circuit.
            circuit_failure_threshold: 1000,
            ..Limits::default()
        },
        order: Order::None,
        stream: StreamId {
            cluster: "cluster".into(),
            topic: "topic".into(),
        },
        schema: "\"bytes\"".into(),
        seed: 1,
    }
}

impl Rig {
    pub(crate) fn start(config: DeliveryConfig) -> Self {
        let (sender, settled) = channel();
        let delivery = Delivery::start(config, sender).expect("delivery starts");
        Self { delivery, settled }
    }

    /// A rig with one route, after a change of its settings.
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

    /// Waits until that many messages have been settled.
    pub(crate) fn completions(&self, count: usize) -> Vec<Completion> {
        let end = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        while all.len() < count {
            let left = end.saturating_duration_since(Instant::now());
            match self.settled.recv_timeout(left) {
                Ok(parcel) => all.extend(parcel),
                Err(_) => panic!("{} of {count} messages were settled: {all:#?}", all.len()),
            }
        }
        assert_eq!(all.len(), count);
        all
    }

    /// Whether so many are in hand now, or in a moment: room is made just after a completion was sent.
    pub(crate) fn holds(&self, route: usize, count: usize) -> bool {
        let end = Instant::now() + PATIENCE;
        while self.delivery.buffered(route) != count {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// The next parcel of completions.
    pub(crate) fn parcel(&self) -> Vec<Completion> {
        self.settled
            .recv_timeout(PATIENCE)
            .expect("something is settled")
    }

    /// What has been settled by now, without waiting.
    pub(crate) fn settlements_so_far(&self) -> Vec<Completion> {
        self.settled.try_iter().flatten().collect()
    }

    /// The outcome of every message, by offset, in few words.
    pub(crate) fn fates(&self, count: usize) -> BTreeMap<i64, String> {
        let fates: BTreeMap<i64, String> = self
            .completions(count)
            .iter()
            .map(|completion| (completion.message.at.offset, word(&completion.outcome)))
            .collect();
        assert_eq!(fates.len(), count, "every message once");
        fates
    }

    /// The outcome of the one message.
    pub(crate) fn outcome(&self) -> DeliveryOutcome {
        self.completions(1).remove(0).outcome
    }

    /// Everything that is settled until the engine has ended.
    pub(crate) fn rest(self) -> Vec<Completion> {
        self.settled.iter().flatten().collect()
    }
}

/// `delivered`, `refused 422`, `left`.
pub(crate) fn word(outcome: &DeliveryOutcome) -> String {
    match outcome {
        DeliveryOutcome::Delivered(_) => "delivered".into(),
        DeliveryOutcome::Rejected { status, .. } => {
            format!(
                "refused {}",
                status.map_or("-".into(), |status| status.to_string())
            )
        }
        DeliveryOutcome::Deferred { .. } => "left".into(),
    }
}

pub(crate) fn reason(outcome: &DeliveryOutcome) -> &str {
    match outcome {
        DeliveryOutcome::Delivered(_) => "",
        DeliveryOutcome::Rejected { reason, .. } | DeliveryOutcome::Deferred { reason } => reason,
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
        headers: Vec::new(),
        timestamp: None,
        client_key: None,
    }
}

pub(crate) fn keyed(offset: i64, key: &str) -> Message {
    Message {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        ..message(0, offset)
    }
}
