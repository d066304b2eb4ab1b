//! What every program needs and no subject owns.
//!
//! - [`secret`]: a value that prints as `[redacted]`
//! - [`console`]: standard output and standard error, which may be closed
//! - [`exit`]: exit codes that mean the same in every program
//! - [`files`]: text files of this machine, read with a bound
//! - [`redact`]: masks secrets in text that others wrote
//! - [`rfc3339`]: dates and times out of text
//! - [`text`]: hex digits, and other small things

pub mod console;
pub mod exit;
pub mod files;
pub mod redact;
pub mod rfc3339;
pub mod secret;
pub mod text;
