//! Requests for credentials, with a limit on time and size.

use std::time::Duration;

use oauth2::TokenError;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Url};
use runtime::redact;
use runtime::secret::Secret;
use runtime::text::cause;

/// The maximum size of a response, in bytes.
const MAX_RESPONSE: usize = 64 << 10;

/// A client of one service.
pub(crate) struct Http {
    client: Client,
    service: &'static str,
    timeout: Duration,
}

impl Http {
    /// For an address of this machine, which no proxy can reach.
    pub(crate) fn local(service: &'static str) -> Result<Self, TokenError> {
        let builder = Client::builder().no_proxy();
        Self::new(builder, service, Duration::from_secs(2))
    }

    /// For an address in the network.
    pub(crate) fn remote(service: &'static str) -> Result<Self, TokenError> {
        let builder = http_proxy::client_builder()
            .map_err(|error| TokenError::Unavailable(error.to_string()))?;
        Self::new(builder, service, Duration::from_secs(10))
    }

    fn new(
        builder: ClientBuilder,
        service: &'static str,
        timeout: Duration,
    ) -> Result<Self, TokenError> {
        let client = builder
            .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
            // A redirect would send the credentials to another host.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .build()
            .map_err(|error| TokenError::Unavailable(cause(&error)))?;
        Ok(Self {
            client,
            service,
            timeout,
        })
    }

    /// The text of the response to a request with this header.
    pub(crate) async fn request(
        &self,
        method: Method,
        url: &Url,
        header: Option<(&'static str, &Secret)>,
    ) -> Result<String, TokenError> {
        let mut request = self.client.request(method, url.clone());
        if let Some((name, value)) = header {
            let mut value = HeaderValue::try_from(value.reveal()).map_err(|_| {
                TokenError::Refused(format!("{}: a token is no header", self.service))
            })?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        self.send(request).await
    }

    /// The text of the response to a form.
    pub(crate) async fn post_form(&self, url: &Url, form: &Secret) -> Result<String, TokenError> {
        let request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.reveal().to_owned());
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<String, TokenError> {
        let unavailable = |error: reqwest::Error| {
            let reason = match error.is_timeout() {
                true => format!("no response within {:?}", self.timeout),
                false => redact::mask(&cause(&error)).into_owned(),
            };
            TokenError::Unavailable(format!("{}: {reason}", self.service))
        };
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > MAX_RESPONSE {
                let reason = format!("{}: the response is too large", self.service);
                return Err(TokenError::Refused(reason));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return String::from_utf8(body).map_err(|_| {
                TokenError::Refused(format!("{}: the response is not UTF-8", self.service))
            });
        }
        let text = redact::line(&redact::excerpt(&body, false), 200);
        let reason = format!("{}: {status} {text}", self.service);
        let reason = reason.trim_end().to_owned();
        Err(match status.as_u16() {
            408 | 429 | 500..=599 => TokenError::Unavailable(reason),
            _ => TokenError::Refused(reason),
        })
    }
}
