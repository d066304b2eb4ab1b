//! Idempotency keys of records and batches (draft-ietf-httpapi-idempotency-key-header-06).

use bytes::{BufMut, Bytes, BytesMut};
use http::header::HeaderValue;
use openssl::sha::Sha256;
use record::{Message, StreamId, idempotency};
use runtime::text::hex;

/// The header value if a key cannot be sent. No record has an empty key.
const EMPTY_KEY: HeaderValue = HeaderValue::from_static("\"\"");

/// The most characters of a key after the prefix: partition, `/` and offset.
const MAX_COORDINATES: usize = 40;

/// Computes the idempotency keys of one stream's records.
#[derive(Debug)]
pub(crate) struct IdempotencyKeys {
    stream: StreamId,
    /// `cluster/topic/`, if keys with this prefix can be sent unchanged: nearly always.
    prefix: Option<String>,
}

/// The idempotency keys of the records of a batch, and their digest: the same for the same records.
#[derive(Clone, Debug, Default)]
pub struct BatchKey {
    /// The SHA-256 digest over the keys of the records.
    pub digest: [u8; 32],
    /// The keys of the records, in order, separated by `\n`.
    pub record_keys: Bytes,
}

impl IdempotencyKeys {
    pub(super) fn new(stream: StreamId) -> Self {
        let prefix = format!("{}/{}/", stream.cluster, stream.topic);
        let is_plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let is_short = prefix.len() + MAX_COORDINATES < idempotency::MAX_LENGTH;
        let is_usable = is_short && prefix.bytes().all(is_plain);
        Self {
            stream,
            prefix: is_usable.then_some(prefix),
        }
    }

    pub(super) fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The key of a record: the client's key or the record's coordinates; its digest if it is too long or contains
    /// characters that are not allowed.
    pub(super) fn record_key(&self, message: &Message) -> String {
        sendable(self.stream.idempotency_key(message))
    }

    /// The header value for a request with one record.
    pub(super) fn record_header(&self, message: &Message) -> HeaderValue {
        let (Some(prefix), None) = (&self.prefix, &message.client_key) else {
            return quoted(self.record_key(message).as_bytes());
        };
        let mut value = BytesMut::with_capacity(prefix.len() + MAX_COORDINATES);
        value.put_u8(b'"');
        put_coordinates(&mut value, prefix, message);
        value.put_u8(b'"');
        HeaderValue::from_maybe_shared(value.freeze()).unwrap_or(EMPTY_KEY)
    }

    /// The keys of a batch. The digest covers stream, partition and each record's key. The offset stands for a key that
    /// consists of coordinates.
    pub(super) fn batch_key(&self, messages: &[Message]) -> BatchKey {
        let partition = messages.first().map_or(0, |message| message.at.partition);
        let prefix = format!("{}/{}/{partition}/", self.stream.cluster, self.stream.topic);
        let mut digest = Sha256::new();
        digest.update(&(prefix.len() as u64).to_be_bytes());
        digest.update(prefix.as_bytes());
        let mut keys = BytesMut::with_capacity(messages.len() * (prefix.len() + 11));
        for message in messages {
            if !keys.is_empty() {
                keys.put_u8(b'\n');
            }
            match (&self.prefix, &message.client_key) {
                (Some(prefix), None) => {
                    digest.update(&[0]);
                    digest.update(&message.at.offset.to_be_bytes());
                    put_coordinates(&mut keys, prefix, message);
                }
                _ => {
                    let key = self.record_key(message);
                    digest.update(&[1]);
                    digest.update(&(key.len() as u64).to_be_bytes());
                    digest.update(key.as_bytes());
                    keys.put_slice(key.as_bytes());
                }
            }
        }
        BatchKey {
            digest: digest.finish(),
            record_keys: keys.freeze(),
        }
    }
}

