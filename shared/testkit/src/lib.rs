//! The services around Frontdoor on one machine, for tests, the demo and the benchmarks. Product crates use it only in
//! their tests.
//!
//! Platform:
//! - [`agent`]: a stand-in for Fn's agent: starts, calls, freezes and kills a function
//! - [`gateway`]: an API gateway in front of such a function
//! - [`oci_standin`]: Oracle Cloud's Object Storage, Vault, metadata service and federation
//!
//! Kafka:
//! - [`broker`]: librdkafka's mock cluster, in this process
//! - [`silent_broker`]: a Kafka broker that answers nothing after its metadata
//! - [`echo_broker`]: a Kafka broker that rejects every password and repeats it in the error
//! - [`black_hole`]: an address that does not answer an attempt to connect
//! - [`kafka`]: Apache Kafka, one broker or three
//! - [`registry`]: Apicurio Registry, a schema registry with Confluent's API
//! - [`peer`]: producers and consumers with other clients
//! - [`spark`]: Spark as a producer
//! - [`acl`]: access control lists
//! - [`topics`]: administration and producing
//! - [`records`]: reads a topic
//!
//! Endpoints and data:
//! - [`endpoint`]: a scripted HTTP endpoint
//! - [`http`]: an HTTP client
//! - [`collector`]: an OpenTelemetry collector
//! - [`hydra`]: Ory Hydra, an OAuth 2.0 authorization server
//! - [`issuer`]: signs JWTs, and describes the keys as a JWKS
//! - [`webhook`]: signs requests by Standard Webhooks
//! - [`certificates`]: a certificate authority
//! - [`user`]: the tutorial's record, encoded and decoded without the code under test
//! - [`container`]: the records and keys of a batch request, read without the code under test
//! - [`run_report`]: checks the counts of a run report
//! - [`program`]: starts and stops this workspace's programs
//! - [`spread`]: the median and the range of repeated measurements
//! - `schemas`, with the feature of that name: JSON Schemas of the programs' output
//!
//! Start with [`broker::Broker`] and [`endpoint::Endpoint`]:
//!
//! ```
//! use testkit::broker::Broker;
//! use testkit::topics::{NewRecord, Topics};
//! use testkit::records;
//!
//! # fn main() -> anyhow::Result<()> {
//! let broker = Broker::start()?;
//! broker.create_topic("orders", 1)?;
//! Topics::connect(broker.bootstrap())?.write("orders", &[NewRecord::to(0, "value")])?;
//! let stored = records::all(broker.bootstrap(), "orders")?;
//! assert_eq!(stored[0].value.as_deref(), Some(&b"value"[..]));
//! # Ok(())
//! # }
//! ```

pub mod acl;
pub mod agent;
pub mod black_hole;
pub mod broker;
pub mod certificates;
pub mod collector;
pub mod container;
pub mod echo_broker;
pub mod endpoint;
pub mod gateway;
pub mod http;
pub mod hydra;
pub mod issuer;
pub mod kafka;
pub mod kafka_secrets;
pub mod oci_standin;
pub mod peer;
mod process_guard;
pub mod program;
pub mod records;
pub mod registry;
pub mod run_report;
#[cfg(feature = "schemas")]
pub mod schemas;
pub mod silent_broker;
pub mod spark;
pub mod spread;
pub mod topics;
pub mod user;
pub mod webhook;
