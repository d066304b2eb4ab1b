//! The outside world on one machine, for tests, the demo and the benchmarks. Nothing here ships.
//!
//! - [`broker`]: an embedded Kafka-compatible broker
//! - [`endpoint`]: a scripted HTTP endpoint
//! - [`kafka`]: real Apache Kafka, one broker or three
//! - [`topics`]: what an administrator and a producer do to a cluster
//! - [`records`]: reads a topic from end to end

pub mod broker;
pub mod endpoint;
pub mod kafka;
pub mod records;
pub mod topics;
