//! What Frontdoor's programs mean by a setting, a secret, a datum and a broker.
//!
//! - [`settings`]: every setting in one table, and where a value is looked up
//! - [`secret`]: a value that prints as `[redacted]`
//! - [`avro`]: bytes ⇄ records; the only place that sees inside a datum
//! - [`kafka`]: settings → librdkafka configuration; the only place that spells its option names
//! - [`console`]: standard output and standard error, which may be closed
//! - [`exit`]: exit codes that mean the same in every program
//! - [`idempotency`]: what a record is known by from caller to endpoint
//! - [`oci`]: documents from Object Storage and secrets from Vault, over signed requests
//! - [`rfc3339`]: dates and times out of text
//! - [`text`]: hex digits, and other small things
//! - [`telemetry`]: how log lines look and where they go
//!
//! Nothing here knows which program it serves.

pub mod avro;
pub mod console;
pub mod exit;
mod files;
pub mod idempotency;
pub mod kafka;
pub mod oci;
pub mod rfc3339;
pub mod secret;
pub mod settings;
pub mod telemetry;
pub mod text;
