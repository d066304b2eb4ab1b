//! Function and job with a real OpenTelemetry collector: one trace from the caller to the endpoint. `make e2e` runs it.

// Tests and their helpers fail by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod failures;
mod fn_container;
mod logs;
mod metrics;
mod stage;
mod tls;
mod traces;

const TOPIC: &str = "FrontDoorTopic";
