//! Why a JSON value does not fit a schema.

use serde_json::Value;

/// A JSON value does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}, found {found}", if path.is_empty() { "the value" } else { path })]
pub struct Mismatch {
    /// The field, for example `address.lines[2]`. Empty for the value itself.
    pub path: String,
    /// What the schema requires.
    pub expected: String,
    /// What the JSON contains.
    pub found: String,
}

impl Mismatch {
    #[cold]
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            path: String::new(),
            expected: expected.into(),
            found: found.into(),
        })
    }

    /// Puts a step in front of the path: a field's name, `[2]` or `["key"]`.
    #[cold]
    pub(super) fn within(mut self: Box<Self>, step: &str) -> Box<Self> {
        let dot = match self.path.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }
}

/// Describes a value for an error: its kind, and the start of its content.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let short: String = text.chars().take(40).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            format!("the text {short:?}{more}")
        }
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(object) => match object.len() {
            1 => "an object of 1 field".to_owned(),
            fields => format!("an object of {fields} fields"),
        },
    }
}
