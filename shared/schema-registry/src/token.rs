//! Tokens of an authorization server: the client credentials grant (RFC 6749, section 4.4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Url};
use runtime::redact;
use runtime::secret::Secret;
use runtime::text::percent_encode;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::body;
use crate::response::line;
use crate::retry;

/// A token is replaced this long before it expires, or after nine tenths of its lifetime.
const MARGIN: Duration = Duration::from_secs(30);

/// The maximum lifetime of a token. Adding it to the current time cannot overflow.
const MAX_LIFETIME: Duration = Duration::from_secs(365 * 86_400);

/// The maximum size of the response, in bytes.
const MAX_RESPONSE: usize = 64 << 10;

/// Requests tokens and keeps the current one.
#[derive(Debug)]
pub(crate) struct TokenSource {
    http: Client,
    pub(crate) url: Url,
    body: String,
    authorization: HeaderValue,
    current: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    header: HeaderValue,
    /// `None`: the token is used until it is refused.
    replace_at: Option<Instant>,
}

/// Why there is no token.
pub(crate) enum TokenError {
    /// Another attempt may succeed.
    Unavailable(String),
    /// The server refused the client.
    Refused(String),
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    token_type: Option<String>,
    /// Seconds. Some servers send a string.
    expires_in: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    error_description: Option<String>,
}

impl TokenSource {
    /// Sends no request. `None` if the credentials cannot be a header, which is impossible after encoding.
    pub(crate) fn new(
        http: Client,
        url: Url,
        id: &str,
        secret: &Secret,
        scope: Option<&str>,
    ) -> Option<Self> {
        let mut form = form_urlencoded("grant_type", "client_credentials");
        if let Some(scope) = scope {
            form = format!("{form}&{}", form_urlencoded("scope", scope));
        }
        // Section 2.3.1: both parts are form-encoded before Basic.
        let (id, secret) = (percent_encode(id), percent_encode(secret.reveal()));
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        let mut authorization = HeaderValue::try_from(format!("Basic {credentials}")).ok()?;
        authorization.set_sensitive(true);
        Some(Self {
            http,
            url,
            body: form,
            authorization,
            current: Mutex::new(None),
        })
    }

    /// The value of `Authorization`. A new token is requested if there is none, if it expires soon, or if it is the one
    /// that was `refused`. Concurrent callers wait for one request.
    pub(crate) async fn header(
        &self,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, TokenError> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        if let Some(token) = &*current
            && refused != Some(&token.header)
            && token.replace_at.is_none_or(|at| now < at)
        {
            return Ok(token.header.clone());
        }
        let token = self.request(now).await?;
        let header = token.header.clone();
        *current = Some(token);
        Ok(header)
    }

    async fn request(&self, now: Instant) -> Result<Token, TokenError> {
        let request = self
            .http
            .post(self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(self.body.clone());
        let response = request.send().await;
        let response =
            response.map_err(|error| TokenError::Unavailable(body::connection_error(&error)))?;
        let status = response.status();
        let (bytes, is_cut) = body::beginning(response, MAX_RESPONSE)
            .await
            .map_err(TokenError::Unavailable)?;
        if status.is_success() {
            return token(&bytes, now).map_err(TokenError::Refused);
        }
        let message = match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(ErrorBody {
                error,
                error_description,
            }) => line(&format!(
                "{error} {}",
                error_description.unwrap_or_default()
            )),
            Err(_) => line(&redact::excerpt(&bytes, is_cut)),
        };
        let message = format!("{status} {message}").trim_end().to_owned();
        Err(match retry::is_transient(status.as_u16()) {
            true => TokenError::Unavailable(message),
            false => TokenError::Refused(message),
        })
    }
}

/// The token in a response. The text of an error has no part of the response, which may be a token.
fn token(body: &[u8], now: Instant) -> Result<Token, String> {
    let response: TokenResponse = serde_json::from_slice(body)
        .map_err(|_| "the response has no access_token (RFC 6749, section 5.1)".to_owned())?;
    if let Some(kind) = &response.token_type
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err(format!(
            "the token type is {:?}, expected Bearer",
            line(kind)
        ));
    }
    redact::protect(
        "schema registry token",
        [Secret::new(&response.access_token)],
    );
    let mut header = HeaderValue::try_from(format!("Bearer {}", response.access_token))
        .map_err(|_| "the access_token has characters that a header cannot have".to_owned())?;
    header.set_sensitive(true);
    let lifetime = response
        .expires_in
        .and_then(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map(|lifetime| lifetime.min(MAX_LIFETIME));
    let replace_at =
        lifetime.map(|lifetime| now + lifetime.saturating_sub(MARGIN).max(lifetime.mul_f64(0.9)));
    Ok(Token { header, replace_at })
}

fn form_urlencoded(name: &str, value: &str) -> String {
    format!("{name}={}", percent_encode(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_before_it_expires() {
        let now = Instant::now();
        let replace_after = |body: &str| {
            let token = token(body.as_bytes(), now).unwrap();
            token.replace_at.map(|at| (at - now).as_secs())
        };
        assert_eq!(
            replace_after(r#"{"access_token":"hunter2","token_type":"bearer","expires_in":3600}"#),
            Some(3570)
        );
        assert_eq!(
            replace_after(r#"{"access_token":"hunter2","expires_in":100}"#),
            Some(90)
        );
        assert_eq!(
            replace_after(r#"{"access_token":"hunter2","expires_in":"3600"}"#),
            Some(3570)
        );
        assert_eq!(
            replace_after(r#"{"access_token":"hunter2","expires_in":1e300}"#),
            None
        );
        assert_eq!(
            replace_after(r#"{"access_token":"hunter2","expires_in":-1}"#),
            None
        );
        assert_eq!(replace_after(r#"{"access_token":"hunter2"}"#), None);
    }

    #[test]
    fn a_malformed_response_is_not_quoted() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"access_token":"hunter\n2"}"#,
            r#"{"access_token":"hunter2","token_type":"mac"}"#,
        ] {
            let error = token(body.as_bytes(), Instant::now()).unwrap_err();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn credentials_are_form_encoded() {
        let url = Url::parse("https://idp/token").unwrap();
        let source = TokenSource::new(
            Client::new(),
            url,
            "a:b",
            &Secret::new("c d+é"),
            Some("x y"),
        )
        .unwrap();
        assert_eq!(source.body, "grant_type=client_credentials&scope=x%20y");
        let expected = format!("Basic {}", STANDARD.encode("a%3Ab:c%20d%2B%C3%A9"));
        assert_eq!(source.authorization, expected);
        assert!(!format!("{source:?}").contains(&expected));
    }
}
