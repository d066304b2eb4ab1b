//! Requests and tokens of the job, compared with other libraries. `make callers-check` runs these tests; `cargo test` ignores them.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod cloudevents;
mod msk_iam;
mod webhooks;

/// Runs a Python program beside it with its packages.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receivers/python");
