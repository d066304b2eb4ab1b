//! Finds the schema in the answer of a schema registry.

use std::borrow::Cow;

use serde_json::Value;

use crate::{SchemaError, parse};

/// How often a schema is wrapped at most: an answer, whose `schema` is a string, whose content is encoded once more.
const MAX_WRAPPERS: usize = 3;

/// The text of the schema itself, from one of
///
/// - the schema;
/// - a registry's answer, `{"schema": "…", "id": 1, …}`;
/// - a JSON string that contains one of these.
///
/// # Errors
/// The answer is not a schema of Avro, or has references to schemas that are not given.
pub(super) fn unwrap(text: &str, has_references: bool) -> Result<Cow<'_, str>, SchemaError> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MAX_WRAPPERS {
        // A text that is not JSON is an error of the parser.
        let Ok(json) = parse::json(&text) else { break };
        let inner = match json {
            Value::String(inner) if inner.trim_start().starts_with(['{', '[', '"']) => inner,
            Value::Object(answer) if !answer.contains_key("type") => match answer.get("schema") {
                Some(Value::String(schema)) => {
                    check_answer(&answer, has_references)?;
                    schema.clone()
                }
                Some(schema @ (Value::Object(_) | Value::Array(_))) => {
                    check_answer(&answer, has_references)?;
                    schema.to_string()
                }
                _ => break,
            },
            _ => break,
        };
        text = Cow::Owned(inner);
    }
    Ok(text)
}

fn check_answer(
    answer: &serde_json::Map<String, Value>,
    has_references: bool,
) -> Result<(), SchemaError> {
    match answer.get("schemaType") {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind == "AVRO" => {}
        Some(kind) => {
            return Err(SchemaError(format!(
                "the schema is a schema registry's answer with the schemaType {kind}, and not an Avro schema"
            )));
        }
    }
    match answer.get("references") {
        Some(Value::Array(references)) if !references.is_empty() && !has_references => {
            let names = references.iter().filter_map(|it| it.get("name")?.as_str());
            let names: Vec<&str> = names.take(10).collect();
            Err(SchemaError(format!(
                "the schema is a schema registry's answer with references to other schemas ({}): use one schema that defines all types",
                names.join(", ")
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Schema;

    const ENUM: &str = r#"{"type":"enum","name":"E","symbols":["A"]}"#;

    #[test]
    fn accepts_a_registrys_answer_and_an_encoded_schema() {
        let quoted = json!(ENUM).to_string();
        let texts = [
            ENUM.to_owned(),
            json!({"subject": "s", "version": 1, "id": 7, "schema": ENUM}).to_string(),
            json!({"schemaType": "AVRO", "references": [], "schema": ENUM}).to_string(),
            json!({"schema": serde_json::from_str::<serde_json::Value>(ENUM).unwrap()}).to_string(),
            json!({"schema": quoted}).to_string(),
            quoted.clone(),
            json!(json!({"schema": ENUM}).to_string()).to_string(),
            format!("\u{feff}{quoted}"),
        ];
        for text in texts {
            let schema = Schema::parse(&text).unwrap();
            assert_eq!(schema.json(), ENUM, "{text}");
        }
        let primitive = Schema::parse(r#"{"schema":"\"string\""}"#).unwrap();
        assert_eq!(primitive.canonical_form(), "\"string\"");
        assert_eq!(Schema::parse("\"string\"").unwrap().json(), "\"string\"");
    }

    #[test]
    fn rejects_an_answer_that_is_not_one_avro_schema() {
        let error = |answer: serde_json::Value| {
            let error = Schema::parse(&answer.to_string()).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            error(json!({"schemaType": "PROTOBUF", "schema": "syntax = \"proto3\";"})),
            "the schema is a schema registry's answer with the schemaType \"PROTOBUF\", and not an Avro schema"
        );
        let references = json!([{"name": "shop.Money", "subject": "money", "version": 1}]);
        assert_eq!(
            error(json!({"schema": ENUM, "references": references})),
            "the schema is a schema registry's answer with references to other schemas (shop.Money): use one schema that defines all types"
        );
        assert_eq!(error(json!({"schema": 1})), "a type has no \"type\"");
        let mut nested = ENUM.to_owned();
        for _ in 0..4 {
            nested = json!(nested).to_string();
        }
        assert!(Schema::parse(&nested).is_err());
    }

    #[test]
    fn an_answer_may_have_references_that_are_given() {
        let answer = json!({
            "schema": r#"{"type":"array","items":"E"}"#, "references": [{"name": "E"}]
        });
        let schema = Schema::parse_with_references(&answer.to_string(), &[ENUM]).unwrap();
        assert!(schema.canonical_form().contains("symbols"));
    }
}
