//! The ingest function: takes a request with Avro in its body, validates the Avro, and publishes it to Kafka.
//!
//! - [`ingest`]: a request in, Kafka messages out, a response back
//! - [`settings`]: the settings of the function
//! - [`host`]: an Fn container, AWS Lambda, or a port of its own

pub mod host;
pub mod ingest;
pub mod settings;
