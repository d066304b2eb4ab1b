//! The request for a token.

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, ClientBuilder, Response, Url};
use runtime::redact;
use runtime::secret::Secret;
use runtime::text::{cause, percent_encode};

use crate::credentials::{AuthMethod, ClientCredentials};
use crate::response::{self, TokenError};
use crate::source::{RequestToken, TokenFuture};
use crate::token::Token;

/// The maximum duration of a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of the response, in bytes.
const MAX_RESPONSE: usize = 64 << 10;

/// Returns a builder of the HTTP client of one request.
pub(crate) type HttpBuilder = dyn Fn() -> Result<ClientBuilder, String> + Send + Sync;

/// The request of one client.
pub(crate) struct TokenRequest {
    http: Box<HttpBuilder>,
    url: Url,
    body: Secret,
    authorization: Option<HeaderValue>,
    /// The name by which tokens are masked.
    name: String,
}

impl TokenRequest {
    /// See [`TokenSource::new`](crate::TokenSource::new).
    pub(crate) fn new(
        http: Box<HttpBuilder>,
        credentials: &ClientCredentials,
    ) -> Result<Self, TokenError> {
        let name = format!("{} at {}", credentials.client_id, credentials.token_url);
        redact::protect(
            &format!("client secret of {name}"),
            [credentials.client_secret.clone()],
        );
        let authorization = match credentials.auth_method {
            AuthMethod::Basic => Some(basic(credentials)?),
            AuthMethod::Post => None,
        };
        Ok(Self {
            http,
            url: credentials.token_url.clone(),
            body: Secret::new(form(credentials)),
            authorization,
            name: format!("access token of {name}"),
        })
    }

    /// Requests a token. `now`: the lifetime of the token begins then.
    async fn send(&self, now: Instant) -> Result<Token, TokenError> {
        let mut request = self
            .client()?
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(self.body.reveal().to_owned());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = request.send().await.map_err(|error| unavailable(&error))?;
        let status = response.status();
        let (body, is_cut) = beginning(response).await?;
        if status.is_success() {
            return response::token(&body, now, &self.name);
        }
        Err(response::error(status, &body, is_cut))
    }

    fn client(&self) -> Result<Client, TokenError> {
        let setup = |reason| TokenError::Unavailable(format!("building the HTTP client: {reason}"));
        (self.http)()
            .map_err(setup)?
            .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
            // A redirect would send the credentials to another host.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| setup(cause(&error)))
    }
}

impl RequestToken for TokenRequest {
    fn origin(&self) -> &str {
        self.url.as_str()
    }

    fn request(&self, now: Instant) -> TokenFuture<'_> {
        Box::pin(self.send(now))
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.as_str();
        f.debug_struct("TokenRequest")
            .field("url", &url)
            .finish_non_exhaustive()
    }
}

/// RFC 6749, section 2.3.1: both parts are form-encoded before Basic.
fn basic(credentials: &ClientCredentials) -> Result<HeaderValue, TokenError> {
    let id = percent_encode(&credentials.client_id);
    let secret = percent_encode(credentials.client_secret.reveal());
    let basic = STANDARD.encode(format!("{id}:{secret}"));
    let mut authorization = HeaderValue::try_from(format!("Basic {basic}"))
        .map_err(|_| TokenError::Refused("the credentials are too long for a header".to_owned()))?;
    authorization.set_sensitive(true);
    Ok(authorization)
}

fn form(credentials: &ClientCredentials) -> String {
    let mut form = "grant_type=client_credentials".to_owned();
    let (id, secret) = match credentials.auth_method {
        AuthMethod::Basic => (None, None),
        AuthMethod::Post => (
            Some(credentials.client_id.as_str()),
            Some(credentials.client_secret.reveal()),
        ),
    };
    for (name, value) in [
        ("client_id", id),
        ("client_secret", secret),
        ("scope", credentials.scope.as_deref()),
        ("audience", credentials.audience.as_deref()),
    ] {
        if let Some(value) = value {
            form += &format!("&{name}={}", percent_encode(value));
        }
    }
    form
}

/// The beginning of the body; true if it is longer.
async fn beginning(mut response: Response) -> Result<(Vec<u8>, bool), TokenError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| unavailable(&error))?
    {
        let room = MAX_RESPONSE - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() > room {
            return Ok((body, true));
        }
    }
    Ok((body, false))
}

fn unavailable(error: &reqwest::Error) -> TokenError {
    let reason = match error.is_timeout() {
        true => format!("no response within {TIMEOUT:?}"),
        false => format!("no connection: {}", redact::mask(&cause(error))),
    };
    TokenError::Unavailable(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_form_encoded() {
        let mut credentials = ClientCredentials {
            token_url: Url::parse("https://idp/token").unwrap(),
            client_id: "a:b".to_owned(),
            client_secret: Secret::new("c d+é"),
            auth_method: AuthMethod::Basic,
            scope: Some("x y".to_owned()),
            audience: Some("https://api/".to_owned()),
        };
        let request = |credentials: &ClientCredentials| {
            TokenRequest::new(Box::new(|| Ok(Client::builder())), credentials).unwrap()
        };
        let basic = request(&credentials);
        assert_eq!(
            basic.body.reveal(),
            "grant_type=client_credentials&scope=x%20y&audience=https%3A%2F%2Fapi%2F"
        );
        let expected = format!("Basic {}", STANDARD.encode("a%3Ab:c%20d%2B%C3%A9"));
        assert_eq!(basic.authorization.as_ref().unwrap(), &expected);
        assert!(!format!("{basic:?}").contains(&expected));

        credentials.auth_method = AuthMethod::Post;
        let post = request(&credentials);
        assert_eq!(post.authorization, None);
        assert_eq!(
            post.body.reveal(),
            "grant_type=client_credentials&client_id=a%3Ab&client_secret=c%20d%2B%C3%A9&scope=x%20y\
             &audience=https%3A%2F%2Fapi%2F"
        );
    }
}
