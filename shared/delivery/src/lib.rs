//! Delivers messages to HTTP endpoints and returns the outcome of each, exactly once.
//!
//! What it does: for each route, it queues messages, forms batches, sends them as HTTP/1.1 requests over persistent
//! connections, retries, and enforces limits (requests in flight, rate, circuit breaker, `Retry-After`, deadline). Each
//! route runs on a thread of its own, so a slow or failing endpoint does not delay the others.
//!
//! What it does not do: it does not read from Kafka, choose a message's route, commit offsets, or write dead letters.
//! It does not validate messages; it sends their values as they are.
//!
//! Start from these types:
//! - [`Delivery`]: accepts messages and returns [`Completion`]s
//! - [`DeliveryConfig`], [`EndpointConfig`], [`Limits`], [`Order`]: the configuration
//! - [`EndpointClient`]: sends one probe request to an endpoint, as `forward check` does
//! - [`RouteActivity`]: what a route does at the moment
//! - [`status`]: what each status code means for a record; [`StatusRules`]: what it means for one route
//!
//! What can be replaced, each by a trait with few methods:
//! - [`request::PayloadFormat`]: how messages become a request body
//! - [`request::RequestShape`]: the method, target and headers of a request
//! - [`request::RequestAuthorization`]: how a request is authorized
//! - [`transport::TlsConfig`]: the TLS configuration of an endpoint
//! - [`RequestObserver`]: what happens before and after each request, for traces
//!
//! Inside, [`Delivery`] starts a worker for each route. The worker moves messages from its inbox to the queue, and sends
//! a batch through the transport when the policy admits a request. The policy then decides from the outcome whether the
//! records are completed, retried or deferred. Queue and policy do no input or
//! output, and the caller supplies the clock. Routes to one endpoint can share a part of their
//! policy and their idle connections.
//!
//! ```
//! use std::time::Duration;
//! use delivery::{Delivery, DeliveryConfig, DeliveryOutcome, EndpointConfig};
//! use record::{Coordinates, Message, StreamId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (sender, completions) = std::sync::mpsc::channel();
//! // Nothing listens there.
//! let mut endpoint = EndpointConfig::new("A", "http://127.0.0.1:1/orders");
//! endpoint.limits.max_attempts = 1;
//! let config = DeliveryConfig {
//!     endpoints: vec![endpoint],
//!     queue_bytes: DeliveryConfig::QUEUE_BYTES,
//!     stream: StreamId { cluster: "cluster".into(), topic: "orders".into() },
//!     seed: 1,
//!     observer: None,
//! };
//! let delivery = Delivery::start(config, sender)?;
//! let message = Message {
//!     at: Coordinates { topic: "orders".into(), partition: 0, offset: 42 },
//!     key: None,
//!     value: Some("datum".into()),
//!     payload: None,
//!     origin: None,
//!     headers: Vec::new(),
//!     timestamp: None,
//!     client_key: None,
//! };
//! delivery.offer(0, message).expect("the queue has room");
//! let group = completions.recv()?;
//! assert!(matches!(group[0].outcome, DeliveryOutcome::Deferred { .. }));
//! delivery.stop(Duration::from_secs(1));
//! # Ok(())
//! # }
//! ```

// A message that is not accepted is returned as it is: boxing it would cost an allocation for each attempt.
#![allow(clippy::result_large_err)]

mod activity;
mod answer;
mod completion;
mod config;
mod delivery;
mod endpoint_url;
mod error;
mod inbox;
mod memory;
mod observer;
mod outcome;
mod policy;
mod queue;
mod recorder;
pub mod request;
mod route;
mod statistics;
mod time;
mod timer;
pub mod transport;
mod worker;

pub use activity::{CircuitPhase, RouteActivity};
pub use answer::{Answer, AnswerConfig, RecordAnswer};
pub use completion::{Completion, DeliveryOutcome, Receipt};
pub use config::{DeliveryConfig, EndpointConfig, EndpointPause, Limits, Order};
pub use delivery::Delivery;
pub use endpoint_url::{EndpointUrl, EndpointUrlError};
pub use error::DeliveryError;
pub use observer::{ObservedRequest, RequestEnd, RequestObservation, RequestObserver};
pub use outcome::ConnectionError;
pub use policy::{StatusRule, StatusRules, status};
pub use route::RouteState;
pub use statistics::{LatencyRange, RouteStatistics};
pub use transport::{EndpointClient, ProbeError};
