//! Delivery against real sockets: what an endpoint receives, and what becomes of every message.

// Where a helper of a test fails, the test fails.
#![allow(clippy::expect_used)]

mod batches;
mod circuit;
mod ending;
mod exactly_once;
mod order;
mod request;
mod retries;
mod rig;
mod tls;
