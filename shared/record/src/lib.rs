//! A Kafka record on its way from the topic to an endpoint.
//!
//! - [`Coordinates`]: where it lies
//! - [`Message`]: the record with all that delivery and the dead-letter topic need
//! - [`idempotency`]: the key by which it is recognised from caller to endpoint

pub mod idempotency;
mod message;

pub use message::{Coordinates, Message, StreamId};
