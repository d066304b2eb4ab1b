//! Oracle Cloud: documents from Object Storage and secrets from Vault, over signed requests.
//!
//! - [`signature`], [`key`]: how a request is signed

pub mod key;
#[cfg(test)]
pub(crate) mod samples;
pub mod signature;
