//! The programs that answer HTTP: the door, the sample endpoint, and the tool that makes samples.
//!
//! - [`api`]: the sample endpoint, `api-avro-sample`
//! - [`door`]: takes a request with Avro in its body, proves the Avro valid, and publishes it
//! - [`host`]: where the door lives: an Fn container, AWS Lambda, or a port of its own
//! - [`sample`]: JSON → Avro messages in a file, and back
//!
//! What the door and the endpoint share: `server`, HTTP connections and their end in good order; `idempotency`, the
//! caller's key; `program`, how they begin and end.

pub mod api;
pub mod door;
pub mod host;
mod idempotency;
mod program;
pub mod sample;
mod server;
