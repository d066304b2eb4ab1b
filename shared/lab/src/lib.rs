//! The outside world on one machine, for tests, the demo and the benchmarks. Nothing here ships.
//!
//! - [`broker`]: an embedded Kafka-compatible broker
//! - [`records`]: reads a topic from end to end

pub mod broker;
pub mod records;