/// The key, or its digest if it is too long or cannot be the content of a structured-field string.
fn sendable(key: String) -> String {
    if idempotency::is_key(key.as_bytes()) {
        return key;
    }
    let mut digest = Sha256::new();
    digest.update(key.as_bytes());
    format!("sha256-{}", hex(&digest.finish()))
}

/// A string of a structured field (RFC 9651, section 3.3.3): quoted, with `"` and `\` escaped.
fn quoted(key: &[u8]) -> HeaderValue {
    let mut value = BytesMut::with_capacity(key.len() + 2);
    value.put_u8(b'"');
    for byte in key {
        if matches!(byte, b'"' | b'\\') {
            value.put_u8(b'\\');
        }
        value.put_u8(*byte);
    }
    value.put_u8(b'"');
    // Keys are printable ASCII here, which is valid in every header value.
    HeaderValue::from_maybe_shared(value.freeze()).unwrap_or(EMPTY_KEY)
}

/// Appends the key that consists of coordinates.
fn put_coordinates(out: &mut BytesMut, prefix: &str, message: &Message) {
    out.put_slice(prefix.as_bytes());
    put_number(out, i64::from(message.at.partition));
    out.put_u8(b'/');
    put_number(out, message.at.offset);
}

/// Appends a decimal number. `write!` takes several times as long, and this runs for each record.
fn put_number(out: &mut BytesMut, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.put_u8(b'-');
    }
    out.put_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::Coordinates;
    use std::sync::Arc;

    fn message(offset: i64, client_key: Option<&str>) -> Message {
        Message {
            at: Coordinates {
                topic: Arc::from("orders"),
                partition: 2,
                offset,
            },
            key: None,
            value: Some(Bytes::from(vec![2; 3])),
            payload: None,
            origin: None,
            headers: Vec::new(),
            timestamp: None,
            client_key: client_key.map(Arc::from),
        }
    }

    fn keys(cluster: &str) -> IdempotencyKeys {
        IdempotencyKeys::new(StreamId {
            cluster: cluster.into(),
            topic: "t".into(),
        })
    }

    #[test]
    fn every_record_key_is_a_quoted_string() {
        let keys = keys("c");
        let header = |client_key| keys.record_header(&message(7, client_key));
        assert_eq!(header(None), r#""c/t/2/7""#);
        assert_eq!(header(Some(r#"a"b\c"#)), r#""a\"b\\c""#);
        let long = "x".repeat(5000);
        let digests = [header(Some("é")), header(Some("a\nb")), header(Some(&long))];
        for digest in &digests {
            let text = digest.to_str().expect("ascii");
            assert!(text.starts_with("\"sha256-") && text.len() == 73, "{text}");
        }
        assert_ne!(digests[0], digests[1]);
    }

    #[test]
    fn the_fast_path_gives_the_same_key() {
        for cluster in ["c", "with \"quotes\"", "é", &"x".repeat(1000)] {
            let keys = keys(cluster);
            let message = message(i64::MAX, None);
            let expected = quoted(keys.record_key(&message).as_bytes());
            assert_eq!(keys.record_header(&message), expected);
        }
    }

    #[test]
    fn a_batch_key_depends_on_exactly_its_records() {
        let keys = keys("c");
        let key = |messages: &[Message]| keys.batch_key(messages).digest;
        let three = [message(1, None), message(2, None), message(3, Some("k"))];
        assert_eq!(key(&three), key(&three.clone()));
        let client_key_like_coordinates = [
            message(1, Some("c/t/2/1")),
            message(2, None),
            message(3, Some("k")),
        ];
        let other_client_key = [message(1, None), message(2, None), message(3, Some("j"))];
        let mut different = vec![
            key(&three),
            key(&three[..2]),
            key(&three[1..]),
            key(&client_key_like_coordinates),
            key(&other_client_key),
        ];
        different.sort();
        different.dedup();
        assert_eq!(different.len(), 5);
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 1_234_567_890, i64::MAX, i64::MIN, -1] {
            let mut out = BytesMut::new();
            put_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
