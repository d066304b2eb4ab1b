//! Validates a program's output against the JSON Schemas in `docs/schemas`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The schema `docs/schemas/NAME.schema.json`.
///
/// # Errors
/// It does not exist or is not JSON.
pub fn schema(name: &str) -> Result<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    let path = folder.join(format!("{name}.schema.json"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// Validates `value`. A member that the schema does not describe is an error too: readers ignore such members, but each
/// one must be documented.
///
/// # Errors
/// The value is not valid; the error lists every fault.
pub fn validate(name: &str, value: &Value) -> Result<()> {
    let validator = jsonschema::draft202012::new(&closed(schema(name)?))
        .with_context(|| format!("compiling the schema {name}"))?;
    let faults: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    ensure!(
        faults.is_empty(),
        "not valid by {name}: {faults:#?} in {value:#}"
    );
    Ok(())
}

fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for member in members.values_mut() {
                *member = closed(member.take());
            }
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = closed(item.take());
            }
        }
        _ => {}
    }
    schema
}
