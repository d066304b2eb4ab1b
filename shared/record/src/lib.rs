//! A Kafka record between the topic and an endpoint.
//!
//! - [`Coordinates`]: topic, partition and offset of a record, and their text form
//! - [`Message`]: a record with everything that delivery and the dead-letter topic need
//! - [`StreamId`]: cluster and topic, for idempotency keys
//! - [`idempotency`]: the names and limits of idempotency keys
//! - [`traceparent`], [`tracestate`], [`baggage`]: check the headers of a trace context
//!
//! These are plain types without I/O. Reading records is in `kafka`, sending them in `delivery`.
//!
//! ```
//! use record::{Coordinates, Message, StreamId};
//!
//! let message = Message {
//!     at: Coordinates { topic: "orders".into(), partition: 3, offset: 1042 },
//!     key: None,
//!     value: None,
//!     payload: None,
//!     origin: None,
//!     headers: Vec::new(),
//!     timestamp: None,
//!     client_key: None,
//! };
//! let stream = StreamId { cluster: "c1".to_owned(), topic: "t1".to_owned() };
//! assert_eq!(message.at.to_string(), "orders/3@1042");
//! assert_eq!(stream.idempotency_key(&message), "c1/t1/3/1042");
//! ```

pub mod baggage;
mod coordinates;
pub mod idempotency;
mod message;
pub mod traceparent;
pub mod tracestate;

pub use coordinates::{Coordinates, InvalidCoordinates};
pub use message::{Message, Payload, StreamId};
