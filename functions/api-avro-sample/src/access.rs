//! Authorizes requests by the bearer token, if one is set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http_server::problem::Problem;
use openssl::memcmp;
use openssl::sha::sha256;
use runtime::secret::Secret;

use super::problems::UNAUTHORIZED;

/// What a request does. It decides which authentication schemes are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Post records: `Bearer` only (RFC 6750).
    Post,
    /// Read records: also `Basic` with the token as the password, because a browser can prompt for it.
    Read,
}

/// Checks the `Authorization` header. Without a token, every request is authorized.
///
/// # Errors
/// The credentials are missing or wrong. The problem's `WWW-Authenticate` names the schemes (RFC 9110, section 11.6.1).
pub(super) fn check(
    token: Option<&Secret>,
    access: Access,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let Some(token) = token else { return Ok(()) };
    let schemes: &[&str] = match access {
        Access::Post => &[BEARER],
        Access::Read => &[BEARER, BASIC],
    };
    let Some(given) = headers.get(AUTHORIZATION) else {
        return Err(unauthorized(
            "The endpoint requires its bearer token, and the request has no Authorization header.",
            schemes,
        ));
    };
    match credentials(given.as_bytes(), access) {
        Some(credentials) if is_equal(&credentials, token.reveal().as_bytes()) => Ok(()),
        _ => Err(unauthorized(
            "The Authorization header does not contain the bearer token of the endpoint.",
            schemes,
        )),
    }
}

const BEARER: &str = "Bearer realm=\"api-avro-sample\"";
const BASIC: &str = "Basic realm=\"api-avro-sample\", charset=\"UTF-8\"";

fn unauthorized(detail: &str, schemes: &[&'static str]) -> Problem {
    schemes
        .iter()
        .fold(Problem::new(&UNAUTHORIZED, detail), |problem, scheme| {
            problem.with_header(WWW_AUTHENTICATE, scheme)
        })
}

/// The token in an `Authorization` header.
fn credentials(given: &[u8], access: Access) -> Option<Vec<u8>> {
    let space = given.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = given.split_at(space);
    let credentials = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(credentials.to_vec());
    }
    if access == Access::Read && scheme.eq_ignore_ascii_case(b"basic") {
        let pair = STANDARD.decode(credentials).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return Some(pair[colon + 1..].to_vec());
    }
    None
}

/// Compares digests in constant time. Digests have one length, so the time does not reveal the token's length.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    memcmp::eq(&sha256(left), &sha256(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(access: Access, given: Option<&str>) -> Option<u16> {
        let mut headers = HeaderMap::new();
        if let Some(given) = given {
            headers.insert(AUTHORIZATION, given.parse().unwrap());
        }
        check(Some(&Secret::new("s3cret")), access, &headers)
            .err()
            .map(|problem| problem.kind().status.as_u16())
    }

    #[test]
    fn accepts_only_the_right_token() {
        assert_eq!(status(Access::Post, Some("Bearer s3cret")), None);
        assert_eq!(status(Access::Post, Some("bearer   s3cret ")), None);
        for wrong in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer s3cre"),
            Some("Bearer s3cret2"),
            Some("s3cret"),
            Some("Basic dXNlcjpzM2NyZXQ="),
        ] {
            assert_eq!(status(Access::Post, wrong), Some(401), "{wrong:?}");
        }
    }

    #[test]
    fn accepts_the_token_as_basic_password_for_reading() {
        assert_eq!(status(Access::Read, Some("Basic dXNlcjpzM2NyZXQ=")), None);
        assert_eq!(status(Access::Read, Some("Bearer s3cret")), None);
        for wrong in ["Basic dXNlcjpubw==", "Basic !", "Basic dXNlcg=="] {
            assert_eq!(status(Access::Read, Some(wrong)), Some(401), "{wrong}");
        }
    }

    #[test]
    fn authorizes_every_request_without_a_token() {
        assert!(check(None, Access::Post, &HeaderMap::new()).is_ok());
    }
}
