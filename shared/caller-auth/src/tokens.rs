//! A list of bearer tokens.

use http::HeaderMap;
use openssl::memcmp;
use openssl::sha::sha256;
use runtime::redact;
use runtime::secret::Secret;

use crate::authorization::Authorization;
use crate::refusal::{Methods, Refusal, RefusalKind};

/// The tokens of which a request must have one. Several are valid at a time, so that callers can change theirs one
/// after another.
pub struct TokenList(Vec<[u8; 32]>);

impl TokenList {
    /// The tokens of a text, separated by white space or commas. `None` if there is none.
    pub fn parse(text: &str) -> Option<Self> {
        let tokens = words(text);
        redact::protect("caller token", tokens.iter().copied().map(Secret::new));
        let digests: Vec<_> = tokens
            .iter()
            .map(|token| sha256(token.as_bytes()))
            .collect();
        (!digests.is_empty()).then_some(Self(digests))
    }

    /// Decides by the header fields of a request.
    ///
    /// # Errors
    /// They have no token of the list.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let methods = Methods {
            bearer: true,
            ..Methods::default()
        };
        let refused = |kind, reason: &'static str| Refusal::new(kind, reason, methods);
        let authorization = Authorization::of(headers);
        let token = authorization.token();
        let token = token.map_err(|reason| refused(RefusalKind::Unauthenticated, reason))?;
        match self.contains(token) {
            true => Ok(()),
            false => Err(refused(
                RefusalKind::InvalidToken,
                "the bearer token is not one of those that are accepted",
            )),
        }
    }

    /// Whether the list contains the token. The duration does not depend on which token it is, nor on how much of it
    /// is right: digests are compared, in constant time, and always all of them.
    pub(crate) fn contains(&self, token: &[u8]) -> bool {
        let digest = sha256(token);
        let is_equal = |known: &[u8; 32]| memcmp::eq(known, &digest);
        self.0
            .iter()
            .fold(false, |found, known| found | is_equal(known))
    }
}

/// The parts of a text between white space and commas.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_every_token_of_the_text_and_no_other() {
        let list = TokenList::parse("first-token, second\n third,").unwrap();
        for token in ["first-token", "second", "third"] {
            assert!(list.contains(token.as_bytes()), "{token}");
        }
        for other in [
            "",
            "first-token,",
            "secon",
            "second2",
            "Third",
            "first-token second",
        ] {
            assert!(!list.contains(other.as_bytes()), "{other}");
        }
        assert!(!list.contains(&[0xff; 70_000]));
        assert!(TokenList::parse(" ,\n").is_none());
    }

    #[test]
    fn a_request_without_a_token_of_the_list_is_refused() {
        let list = TokenList::parse("first second").unwrap();
        let with = |value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
            list.admit(&headers).map_err(|refusal| refusal.kind)
        };
        assert_eq!(with("Bearer second"), Ok(()));
        assert_eq!(with("Bearer third"), Err(RefusalKind::InvalidToken));
        assert_eq!(with("Basic c2Vjb25k"), Err(RefusalKind::Unauthenticated));
        let refusal = list.admit(&HeaderMap::new()).unwrap_err();
        assert!(refusal.accepts_bearer() && refusal.kind == RefusalKind::Unauthenticated);
    }

    #[test]
    fn each_token_is_masked_in_text_from_outside() {
        TokenList::parse("canary-one,canary-two").unwrap();
        let masked = redact::mask("tokens canary-two and canary-one");
        assert_eq!(masked, "tokens [redacted] and [redacted]");
    }
}
