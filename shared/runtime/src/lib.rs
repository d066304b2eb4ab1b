//! What every program of the workspace needs and no subject owns.
//!
//! - [`secret`]: a value that prints as `[redacted]`
//! - [`telemetry`]: log lines on standard error
//! - [`console`]: standard output and standard error, which may be closed
//! - [`exit`]: exit codes that mean the same in every program
//! - [`files`]: bounded reads and atomic replacement of files
//! - [`log_limit`]: limits how often the same log line is written
//! - [`redact`]: masks secrets in text from other programs
//! - [`retry`]: backoff with jitter, and `Retry-After`
//! - [`rfc3339`]: dates and times in text
//! - [`text`]: hex digits, error causes, paths
//!
//! It does not read settings, start an async runtime or open a socket. Start with [`secret::Secret`] and [`files`]:
//!
//! ```
//! use runtime::{files, secret::Secret};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("token");
//! files::replace(&path, b"hunter2")?;
//! let token = Secret::new(files::read_text(&path, 1024)?);
//! assert_eq!(format!("{token}"), "[redacted]");
//! assert_eq!(token.reveal(), "hunter2");
//! # Ok(())
//! # }
//! ```

pub mod console;
pub mod exit;
pub mod files;
pub mod host;
pub mod log_limit;
pub mod redact;
pub mod retry;
pub mod rfc3339;
pub mod secret;
pub mod telemetry;
pub mod text;
