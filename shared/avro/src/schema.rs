//! A schema's text → its parsed types, strictly and within limits.
//!
//! The text may come from a stranger (a container file carries its writer's schema), and the parser we use was
//! written for texts one trusts: defaults that refer to each other can keep it busy for ever, a type defined twice
//! can end the process. So the text is first reduced to what the wire format depends on, and checked for both.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::SchemaError;
use super::tree::Tree;

/// The longest schema text, in bytes.
pub(super) const MAX_TEXT: usize = 1024 * 1024;

/// The most types and fields of a writer's schema that came with the data.
const MAX_PARTS: usize = 5_000;

/// Whose schema it is: what is kept of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The operator's own: defaults and aliases count.
    Configured,
    /// A stranger's, only to read what it wrote: neither counts, and both can be made into traps.
    Writer,
}

/// Parses a schema's text.
///
/// # Errors
/// No valid Avro schema, or outside the limits.
pub(super) fn parse(text: &str, origin: Origin) -> Result<Tree, SchemaError> {
    if text.len() > MAX_TEXT {
        let size = text.len();
        return Err(SchemaError(format!(
            "the schema has {size} bytes; at most {MAX_TEXT} are supported"
        )));
    }
    let json: Value = serde_json::from_str(text)
        .map_err(|error| SchemaError(format!("the schema is not JSON: {error}")))?;
    let mut reducer = Reducer {
        origin,
        defined: HashSet::new(),
        parts: 0,
    };
    let reduced = reducer.schema(&json, None)?;
    let parsed = apache_avro::Schema::parse(&reduced)
        .map_err(|error| SchemaError(format!("the schema is not valid Avro: {error}")))?;
    Tree::grow(&parsed)
}

struct Reducer {
    origin: Origin,
    defined: HashSet<String>,
    parts: usize,
}

impl Reducer {
    // As deep as the JSON text is nested, which its parser limits to 128.
    fn schema(&mut self, json: &Value, namespace: Option<&str>) -> Result<Value, SchemaError> {
        self.parts += 1;
        if self.origin == Origin::Writer && self.parts > MAX_PARTS {
            return Err(SchemaError(format!(
                "the schema has more than {MAX_PARTS} types and fields"
            )));
        }
        match json {
            Value::String(name) => Ok(Value::String(name.clone())),
            Value::Array(branches) => branches
                .iter()
                .map(|branch| self.schema(branch, namespace))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Value::Object(object) => self.object(object, namespace),
            other => Err(SchemaError(format!(
                "a type is a name, an object or a list of branches, not {other}"
            ))),
        }
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<Value, SchemaError> {
        let kind = object
            .get("type")
            .ok_or_else(|| SchemaError("a type has no \"type\"".to_owned()))?;
        let Value::String(kind) = kind else {
            // {"type": {...}}: only the inner one says anything.
            return self.schema(kind, namespace);
        };
        let mut reduced = Map::new();
        reduced.insert("type".to_owned(), Value::String(kind.clone()));
        match kind.as_str() {
            "array" => {
                let items = part(object, "items", "an array")?;
                reduced.insert("items".to_owned(), self.schema(items, namespace)?);
            }
            "map" => {
                let values = part(object, "values", "a map")?;
                reduced.insert("values".to_owned(), self.schema(values, namespace)?);
            }
            "record" | "error" => {
                reduced.insert("type".to_owned(), Value::String("record".to_owned()));
                let inner = self.name(object, namespace, &mut reduced)?;
                let fields = self.fields(object, inner.as_deref())?;
                reduced.insert("fields".to_owned(), fields);
            }
            "enum" => {
                self.name(object, namespace, &mut reduced)?;
                let symbols = part(object, "symbols", "an enum")?;
                reduced.insert("symbols".to_owned(), symbols.clone());
                self.keep(object, "default", &mut reduced);
            }
            "fixed" => {
                self.name(object, namespace, &mut reduced)?;
                let size = part(object, "size", "a fixed")?;
                reduced.insert("size".to_owned(), size.clone());
            }
            // {"type": "string", "logicalType": …}: the plain type.
            _ => return Ok(Value::String(kind.clone())),
        }
        Ok(Value::Object(reduced))
    }

    fn fields(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<Value, SchemaError> {
        let Value::Array(fields) = part(object, "fields", "a record")? else {
            return Err(SchemaError("a record's \"fields\" is no list".to_owned()));
        };
        let mut kept = Vec::with_capacity(fields.len());
        for field in fields {
            let Value::Object(field) = field else {
                return Err(SchemaError(format!("a field is an object, not {field}")));
            };
            let mut reduced = Map::new();
            let name = part(field, "name", "a field")?;
            reduced.insert("name".to_owned(), name.clone());
            let kind = part(field, "type", "a field")?;
            reduced.insert("type".to_owned(), self.schema(kind, namespace)?);
            self.keep(field, "default", &mut reduced);
            self.keep(field, "aliases", &mut reduced);
            kept.push(Value::Object(reduced));
        }
        Ok(Value::Array(kept))
    }

    /// Notes a named type's name, and returns the namespace that holds inside it.
    fn name(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
        reduced: &mut Map<String, Value>,
    ) -> Result<Option<String>, SchemaError> {
        let Value::String(name) = part(object, "name", "a named type")? else {
            return Err(SchemaError("a type's \"name\" is no text".to_owned()));
        };
        let own = match object.get("namespace") {
            None | Some(Value::Null) => namespace,
            Some(Value::String(own)) => Some(own.as_str()),
            Some(_) => return Err(SchemaError(format!("the namespace of {name} is no text"))),
        };
        let full = match own {
            Some(own) if !name.contains('.') && !own.is_empty() => format!("{own}.{name}"),
            _ => name.trim_start_matches('.').to_owned(),
        };
        if PRIMITIVES.contains(&full.as_str()) {
            return Err(SchemaError(format!(
                "a type cannot be named {full}, as Avro's own is"
            )));
        }
        if !self.defined.insert(full.clone()) {
            return Err(SchemaError(format!("the type {full} is defined twice")));
        }
        let inner = full.rsplit_once('.').map(|(space, _)| space.to_owned());
        reduced.insert("name".to_owned(), Value::String(full));
        if inner.is_none() {
            // The null namespace, said outright, so that the enclosing one does not hold.
            reduced.insert("namespace".to_owned(), Value::String(String::new()));
        }
        Ok(inner)
    }

    fn keep(&self, from: &Map<String, Value>, key: &str, into: &mut Map<String, Value>) {
        if self.origin == Origin::Configured
            && let Some(value) = from.get(key)
        {
            into.insert(key.to_owned(), value.clone());
        }
    }
}

const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

fn part<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    whose: &str,
) -> Result<&'a Value, SchemaError> {
    object
        .get(key)
        .ok_or_else(|| SchemaError(format!("{whose} has no \"{key}\"")))
}
