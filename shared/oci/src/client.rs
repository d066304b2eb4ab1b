//! The client: who we are, where the services answer, and requests that leave signed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Extensions, Method};
use reqwest::{ClientBuilder, Request, Url};
use reqwest_middleware::ClientWithMiddleware;

use super::error::OciError;
use super::exchange::{Answer, Exchange};
use super::principal::{Principal, PrincipalConfig};
use super::signing::Signing;

/// How to reach Oracle Cloud.
#[derive(Clone, Debug)]
pub struct OciConfig {
    /// Who we are.
    pub principal: PrincipalConfig,
    /// One address for every service, in place of the region's hosts.
    pub endpoint: Option<String>,
    /// How long one question may take, attempts and waits included.
    pub timeout: Duration,
}

/// Oracle Cloud, seen by one principal.
pub struct Oci {
    exchange: Exchange,
    principal: Arc<Principal>,
    endpoint: Option<String>,
}

impl Oci {
    /// Finds out who we are and makes a client; nothing else is asked yet.
    ///
    /// # Errors
    /// There is no principal, or a wrong one.
    pub async fn sign_in(config: &OciConfig) -> Result<Self, OciError> {
        let principal = Arc::new(Principal::take(&config.principal, config.timeout).await?);
        let client = builder()
            .build()
            .map_err(|error| OciError::Setup(format!("making an HTTP client: {error}")))?;
        let signing = Signing {
            principal: Arc::clone(&principal),
            clock: config.principal.clock,
        };
        Ok(Self {
            exchange: Exchange {
                http: ClientWithMiddleware::new(client, [Arc::new(signing) as Arc<_>]),
                bound: config.timeout,
                principal: Some(Arc::clone(&principal)),
                clock: config.principal.clock,
            },
            principal,
            endpoint: config.endpoint.clone(),
        })
    }

    /// Who we are.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// A request to a service: `host` says where it answers in the region, unless one address serves for all.
    pub(super) fn request(
        &self,
        method: Method,
        host: String,
        path_and_query: &str,
    ) -> Result<Request, OciError> {
        let base = self.endpoint.clone().unwrap_or(host);
        let address = format!("{}{path_and_query}", base.trim_end_matches('/'));
        Url::parse(&address)
            .map(|url| Request::new(method, url))
            .map_err(|error| OciError::Setup(format!("OCI_ENDPOINT: {address}: {error}")))
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.exchange.clock)()
    }

    pub(super) async fn ask(
        &self,
        doing: &str,
        request: &Request,
        extensions: &Extensions,
        limit: usize,
    ) -> Result<Answer, OciError> {
        self.exchange.ask(doing, request, extensions, limit).await
    }
}

/// What all our HTTP clients have in common. A redirect would carry a signature to where it was not meant for.
pub(super) fn builder() -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, slashes too, as Oracle's Python SDK and CLI
/// do: a name is one segment.
pub(super) fn encode(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_as_the_cli_encodes_them() {
        assert_eq!(
            encode("a b/ü+c&d=e?.txt"),
            "a%20b%2F%C3%BC%2Bc%26d%3De%3F.txt"
        );
        assert_eq!(encode("user-1_2.~avsc"), "user-1_2.~avsc");
        // The URL as it goes out keeps them as they are.
        let url = Url::parse(&format!("http://h/o/{}", encode("a/../b%2F'\"<>`{}|\\^"))).unwrap();
        assert_eq!(
            url.path(),
            format!("/o/{}", encode("a/../b%2F'\"<>`{}|\\^"))
        );
    }
}
