//! Who may call: anyone, or those who send the token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use openssl::memcmp;
use openssl::sha::sha256;
use runtime::secret::Secret;

use super::problem::Problem;

/// What a caller wants to do; it decides how the token may arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Hand records over: `Bearer` only (RFC 6750).
    Deliver,
    /// Look at the page: also `Basic` with the token as password, because a browser can be asked for that.
    Look,
}

/// Lets the request pass, or says which credentials would let it.
pub(super) fn check(
    token: Option<&Secret>,
    wish: Wish,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let Some(token) = token else { return Ok(()) };
    let schemes: &[&str] = match wish {
        Wish::Deliver => &[BEARER],
        Wish::Look => &[BEARER, BASIC],
    };
    let Some(given) = headers.get(AUTHORIZATION) else {
        return Err(Problem::unauthorised(
            "this endpoint asks for its bearer token, and the request has no Authorization header",
            schemes,
        ));
    };
    match offered(given.as_bytes(), wish) {
        Some(offered) if same(&offered, token.reveal().as_bytes()) => Ok(()),
        _ => Err(Problem::unauthorised(
            "the Authorization header does not hold this endpoint's bearer token",
            schemes,
        )),
    }
}

const BEARER: &str = "Bearer realm=\"api-avro-sample\"";
const BASIC: &str = "Basic realm=\"api-avro-sample\", charset=\"UTF-8\"";

fn offered(given: &[u8], wish: Wish) -> Option<Vec<u8>> {
    let space = given.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = given.split_at(space);
    let credentials = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(credentials.to_vec());
    }
    if wish == Wish::Look && scheme.eq_ignore_ascii_case(b"basic") {
        let pair = STANDARD.decode(credentials).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return Some(pair[colon + 1..].to_vec());
    }
    None
}

// Digests are compared, not texts: they have one length, so that not even the token's length shows in the time.
fn same(left: &[u8], right: &[u8]) -> bool {
    memcmp::eq(&sha256(left), &sha256(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(wish: Wish, given: Option<&str>) -> Option<u16> {
        let mut headers = HeaderMap::new();
        if let Some(given) = given {
            headers.insert(AUTHORIZATION, given.parse().unwrap());
        }
        check(Some(&Secret::new("s3cret")), wish, &headers)
            .err()
            .map(|problem| problem.status.as_u16())
    }

    #[test]
    fn only_the_right_token_passes() {
        assert_eq!(answer(Wish::Deliver, Some("Bearer s3cret")), None);
        assert_eq!(answer(Wish::Deliver, Some("bearer   s3cret ")), None);
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
            assert_eq!(answer(Wish::Deliver, wrong), Some(401), "{wrong:?}");
        }
    }

    #[test]
    fn a_browser_may_look_with_the_token_as_password() {
        assert_eq!(answer(Wish::Look, Some("Basic dXNlcjpzM2NyZXQ=")), None);
        assert_eq!(answer(Wish::Look, Some("Bearer s3cret")), None);
        for wrong in ["Basic dXNlcjpubw==", "Basic !", "Basic dXNlcg=="] {
            assert_eq!(answer(Wish::Look, Some(wrong)), Some(401), "{wrong}");
        }
    }

    #[test]
    fn without_a_token_everyone_passes() {
        assert!(check(None, Wish::Deliver, &HeaderMap::new()).is_ok());
    }
}
