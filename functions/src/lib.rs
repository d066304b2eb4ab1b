//! The programs that answer HTTP: the door, the sample endpoint, and the tool that makes samples.
//!
//! - [`api`]: the sample endpoint, `api-avro-sample`
//! - [`sample`]: JSON → Avro messages in a file, and back

pub mod api;
pub mod sample;
