//! Credentials of people: a browser can prompt for a user and a password (`Basic`, RFC 7617), and not for a bearer token.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http_server::problem::Problem;

use crate::Refusal;

const BASIC: &str = "Basic realm=\"frontdoor\", charset=\"UTF-8\"";

/// The head with the password of `Basic` as a bearer token. Another head is unchanged.
pub fn with_bearer(head: &Parts) -> Cow<'_, Parts> {
    match head.headers.get(AUTHORIZATION).and_then(password) {
        None => Cow::Borrowed(head),
        Some(token) => {
            let mut head = head.clone();
            head.headers.insert(AUTHORIZATION, token);
            Cow::Owned(head)
        }
    }
}

/// The response to a refused request, which lets a browser prompt for the token.
pub fn problem(refusal: Refusal) -> Problem {
    let is_bearer = refusal.accepts_bearer();
    let problem = Problem::from(refusal);
    match is_bearer && problem.kind().status == 401 {
        true => problem.with_header(WWW_AUTHENTICATE, BASIC),
        false => problem,
    }
}

fn password(authorization: &HeaderValue) -> Option<HeaderValue> {
    let (scheme, credentials) = authorization.as_bytes().split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let pair = STANDARD.decode(credentials.trim_ascii()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    HeaderValue::from_bytes(&[b"Bearer ", &pair[colon + 1..]].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_basic_is_the_token() {
        let password = |text: &'static str| password(&HeaderValue::from_static(text));
        for basic in ["Basic dXNlcjpzM2NyZXQ=", "basic  dXNlcjpzM2NyZXQ= "] {
            assert_eq!(password(basic).unwrap(), "Bearer s3cret", "{basic}");
        }
        for other in ["Basic !", "Basic dXNlcg==", "Basic", "Bearer s3cret", ""] {
            assert_eq!(password(other), None, "{other}");
        }
    }
}
