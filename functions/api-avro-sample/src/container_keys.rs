//! The idempotency keys in the metadata of a container file.

use http_server::problem::Problem;
use record::idempotency::{CONTAINER_KEYS, MAX_LENGTH, is_key};

use super::problems::MALFORMED_KEYS;

/// Parses the keys of a container's `count` records. `None` if the metadata has no keys.
///
/// # Errors
/// A key is malformed, or the number of keys is not the number of records.
pub(super) fn parse(metadata: Option<&[u8]>, count: usize) -> Result<Option<Vec<String>>, Problem> {
    let Some(metadata) = metadata else {
        return Ok(None);
    };
    // The empty text is no key if there is no record. Otherwise it is one empty key.
    let lines = metadata
        .split(|byte| *byte == b'\n')
        .filter(|_| count > 0 || !metadata.is_empty());
    let keys = lines.map(|key| match std::str::from_utf8(key) {
        Ok(text) if is_key(key) => Ok(text.to_owned()),
        _ => Err(malformed(format!(
            "A key in the metadata {CONTAINER_KEYS} is not 1 to {MAX_LENGTH} characters of printable ASCII."
        ))),
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.len() != count {
        return Err(malformed(format!(
            "The metadata {CONTAINER_KEYS} has {} keys for {count} records.",
            keys.len()
        )));
    }
    Ok(Some(keys))
}

fn malformed(detail: String) -> Problem {
    Problem::new(&MALFORMED_KEYS, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_one_key_for_each_record() {
        let keys = parse(Some(b"a\nb c"), 2).unwrap().unwrap();
        assert_eq!(keys, ["a", "b c"]);
        let long = [b'k'; MAX_LENGTH + 1];
        assert!(parse(Some(&long[1..]), 1).is_ok());
        for (metadata, count) in [
            (&b"a"[..], 2),
            (b"a\nb\n", 2),
            (b"", 1),
            (b"a", 0),
            (b"a\n\nb", 3),
            (b"\xff", 1),
            (b"a\tb", 1),
            (&long, 1),
        ] {
            assert!(parse(Some(metadata), count).is_err(), "{metadata:?}");
        }
        assert!(parse(None, 7).unwrap().is_none());
        assert_eq!(parse(Some(b""), 0).unwrap().unwrap().len(), 0);
    }
}
