//! Which HTTP proxy a request uses. All HTTP clients of the programs have the same rule.
//!
//! What it does: it reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, finds the [`Proxy`] for a URL, and
//! configures clients of `reqwest`. The rules are those of curl (hyper-util's matcher), with two differences: this machine is
//! never reached through a proxy, and a value that is not the URL of an HTTP proxy is an error.
//!
//! What it does not do: it opens no connection, and supports neither SOCKS nor TLS to the proxy.
//!
//! Start from these types:
//! - [`Proxies`]: the proxies of an environment
//! - [`client_builder`]: a builder of `reqwest` clients that use the proxies of the process
//!
//! ```
//! use http_proxy::Proxies;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let proxies = Proxies::from_environment(|name| {
//!     (name == "HTTPS_PROXY").then(|| "http://user:password@proxy.example:3128".to_owned())
//! })?;
//! let proxy = proxies.for_url(&"https://api.example/orders".parse()?);
//! assert_eq!(proxy.map(|proxy| proxy.to_string()).as_deref(), Some("proxy.example:3128"));
//! assert!(proxies.for_url(&"https://localhost/orders".parse()?).is_none());
//! # Ok(())
//! # }
//! ```

mod client;
mod proxies;

pub use client::client_builder;
pub use proxies::{Proxies, Proxy, ProxyError};
