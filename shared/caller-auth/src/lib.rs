//! Who may send requests to a program that answers HTTP.
//!
//! A program that reads the settings of [`settings`] passes the head of each request to [`CallerAuth::admit`]. A request
//! is admitted if it satisfies any one of the configured methods:
//!
//! - a bearer token of a list (RFC 6750)
//! - a JWT (RFC 7519) of one issuer, whose keys are at a JWKS URL (RFC 7517)
//! - a signature over the body, by Standard Webhooks
//! - a client certificate, which `http_server` has verified
//!
//! A program that needs no more than a list of tokens uses a [`TokenList`]. [`people`] accepts a token from a browser.
//!
//! Without a method every request is admitted. The crate does not decide what an admitted caller may do, and does not
//! limit the rate of requests. It does not recognise a signature that is sent again within its five minutes: the
//! idempotency key of the request does.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use caller_auth::settings::CALLER_AUTH;
//! use caller_auth::{Admission, CallerAuth};
//! use http::Request;
//! use http_server::settings::HTTP_SERVER;
//! use settings::Settings;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let environment = |name: &str| (name == "CALLER_TOKENS").then(|| "old-token new-token".to_owned());
//! let settings = Settings::gather(&[&CALLER_AUTH, &HTTP_SERVER], &[], environment).await?;
//! let callers = CallerAuth::from_settings(&settings)?;
//! let request = Request::post("/").header("authorization", "Bearer new-token").body(())?;
//! let (head, ()) = request.into_parts();
//! assert!(matches!(callers.admit(&head, SystemTime::now()).await, Ok(Admission::Admitted)));
//! # Ok(())
//! # }
//! ```

mod admit;
mod authorization;
mod certificate;
mod exposure;
mod jwt;
pub mod people;
mod refusal;
pub mod settings;
mod tokens;
mod webhook;

pub use admit::{Admission, CallerAuth};
pub use refusal::{FORBIDDEN, Refusal};
pub use tokens::TokenList;
pub use webhook::SignedRequest;
