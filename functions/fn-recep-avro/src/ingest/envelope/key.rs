//! The Kafka key of a message.

use avro::{Field, Projection, Schema};
use bytes::Bytes;
use routes::{RecordValues, ValueError, ValueExpression, ValueScope};

/// How the key is made of a datum.
#[derive(Debug)]
pub(super) enum MessageKey {
    None,
    /// The path to a field.
    Field(Projection),
    Expression(Box<ValueExpression>),
}

impl MessageKey {
    /// The key that this text describes: the path to a field, or a CEL expression.
    ///
    /// # Errors
    /// The expression does not fit the schema, or its values are not scalars.
    pub(super) fn new(schema: &Schema, scope: &ValueScope, text: &str) -> Result<Self, ValueError> {
        match schema.projection(&[text]) {
            Ok(field) => Ok(Self::Field(field)),
            Err(_) => Ok(Self::Expression(Box::new(scope.compile_text(text)?))),
        }
    }

    /// The key as text; null is no key. A field of bytes or of a complex type is copied as it is encoded.
    ///
    /// # Errors
    /// The expression has no value for this datum.
    pub(super) fn of(
        &self,
        datum: &[u8],
        values: &RecordValues<'_>,
    ) -> Result<Option<Bytes>, ValueError> {
        match self {
            Self::None => Ok(None),
            Self::Field(projection) => Ok(field(projection, datum)),
            Self::Expression(expression) => Ok(expression.text(values)?.map(Bytes::from)),
        }
    }
}

fn field(projection: &Projection, datum: &[u8]) -> Option<Bytes> {
    let mut fields = Vec::with_capacity(1);
    // A validated datum causes no error here.
    projection.read(datum, &mut fields).ok()?;
    match fields.first()? {
        Field::Null => None,
        Field::Bool(value) => Some(value.to_string().into()),
        Field::Int(value) => Some(value.to_string().into()),
        Field::Double(value) => Some(value.to_string().into()),
        Field::Str(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
        Field::Bytes(bytes) | Field::Complex(bytes) => Some(Bytes::copy_from_slice(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"id","type":"long"},{"name":"name","type":["null","string"]},{"name":"raw","type":"bytes"},
        {"name":"price","type":"double"},{"name":"in","type":"string"},
        {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"inner","type":{"type":"record","name":"I","fields":[{"name":"n","type":"int"}]}}]}"#;

    fn key(text: &str, name: Option<&str>) -> Result<Option<Vec<u8>>, String> {
        let schema = Schema::parse(SCHEMA).unwrap();
        let scope = ValueScope::of_datums(&schema);
        let key = MessageKey::new(&schema, &scope, text).map_err(|error| error.to_string())?;
        let record = serde_json::json!({
            "id": 7, "name": name, "raw": "\u{0}\u{ff}", "price": 0.5, "in": "x",
            "at": "2023-11-14T22:13:20.120Z", "inner": {"n": 3},
        });
        let datum = schema.from_json(&record).unwrap();
        let key = key.of(&datum, &scope.datum_values(&datum));
        key.map(|key| key.map(|key| key.to_vec()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_field_is_text_and_bytes_are_copied() {
        for (text, expected) in [
            ("id", &b"7"[..]),
            ("name", b"Paul"),
            ("raw", b"\x00\xff"),
            ("price", b"0.5"),
            ("in", b"x"),
            ("at", b"1700000000120"),
            ("inner.n", b"3"),
            ("inner", b"\x06"),
        ] {
            assert_eq!(
                key(text, Some("Paul")),
                Ok(Some(expected.to_vec())),
                "{text}"
            );
        }
        assert_eq!(key("name", None), Ok(None));
        assert_eq!(key("name", Some("")), Ok(Some(Vec::new())));
    }

    #[test]
    fn an_expression_is_text_and_null_is_no_key() {
        let text = "name == null ? null : name + '-' + string(id)";
        assert_eq!(key(text, Some("Paul")), Ok(Some(b"Paul-7".to_vec())));
        assert_eq!(key(text, None), Ok(None));
        let error = key("10 / (id - 7)", None).unwrap_err();
        assert!(error.contains("by zero"), "{error}");
    }

    #[test]
    fn an_expression_of_another_type_is_an_error_with_its_position() {
        let error = key("id + nosuch", None).unwrap_err();
        assert!(error.ends_with("(at character 6)"), "{error}");
        for text in ["price * 2.0", "{'a': id}", "kafka.offset", "id +", ""] {
            key(text, None).unwrap_err();
        }
    }
}
