//! The outside world on one machine, for tests, the demo and the benchmarks. Nothing here ships.
//!
//! - [`agent`]: Fn's agent, which starts, calls, freezes and kills a function
//! - [`gateway`]: an API gateway in front of such a function
//! - [`broker`]: an embedded Kafka-compatible broker
//! - [`container`]: a batch request's records and keys, read apart from the code under test
//! - [`echo_broker`]: a Kafka broker that refuses every password and repeats it
//! - [`endpoint`]: a scripted HTTP endpoint
//! - [`kafka`]: real Apache Kafka, one broker or three
//! - [`topics`]: what an administrator and a producer do to a cluster
//! - [`user`]: the tutorial's record, encoded and decoded apart from the code under test
//! - [`oci_standin`]: Oracle Cloud's Object Storage, Vault, metadata and federation, which verify every signature
//! - [`records`]: reads a topic from end to end
//! - `schemas`, with the feature of that name: JSON Schemas of what the programs write
//! - [`program`]: our own programs as processes, never left behind
//! - [`http`]: a plain HTTP client for one request at a time

pub mod agent;
pub mod broker;
pub mod container;
pub mod echo_broker;
pub mod endpoint;
pub mod gateway;
pub mod http;
pub mod kafka;
pub mod oci_standin;
mod process_guard;
pub mod program;
pub mod records;
#[cfg(feature = "schemas")]
pub mod schemas;
pub mod topics;
pub mod user;
