//! The response of a token endpoint (RFC 6749, section 5). Pure.

use std::fmt;
use std::time::{Duration, Instant};

use http::StatusCode;
use runtime::redact;
use runtime::secret::Secret;
use serde::Deserialize;

use crate::token::Token;

/// The maximum length of a message, in characters.
const MAX_MESSAGE: usize = 400;

/// Why there is no token. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Another request may succeed.
    Unavailable(String),
    /// The server refused the client, or its response is not a token.
    Refused(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unavailable(reason) | Self::Refused(reason)) = self;
        f.write_str(reason)
    }
}

impl std::error::Error for TokenError {}

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

/// The token in a successful response to a request sent at `now`. From now on it is masked, by the `name`, in text from
/// other programs. The text of an error has no part of the response, which may be a token.
pub(crate) fn token(body: &[u8], now: Instant, name: &str) -> Result<Token, TokenError> {
    let refused = |reason: &str| TokenError::Refused(reason.to_owned());
    let response: TokenResponse = serde_json::from_slice(body)
        .map_err(|_| refused("the response has no access_token (RFC 6749, section 5.1)"))?;
    let access_token = Secret::new(&response.access_token);
    redact::protect(name, [access_token.clone()]);
    if let Some(kind) = &response.token_type
        && !kind.eq_ignore_ascii_case("bearer")
    {
        let reason = format!("the token type is {:?}, expected Bearer", line(kind));
        return Err(TokenError::Refused(reason));
    }
    let lifetime = response
        .expires_in
        .and_then(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Token::new(&access_token, lifetime, now, name)
}

/// The meaning of a response that is not successful. `is_cut`: the body is longer.
pub(crate) fn error(status: StatusCode, body: &[u8], is_cut: bool) -> TokenError {
    let message = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody {
            error,
            error_description,
        }) => line(&format!(
            "{error} {}",
            error_description.unwrap_or_default()
        )),
        Err(_) => line(&redact::excerpt(body, is_cut)),
    };
    let message = format!("{status} {message}").trim_end().to_owned();
    match status.as_u16() {
        408 | 429 | 500..=599 => TokenError::Unavailable(message),
        _ => TokenError::Refused(message),
    }
}

/// One line of text of another program, without secrets and not too long.
fn line(text: &str) -> String {
    redact::line(text, MAX_MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_before_it_expires() {
        let now = Instant::now();
        let seconds = |body: &str| {
            let token = token(body.as_bytes(), now, "test").unwrap();
            let lifetime = token.lifetime?;
            Some((
                (lifetime.replace_at - now).as_secs(),
                (lifetime.expires_at - now).as_secs(),
            ))
        };
        for (body, expected) in [
            (
                r#"{"access_token":"hunter2","token_type":"bearer","expires_in":3600}"#,
                Some((3570, 3600)),
            ),
            (
                r#"{"access_token":"hunter2","expires_in":100}"#,
                Some((90, 100)),
            ),
            (
                r#"{"access_token":"hunter2","expires_in":10}"#,
                Some((8, 10)),
            ),
            (r#"{"access_token":"hunter2","expires_in":2}"#, Some((1, 2))),
            (
                r#"{"access_token":"hunter2","expires_in":"3600"}"#,
                Some((3570, 3600)),
            ),
            (r#"{"access_token":"hunter2","expires_in":1e300}"#, None),
            (r#"{"access_token":"hunter2","expires_in":-1}"#, None),
            (r#"{"access_token":"hunter2"}"#, None),
        ] {
            assert_eq!(seconds(body), expected, "{body}");
        }
    }

    #[test]
    fn a_malformed_response_is_not_quoted() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"access_token":"hunter\n2"}"#,
            r#"{"access_token":"hunter2","token_type":"mac"}"#,
            r#"{"access_token":"hunter2","token_type":"hunter2"}"#,
        ] {
            let error = token(body.as_bytes(), Instant::now(), "test").unwrap_err();
            assert!(!error.to_string().contains("hunter"), "{error}");
        }
    }

    #[test]
    fn only_overload_and_server_errors_are_transient() {
        let error = |status: u16| error(StatusCode::from_u16(status).unwrap(), b"no", false);
        for status in [408, 429, 500, 503] {
            assert!(matches!(error(status), TokenError::Unavailable(_)));
        }
        for status in [301, 400, 401, 403, 404] {
            assert!(matches!(error(status), TokenError::Refused(_)));
        }
        assert_eq!(error(400).to_string(), "400 Bad Request no");
    }
}
