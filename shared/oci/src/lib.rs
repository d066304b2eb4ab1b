//! Oracle Cloud: documents from Object Storage and secrets from Vault, over signed requests.
//!
//! - [`Oci`]: the client; made once by [`Oci::sign_in`], which finds out who we are ([`principal`])
//! - [`signature`], [`key`]: how a request is signed
//! - [`ocid`], [`region`], [`token`]: the names that Oracle Cloud uses
//!
//! Nothing here knows of settings: [`crate::settings`] asks, and decides what an error means.

mod client;
mod error;
mod exchange;
mod failure;
pub mod key;
mod object_storage;
pub mod ocid;
pub mod principal;
pub mod region;
mod retry;
#[cfg(test)]
pub(crate) mod samples;
pub mod signature;
mod signing;
pub mod token;
mod vault;

use std::time::SystemTime;

pub use client::{Oci, OciConfig};
pub use error::OciError;
pub use object_storage::{Object, ObjectLocation};
pub use vault::{SecretBundle, SecretLocation};

/// What time it is; tests pass another.
pub type Clock = fn() -> SystemTime;
