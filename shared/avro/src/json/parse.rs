//! Parses JSON text.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The memory of an array's item: arrays grow by doubling.
const ITEM: usize = 2 * size_of::<Value>();
/// The memory of an object's entry without the text of its key. The first entry allocates for several.
const ENTRY: usize = 4 * (size_of::<Value>() + size_of::<String>());

/// Why [`parse_json`] rejects a text.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON, an object has the same key twice, a number is too large for a `double`, or values are nested
    /// deeper than 127.
    #[error(transparent)]
    Malformed(serde_json::Error),
    /// The parsed value would occupy more memory than the maximum.
    #[error("the parsed value occupies more than {max} bytes")]
    TooLarge {
        /// The maximum, in bytes.
        max: usize,
    },
}

/// Parses JSON text, in which no object has the same key twice, to a value that occupies about `max` bytes at most: the value
/// of `{"":0}` is more than fifty times larger than its text.
///
/// `serde_json` itself takes the last value of a key. RFC 8259, section 4, does not define which one counts, so that another
/// program may read another value.
///
/// # Errors
/// See [`JsonError`].
pub fn parse_json(text: &[u8], max: usize) -> Result<Value, JsonError> {
    let left = Cell::new(Some(max));
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed = UniqueKeys { left: &left }.deserialize(&mut deserializer);
    let parsed = parsed.and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| match left.get() {
        Some(_) => JsonError::Malformed(error),
        None => JsonError::TooLarge { max },
    })
}

#[derive(Clone, Copy)]
struct UniqueKeys<'l> {
    /// The bytes that may still be used; `None` after they were exceeded.
    left: &'l Cell<Option<usize>>,
}

impl UniqueKeys<'_> {
    fn take<E: Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.left.get().and_then(|left| left.checked_sub(bytes));
        self.left.set(left);
        left.map(drop)
            .ok_or_else(|| E::custom("the value is too large"))
    }
}

impl<'de> DeserializeSeed<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number is too large"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.take(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            self.take(ITEM)?;
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.take(ENTRY + key.len())?;
            let value = entries.next_value_seed(self)?;
            if object.contains_key(&key) {
                let short: String = key.chars().take(40).collect();
                return Err(A::Error::custom(format!(
                    "the key {short:?} occurs twice in an object"
                )));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_json(text: &[u8]) -> Result<Value, JsonError> {
        super::parse_json(text, 100_000)
    }

    #[test]
    fn the_memory_of_the_value_is_limited() {
        for element in ["0", "{}", "[]", r#"{"":0}"#, r#""text""#] {
            let text = |count| format!("[{}]", vec![element; count].join(","));
            assert!(parse_json(text(10).as_bytes()).is_ok());
            let error = parse_json(text(1_000).as_bytes()).unwrap_err();
            assert!(
                matches!(error, JsonError::TooLarge { max: 100_000 }),
                "{error}"
            );
        }
        assert!(parse_json(format!("\"{}\"", "x".repeat(100_001)).as_bytes()).is_err());
    }

    #[test]
    fn parses_as_serde_json_does() {
        let text = r#" {"a": [1, -2, 18446744073709551615, 0.1, 1e5, null, true, "\u00fc"], "b": {"a": {}}, "": []} "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse_json(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn rejects_hostile_text() {
        let error = parse_json(br#"{"id": 1, "a": {"id": 2}, "id": 3}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the key \"id\" occurs twice in an object at line 1 column 34"
        );
        // The same key in another spelling.
        assert!(parse_json(br#"{"id": 1, "\u0069d": 3}"#).is_err());
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "1 2",
            "1e400",
            r#""\ud800""#,
            r#""\udc00\ud800""#,
            "NaN",
            "{'a': 1}",
            "[1,]",
            "01",
            &deep,
        ] {
            assert!(parse_json(text.as_bytes()).is_err(), "{text:.20}");
        }
        assert!(parse_json(b"\"\xff\"").is_err());
    }
}
