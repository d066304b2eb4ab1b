//! Kafka clients on librdkafka, for the ingest function and the forward job.
//!
//! | client | type | purpose |
//! |---|---|---|
//! | producer | [`producer::Producer`] | publishes messages and reports for each whether it is stored |
//! | reader | [`reader::Reader`] | lists offsets and reads assigned partitions; joins no group |
//! | member | [`member::Member`] | joins the consumer group and commits; reads nothing |
//!
//! Reader and member are separate clients, so that a reader that does not poll while its endpoints are slow keeps its
//! membership. [`commit::Committer`] commits through the member in a thread of its own.
//!
//! [`config::KafkaSettings`] is the start: it reads the settings of the connection, and makes the configuration of each
//! client. All clients log through [`context::LoggingContext`], which redacts secrets.
//!
//! The crate does not decide what to read or to commit, and it creates no topics. It contains all `unsafe` code
//! of the product: librdkafka functions that the `rdkafka` crate does not wrap (in [`batch`], [`describe`],
//! [`producer`], [`tokens`], `leader_epochs` and `log`).
//!
//! ```
//! use kafka::config::KafkaSettings;
//! use kafka::reader::Reader;
//! use kafka::settings::KAFKA;
//! use settings::Settings;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let flags = [("kafka_bootstrap_servers", "localhost:9092"), ("kafka_topic", "orders")];
//! let flags = flags.map(|(name, value)| (name, value.to_owned()));
//! let settings = runtime.block_on(Settings::gather(&[&KAFKA], &flags, |_| None))?;
//! let kafka = KafkaSettings::from_settings(&settings)?;
//!
//! let config = kafka.reader("my-group");
//! assert_eq!(config.get("isolation.level"), Some("read_committed"));
//! let reader = Reader::new(&config, &kafka.topic)?; // connects in the background
//! # drop(reader);
//! # Ok(())
//! # }
//! ```

pub mod batch;
pub mod check;
mod client_certificate;
mod client_config;
mod close;
pub mod commit;
pub mod config;
mod connect;
mod connection_errors;
pub mod context;
mod deadline;
pub mod describe;
pub mod diagnosis;
pub mod error_codes;
pub mod group_commit;
mod leader_epochs;
pub mod list_offsets;
pub mod listing;
mod log;
pub mod member;
mod msk_iam;
mod oauth;
pub mod permissions;
pub mod prefetch;
pub mod producer;
pub mod profile;
mod properties;
pub mod reader;
pub mod scan;
pub mod settings;
pub mod tls;
pub mod tokens;
pub mod topic_record;
