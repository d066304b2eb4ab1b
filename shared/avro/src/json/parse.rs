//! Parses JSON text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Parses JSON text, in which no object has the same key twice.
///
/// `serde_json` itself takes the last value of a key. RFC 8259, section 4, does not define which one counts, so that another
/// program may read another value.
///
/// # Errors
/// The text is not JSON, an object has the same key twice, a number is too large for a `double`, or values are nested deeper
/// than 127.
pub fn parse_json(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = UniqueKeys.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
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

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(UniqueKeys)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(UniqueKeys)?;
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
