//! How requests to endpoints are authorized and signed, beyond fixed headers.
//!
//! - [`AccessToken`]: a bearer token of an authorization server
//! - [`OciSignature`]: the signature of an Oracle Cloud principal
//! - [`StandardWebhooks`]: signatures over the body with shared secrets
//! - [`Sequence`]: several of them
//! - [`Preview`]: the headers of each, without a connection

mod access_token;
mod oci_signature;
mod preview;
mod sequence;
mod standard_webhooks;

pub use self::standard_webhooks::StandardWebhooks;
pub use access_token::AccessToken;
pub use oci_signature::OciSignature;
pub use preview::Preview;
pub use sequence::Sequence;
