//! Checks that the caller of a request may send it.

use std::borrow::Cow;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use caller_auth::{Admission, CallerAuth};
use http::HeaderValue;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http_server::problem::Problem;

/// Checks a request that reads records. `Basic` with a bearer token as the password is accepted too, because a browser
/// can prompt for it.
///
/// # Errors
/// The caller is refused.
pub(super) async fn check_read(callers: &CallerAuth, head: &Parts) -> Result<(), Problem> {
    let head = with_bearer(head);
    let result = async {
        match callers.admit(&head, SystemTime::now()).await? {
            Admission::Admitted => Ok(()),
            Admission::Signed(request) => request.verify(&Bytes::new()),
        }
    };
    result.await.map_err(|refusal| {
        let is_bearer = refusal.accepts_bearer();
        let problem = Problem::from(refusal);
        if is_bearer && problem.kind().status == 401 {
            return problem.with_header(WWW_AUTHENTICATE, BASIC);
        }
        problem
    })
}

const BASIC: &str = "Basic realm=\"frontdoor\", charset=\"UTF-8\"";

/// The head with the password of `Basic` as a bearer token.
fn with_bearer(head: &Parts) -> Cow<'_, Parts> {
    match head.headers.get(AUTHORIZATION).and_then(password) {
        None => Cow::Borrowed(head),
        Some(token) => {
            let mut head = head.clone();
            head.headers.insert(AUTHORIZATION, token);
            Cow::Owned(head)
        }
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
