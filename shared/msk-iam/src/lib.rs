//! Access tokens for Amazon MSK with IAM ("IAM access control"): SASL OAUTHBEARER with a URL that is signed with SigV4.
//!
//! - [`CredentialSource`]: where the credentials of AWS come from, in the order of AWS's SDKs
//! - [`MskTokens`]: tokens of them, for [`oauth2::TokenSource`], which keeps and renews them
//! - [`presign`]: the token of given credentials at a given time. Pure.
//!
//! Credentials are obtained again for each token. The crate reads no configuration files of AWS, assumes no roles other than
//! that of a web identity, and opens no connection to a broker.
//!
//! ```
//! use msk_iam::{CredentialSource, MskTokens};
//! use oauth2::TokenSource;
//!
//! # fn main() -> Result<(), String> {
//! let environment = |name: &str| std::env::var(name).ok();
//! let credentials = CredentialSource::from_environment(&environment, "eu-central-1")?;
//! let source = TokenSource::of(MskTokens::new(credentials, "eu-central-1"));
//! # drop(source);
//! # Ok(())
//! # }
//! ```

mod credentials;
mod http;
mod presign;
mod response;
mod source;
mod tokens;

pub use credentials::Credentials;
pub use presign::presign;
pub use source::CredentialSource;
pub use tokens::MskTokens;
