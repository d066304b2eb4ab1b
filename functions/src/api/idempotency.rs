//! Idempotency keys as they arrive: in the header, and in a container's metadata. Pure: text in, keys out.
//!
//! The header is an RFC 8941 string, `Idempotency-Key: "…"`
//! (draft-ietf-httpapi-idempotency-key-header-06, section 2.1); a bare key is taken as well, because most clients
//! send it so.

use http::{HeaderMap, StatusCode};
use shared::idempotency::{CONTAINER_KEYS, HEADER, LONGEST};

use super::problem::Problem;

/// The request's own key, if it has one.
pub(super) fn of_request(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(bad("the Idempotency-Key header is there twice"));
    }
    let text = value
        .to_str()
        .map_err(|_| bad("the Idempotency-Key header holds more than printable ASCII"))?;
    let key = match text.trim().strip_prefix('"') {
        Some(rest) => unquote(rest)?,
        None => text.trim().to_owned(),
    };
    checked(key).map(Some)
}

/// The keys of a container's `count` records, if it brings any.
pub(super) fn of_container(
    metadata: Option<&[u8]>,
    count: usize,
) -> Result<Option<Vec<String>>, Problem> {
    let Some(metadata) = metadata else {
        return Ok(None);
    };
    let text = std::str::from_utf8(metadata)
        .map_err(|_| bad(format!("the metadata {CONTAINER_KEYS} is not UTF-8")))?;
    // No record, no key: without this, the empty text would be one key, the empty one.
    let lines = text.split('\n').filter(|_| count > 0 || !text.is_empty());
    let keys = lines.map(|key| checked(key.to_owned()));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.len() != count {
        return Err(bad(format!(
            "the metadata {CONTAINER_KEYS} holds {} keys for {count} records",
            keys.len()
        )));
    }
    Ok(Some(keys))
}

/// The rest of an RFC 8941 string (section 4.2.5): `\"` and `\\` are the only escapes; parameters may follow.
fn unquote(rest: &str) -> Result<String, Problem> {
    let mut key = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next() {
            Some('"') => break,
            Some('\\') => match characters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => {
                    return Err(bad(
                        "the Idempotency-Key header has a \"\\\" that escapes nothing",
                    ));
                }
            },
            Some(character) => key.push(character),
            None => return Err(bad("the Idempotency-Key header has no closing quote")),
        }
    }
    match characters.as_str().trim_start() {
        "" => Ok(key),
        parameters if parameters.starts_with(';') => Ok(key),
        _ => Err(bad(
            "the Idempotency-Key header goes on after its closing quote",
        )),
    }
}

fn checked(key: String) -> Result<String, Problem> {
    match key.len() {
        0 => Err(bad("an idempotency key is empty")),
        1..=LONGEST => Ok(key),
        length => Err(bad(format!(
            "an idempotency key has {length} bytes, at most {LONGEST} are taken"
        ))),
    }
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", value.parse().unwrap());
        of_request(&headers).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_key_is_the_same_with_quotes_and_without() {
        let expected = Some("c/t/0/7".to_owned());
        assert_eq!(key("\"c/t/0/7\""), Ok(expected.clone()));
        assert_eq!(key("c/t/0/7"), Ok(expected.clone()));
        assert_eq!(key("  \"c/t/0/7\" ; v=1"), Ok(expected));
        assert_eq!(key(r#""a\"b\\c""#), Ok(Some(r#"a"b\c"#.to_owned())));
    }

    #[test]
    fn a_broken_key_is_refused() {
        for wrong in ["", " ", "\"\"", "\"open", "\"a\" b", r#""a\n""#, "\"a\\"] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
        assert!(key(&"k".repeat(1025)).is_err());
        assert!(key(&"k".repeat(1024)).is_ok());
    }

    #[test]
    fn two_headers_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append("idempotency-key", "a".parse().unwrap());
        headers.append("idempotency-key", "a".parse().unwrap());
        assert!(of_request(&headers).is_err());
        assert!(of_request(&HeaderMap::new()).unwrap().is_none());
    }

    #[test]
    fn a_container_brings_one_key_for_each_record() {
        let keys = of_container(Some(b"a\nb"), 2).unwrap().unwrap();
        assert_eq!(keys, ["a", "b"]);
        for (metadata, count) in [
            (&b"a"[..], 2),
            (b"a\nb\n", 2),
            (b"", 1),
            (b"a", 0),
            (b"a\n\nb", 3),
            (b"\xff", 1),
        ] {
            assert!(of_container(Some(metadata), count).is_err(), "{metadata:?}");
        }
        assert!(of_container(None, 7).unwrap().is_none());
        assert_eq!(of_container(Some(b""), 0).unwrap().unwrap().len(), 0);
    }
}
