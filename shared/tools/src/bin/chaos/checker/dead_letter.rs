//! A dead letter with its context, from headers or from an envelope.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use testkit::records::StoredRecord;

/// A dead letter.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// Its own partition and offset.
    pub(crate) place: (i32, i64),
    /// The partition and offset of the record.
    pub(crate) origin: (i32, i64),
    /// The id of the run that wrote it.
    pub(crate) run: Option<String>,
    /// The cause.
    pub(crate) cause: String,
    /// The record's key.
    pub(crate) key: Option<Vec<u8>>,
    /// The record's value.
    pub(crate) value: Option<Vec<u8>>,
    /// The record's headers; after them those of the job, unless the letter is an envelope.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl DeadLetter {
    /// Reads a dead letter. If its context is missing or malformed, its origin is -1 and -1.
    pub(crate) fn read(stored: &StoredRecord) -> Self {
        Self::try_read(stored).unwrap_or_else(|| Self {
            place: (stored.partition, stored.offset),
            origin: (-1, -1),
            run: None,
            cause: String::new(),
            key: None,
            value: None,
            headers: Vec::new(),
        })
    }

    fn try_read(stored: &StoredRecord) -> Option<Self> {
        let place = (stored.partition, stored.offset);
        // No value of the corpus begins like this.
        if let Some(envelope) = stored.value.as_deref().filter(|v| v.starts_with(b"{\"")) {
            return Self::from_envelope(place, &serde_json::from_slice(envelope).ok()?);
        }
        let number = |name: &str| stored.header(name)?.parse::<i64>().ok();
        Some(Self {
            place,
            origin: (
                number("__connect.errors.partition")?.try_into().ok()?,
                number("__connect.errors.offset")?,
            ),
            run: Some(stored.header("frontdoor.run")?),
            cause: stored.header("frontdoor.cause")?,
            key: stored.key.clone(),
            value: stored.value.clone(),
            headers: stored.headers.clone(),
        })
    }

    fn from_envelope(place: (i32, i64), envelope: &Value) -> Option<Self> {
        let bytes = |value: &Value| match value {
            Value::Null => Some(None),
            value => STANDARD.decode(value.as_str()?).ok().map(Some),
        };
        let header = |header: &Value| Some((header[0].as_str()?.to_owned(), bytes(&header[1])?));
        let headers = envelope["headers"].as_array()?.iter().map(header);
        Some(Self {
            place,
            origin: (
                envelope["partition"].as_i64()?.try_into().ok()?,
                envelope["offset"].as_i64()?,
            ),
            run: Some(envelope["run"].as_str()?.to_owned()),
            cause: envelope["cause"].as_str()?.to_owned(),
            key: bytes(&envelope["key"])?,
            value: bytes(&envelope["value"])?,
            headers: headers.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_headers_and_envelopes() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let mut stored = StoredRecord {
            partition: 1,
            offset: 7,
            timestamp: None,
            key: text("k"),
            value: text("v"),
            headers: vec![
                ("frontdoor.run".to_owned(), text("1-2")),
                ("frontdoor.cause".to_owned(), text("refused")),
                ("__connect.errors.partition".to_owned(), text("3")),
                ("__connect.errors.offset".to_owned(), text("1042")),
            ],
        };
        let letter = DeadLetter::read(&stored);
        assert_eq!((letter.place, letter.origin), ((1, 7), (3, 1042)));
        assert_eq!((letter.key, letter.value), (text("k"), text("v")));
        assert_eq!(letter.run.as_deref(), Some("1-2"));
        stored.headers.clear();
        assert_eq!(DeadLetter::read(&stored).origin, (-1, -1));
        stored.value = text(
            r#"{"run":"1-2","cause":"refused","partition":3,"offset":1042,"key":null,"value":"dg==","headers":[["a","Yg=="]]}"#,
        );
        let letter = DeadLetter::read(&stored);
        assert_eq!(
            (letter.cause.as_str(), letter.origin),
            ("refused", (3, 1042))
        );
        assert_eq!((letter.key, letter.value), (None, text("v")));
        assert_eq!(letter.run.as_deref(), Some("1-2"));
        assert_eq!(letter.headers, [("a".to_owned(), text("b"))]);
    }
}
