//! The fields of a schema, with an example of a condition for each. Pure.

use avro::Schema;
use routes::{RouteDefinition, Routes};
use serde_json::Value;

/// The maximum length of a type or a description, in characters.
const MAX_TEXT: usize = 80;

/// More fields have no example: each is compiled with the whole schema.
pub(super) const MAX_EXAMPLES: usize = 100;

/// A field of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldExample {
    /// Its name.
    pub(super) name: String,
    /// Its type, for people.
    pub(super) kind: String,
    /// Its description in the schema.
    pub(super) doc: Option<String>,
    /// A condition over it that is valid for the schema; `None` if there is no simple one, or for a field behind the first
    /// [`MAX_EXAMPLES`].
    pub(super) condition: Option<String>,
}

/// The fields of the record, in order.
pub(super) fn fields(text: &str, schema: &Schema) -> Vec<FieldExample> {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    let fields = parsed["fields"].as_array().cloned().unwrap_or_default();
    let fields = fields.iter().enumerate().filter_map(|(index, field)| {
        let name = field["name"].as_str()?;
        let has_example = index < MAX_EXAMPLES;
        Some(FieldExample {
            name: name.to_owned(),
            kind: short(&kind(&field["type"])),
            doc: field["doc"].as_str().map(short),
            condition: has_example
                .then(|| condition(name, &field["type"], schema))
                .flatten(),
        })
    });
    fields.collect()
}

/// Whether a route with this condition, followed by one for all other records, is valid and causes no warning about it.
fn is_valid(condition: &str, schema: &Schema) -> bool {
    let definitions =
        [("first", condition), ("others", "true")].map(|(name, when)| RouteDefinition {
            name: name.to_owned(),
            when: when.to_owned(),
        });
    let compiled = Routes::compile(definitions.to_vec(), schema);
    // The route for all other records causes one.
    compiled.is_ok_and(|routes| routes.warnings().iter().all(|text| text.contains("others")))
}

fn condition(name: &str, kind: &Value, schema: &Schema) -> Option<String> {
    // CEL reserves some names: `record` is the whole record.
    let variables = [name.to_owned(), format!("record.{name}")];
    let conditions = variables.iter().filter_map(|name| of_type(name, kind));
    conditions
        .into_iter()
        .find(|condition| is_valid(condition, schema))
}

fn of_type(name: &str, kind: &Value) -> Option<String> {
    let logical = kind["logicalType"].as_str().unwrap_or_default();
    let of_name = |kind: &str| match kind {
        "string" => Some(format!("{name} == 'example'")),
        "int" | "long" => Some(format!("{name} >= 0")),
        "float" | "double" => Some(format!("{name} >= 0.0")),
        "boolean" => Some(name.to_owned()),
        _ => None,
    };
    match kind {
        Value::String(kind) => of_name(kind),
        Value::Array(branches) if branches.iter().any(|branch| branch == "null") => {
            // CEL's `has` needs the object of the field.
            let name = name.strip_prefix("record.").unwrap_or(name);
            Some(format!("has(record.{name})"))
        }
        Value::Object(_) if logical.contains("timestamp") || logical == "date" => {
            Some(format!("{name} >= timestamp('2026-01-01T00:00:00Z')"))
        }
        Value::Object(_) if logical == "decimal" => Some(format!("{name} >= 0")),
        Value::Object(_) if kind["type"] == "enum" => {
            let symbol = kind["symbols"][0].as_str()?;
            Some(format!("{name} == '{symbol}'"))
        }
        Value::Object(_) => of_name(kind["type"].as_str()?),
        _ => None,
    }
}

/// A type, for people.
fn kind(kind: &Value) -> String {
    match kind {
        Value::String(name) => name.clone(),
        Value::Array(branches) => {
            let branches: Vec<String> = branches.iter().map(self::kind).collect();
            branches.join(" or ")
        }
        Value::Object(_) => match (&kind["logicalType"], &kind["name"], &kind["type"]) {
            (Value::String(logical), ..) => logical.clone(),
            (_, Value::String(name), Value::String(kind)) => format!("{kind} {name}"),
            (.., inner) => self::kind(inner),
        },
        _ => "unknown".to_owned(),
    }
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    words.join(" ").chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_a_condition_that_is_valid() {
        let text = r#"{"type":"record","name":"R","fields":[
            {"name":"id","type":"int","doc":"A number\nof a user."},
            {"name":"namespace","type":"string"},
            {"name":"in","type":"string"},
            {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["NEW","OLD"]}},
            {"name":"only","type":{"type":"enum","name":"Only","symbols":["ONE"]}},
            {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
            {"name":"mail","type":["null","string"]},
            {"name":"gift","type":"boolean"},
            {"name":"list","type":{"type":"array","items":"int"}},
            {"name":"address","type":{"type":"record","name":"A","fields":[]}}]}"#;
        let schema = Schema::parse(text).unwrap();
        let found = fields(text, &schema);
        let found: Vec<_> = found
            .iter()
            .map(|field| (field.kind.as_str(), field.condition.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("int", Some("id >= 0")),
                ("string", Some("record.namespace == 'example'")),
                ("string", None),
                ("enum Kind", Some("kind == 'NEW'")),
                ("enum Only", None),
                (
                    "timestamp-millis",
                    Some("at >= timestamp('2026-01-01T00:00:00Z')")
                ),
                ("decimal", Some("amount >= 0")),
                ("null or string", Some("has(record.mail)")),
                ("boolean", Some("gift")),
                ("array", None),
                ("record A", None),
            ]
        );
        assert_eq!(
            fields(text, &schema)[0].doc.as_deref(),
            Some("A number of a user.")
        );
    }
}
