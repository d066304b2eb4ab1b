//! Access tokens of an authorization server: the client credentials grant (RFC 6749, section 4.4).
//!
//! - [`ClientCredentials`]: how to request a token
//! - [`TokenSource`]: the current token, for any number of callers on any runtimes
//! - [`RequestToken`]: another way to request a token
//! - [`TokenError`]: why there is no token
//!
//! A token is requested when a caller needs one, once for all callers. It is replaced before it expires while callers
//! continue with the old one, and once after an endpoint refused it. After a failed request, the next one waits. The
//! crate sends no request to a resource, and reads no settings.
//!
//! ```no_run
//! use std::time::Instant;
//!
//! use oauth2::{AuthMethod, ClientCredentials, TokenSource};
//! use runtime::secret::Secret;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let credentials = ClientCredentials {
//!     token_url: "https://idp.example/token".parse()?,
//!     client_id: "frontdoor".to_owned(),
//!     client_secret: Secret::new("hunter2"),
//!     auth_method: AuthMethod::default(),
//!     scope: Some("orders.write".to_owned()),
//!     audience: None,
//! };
//! let http = || http_proxy::client_builder().map_err(|error| error.to_string());
//! let source = TokenSource::new(http, &credentials)?;
//! match source.header(Instant::now()).await {
//!     Ok(header) => println!("{} bytes", header.len()),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok(())
//! # }
//! ```

mod cache;
mod credentials;
mod request;
mod response;
mod source;
mod token;

pub use credentials::{AuthMethod, ClientCredentials, parse_url};
pub use response::TokenError;
pub use source::{RequestToken, TokenFuture, TokenSource};
pub use token::Token;

/// The URL type of [`ClientCredentials`].
pub use reqwest::Url;
