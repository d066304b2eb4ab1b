//! The promises of a window, each against a real Apache Kafka and the real `forward` program, with endpoints that
//! behave as endpoints do. They start brokers, so `cargo test` leaves them out; `make e2e` runs them.

// The helpers of a test may panic like the test itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "e2e/endpoints.rs"]
mod endpoints;
#[path = "e2e/run.rs"]
mod run;
#[path = "e2e/stage.rs"]
mod stage;

#[path = "e2e/concurrent_runs.rs"]
mod concurrent_runs;
#[path = "e2e/delivery.rs"]
mod delivery;
#[path = "e2e/loss_matrix.rs"]
mod loss_matrix;
#[path = "e2e/memory.rs"]
mod memory;
#[path = "e2e/operations.rs"]
mod operations;
#[path = "e2e/poison.rs"]
mod poison;
#[path = "e2e/window.rs"]
mod window;
