//! The idempotency keys that a container file brings in its metadata. Pure: text in, keys out.

use http::StatusCode;
use record::idempotency::{CONTAINER_KEYS, MAX_LENGTH, is_key};

use super::problem::Problem;

/// The keys of a container's `count` records, if it brings any.
pub(super) fn read(metadata: Option<&[u8]>, count: usize) -> Result<Option<Vec<String>>, Problem> {
    let Some(metadata) = metadata else {
        return Ok(None);
    };
    // No record, no key: without this, the empty text would be one key, the empty one.
    let lines = metadata
        .split(|byte| *byte == b'\n')
        .filter(|_| count > 0 || !metadata.is_empty());
    let keys = lines.map(|key| match std::str::from_utf8(key) {
        Ok(text) if is_key(key) => Ok(text.to_owned()),
        _ => Err(bad(format!(
            "a key in the metadata {CONTAINER_KEYS} is not 1 to {MAX_LENGTH} characters of printable ASCII"
        ))),
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.len() != count {
        return Err(bad(format!(
            "the metadata {CONTAINER_KEYS} holds {} keys for {count} records",
            keys.len()
        )));
    }
    Ok(Some(keys))
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_brings_one_key_for_each_record() {
        let keys = read(Some(b"a\nb c"), 2).unwrap().unwrap();
        assert_eq!(keys, ["a", "b c"]);
        let long = [b'k'; MAX_LENGTH + 1];
        assert!(read(Some(&long[1..]), 1).is_ok());
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
            assert!(read(Some(metadata), count).is_err(), "{metadata:?}");
        }
        assert!(read(None, 7).unwrap().is_none());
        assert_eq!(read(Some(b""), 0).unwrap().unwrap().len(), 0);
    }
}
