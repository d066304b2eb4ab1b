//! The `Authorization` header field. Pure.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What the `Authorization` header field contains.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Authorization<'a> {
    /// The request has no such field.
    Missing,
    /// A bearer token (RFC 6750, section 2.1).
    Bearer(&'a [u8]),
    /// Another scheme, several fields or no token.
    Other,
}

impl<'a> Authorization<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let value = match (fields.next(), fields.next()) {
            (None, _) => return Self::Missing,
            (Some(value), None) => value.as_bytes(),
            _ => return Self::Other,
        };
        let Some(space) = value.iter().position(|byte| *byte == b' ') else {
            return Self::Other;
        };
        let (scheme, token) = value.split_at(space);
        let token = token.trim_ascii();
        if token.is_empty() || !scheme.eq_ignore_ascii_case(b"bearer") {
            return Self::Other;
        }
        Self::Bearer(token)
    }

    /// The token.
    ///
    /// # Errors
    /// There is none, with the reason.
    pub(crate) fn token(&self) -> Result<&'a [u8], &'static str> {
        match self {
            Self::Bearer(token) => Ok(token),
            Self::Missing => Err("no credentials"),
            Self::Other => Err("Authorization is not one bearer token"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, http::HeaderValue::from_bytes(value).unwrap());
        }
        format!("{:?}", Authorization::of(&headers))
    }

    #[test]
    fn only_one_field_of_the_scheme_bearer_has_a_token() {
        for value in [&b"Bearer a"[..], b"bearer   a", b"BEARER a "] {
            assert_eq!(of(&[value]), "Bearer([97])");
        }
        assert_eq!(of(&[b"Bearer \xff"]), "Bearer([255])");
        assert_eq!(of(&[]), "Missing");
        for other in [
            &b""[..],
            b"Bearer",
            b"Bearer ",
            b"Bearera b",
            b"a",
            b"Basic YTpi",
            b"\xff\xfe a",
        ] {
            assert_eq!(of(&[other]), "Other", "{other:?}");
        }
        assert_eq!(of(&[b"Bearer a", b"Bearer a"]), "Other");
    }
}
