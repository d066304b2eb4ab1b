//! Delivery to endpoints on real sockets: what they receive, and the outcome of each message.

// A helper that fails should fail its test.
#![allow(clippy::expect_used)]

mod answers;
mod batches;
mod circuit;
mod ending;
mod exactly_once;
mod extension;
mod formats;
mod harness;
mod observer;
mod order;
mod proxy;
mod request;
mod retries;
mod sharing;
mod tls;
mod tls_files;
