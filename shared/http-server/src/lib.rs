//! HTTP/1.1 on a listener, and how a program that answers HTTP starts and exits.
//!
//! - [`server`]: accepts connections, serves requests, ends in good order
//! - [`idempotency`]: the caller's `Idempotency-Key` header
//! - [`settings`]: the address and the limits of request bodies
//! - [`program`]: the runtime and the exit code

pub mod idempotency;
pub mod program;
pub mod server;
pub mod settings;
