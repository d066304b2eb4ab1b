//! The programs that answer HTTP: the door, the sample endpoint, and the tool that makes samples.
//!
//! - [`sample`]: JSON → Avro messages in a file, and back

pub mod sample;
