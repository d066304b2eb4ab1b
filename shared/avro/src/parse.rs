//! Parses the JSON text of a schema, strictly and within limits.
//!
//! The text may be untrusted, because a container file contains its writer's schema. The parser of the `apache-avro`
//! crate can take exponential time for defaults that refer to each other, and a type that is defined twice can abort the
//! process. Therefore the text is first reduced to the attributes that the binary encoding depends on, and checked for both.
//!
//! The reduction drops logical types and turns `"type": "error"` into a record.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::graph::Graph;
use crate::{SchemaError, graph_builder};

/// The maximum length of a schema's text, in bytes.
const MAX_TEXT: usize = 1024 * 1024;

/// The most types and fields in a schema of [`Origin::Writer`].
const MAX_WRITER_TYPES: usize = 5_000;

/// Where a schema comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The program's settings. Defaults and aliases are kept.
    Configured,
    /// The data. Untrusted, and only needed to read the data: defaults and aliases are dropped, because both can be
    /// used for attacks.
    Writer,
}

/// Parses a schema's text into its types.
///
/// # Errors
/// The schema is not valid Avro or exceeds a limit.
pub(super) fn graph(text: &str, origin: Origin) -> Result<Graph, SchemaError> {
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
        count: 0,
    };
    let reduced = reducer.schema(&json, None)?;
    let parsed = apache_avro::Schema::parse(&reduced)
        .map_err(|error| SchemaError(format!("the schema is not valid Avro: {error}")))?;
    graph_builder::build(&parsed)
}

struct Reducer {
    origin: Origin,
    defined: HashSet<String>,
    /// Types and fields so far.
    count: usize,
}

impl Reducer {
    // serde_json limits the nesting of the text, and with it this recursion, to 128 levels.
    fn schema(&mut self, json: &Value, namespace: Option<&str>) -> Result<Value, SchemaError> {
        self.count += 1;
        if self.origin == Origin::Writer && self.count > MAX_WRITER_TYPES {
            return Err(SchemaError(format!(
                "the schema has more than {MAX_WRITER_TYPES} types and fields"
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
            // {"type": {...}} means the inner type.
            return self.schema(kind, namespace);
        };
        let mut reduced = Map::new();
        reduced.insert("type".to_owned(), Value::String(kind.clone()));
        match kind.as_str() {
            "array" => {
                let items = attribute(object, "items", "an array")?;
                reduced.insert("items".to_owned(), self.schema(items, namespace)?);
            }
            "map" => {
                let values = attribute(object, "values", "a map")?;
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
                let symbols = attribute(object, "symbols", "an enum")?;
                reduced.insert("symbols".to_owned(), symbols.clone());
                self.copy(object, "default", &mut reduced);
            }
            "fixed" => {
                self.name(object, namespace, &mut reduced)?;
                let size = attribute(object, "size", "a fixed")?;
                reduced.insert("size".to_owned(), size.clone());
            }
            // {"type": "string", "logicalType": …} means the underlying type.
            _ => return Ok(Value::String(kind.clone())),
        }
        Ok(Value::Object(reduced))
    }

    fn fields(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<Value, SchemaError> {
        let Value::Array(fields) = attribute(object, "fields", "a record")? else {
            return Err(SchemaError(
                "a record's \"fields\" is not a list".to_owned(),
            ));
        };
        let mut kept = Vec::with_capacity(fields.len());
        for field in fields {
            let Value::Object(field) = field else {
                return Err(SchemaError(format!("a field is an object, not {field}")));
            };
            let mut reduced = Map::new();
            let name = attribute(field, "name", "a field")?;
            reduced.insert("name".to_owned(), name.clone());
            let kind = attribute(field, "type", "a field")?;
            reduced.insert("type".to_owned(), self.schema(kind, namespace)?);
            self.copy(field, "default", &mut reduced);
            self.copy(field, "aliases", &mut reduced);
            kept.push(Value::Object(reduced));
        }
        Ok(Value::Array(kept))
    }

    /// Writes the full name of a named type, and returns the namespace for the types inside it.
    fn name(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
        reduced: &mut Map<String, Value>,
    ) -> Result<Option<String>, SchemaError> {
        let Value::String(name) = attribute(object, "name", "a named type")? else {
            return Err(SchemaError("a type's \"name\" is not a string".to_owned()));
        };
        let own = match object.get("namespace") {
            None | Some(Value::Null) => namespace,
            Some(Value::String(own)) => Some(own.as_str()),
            Some(_) => {
                return Err(SchemaError(format!(
                    "the namespace of {name} is not a string"
                )));
            }
        };
        let full = match own {
            Some(own) if !name.contains('.') && !own.is_empty() => format!("{own}.{name}"),
            _ => name.trim_start_matches('.').to_owned(),
        };
        if PRIMITIVES.contains(&full.as_str()) {
            return Err(SchemaError(format!(
                "a type cannot have the name {full} of a primitive type"
            )));
        }
        if !self.defined.insert(full.clone()) {
            return Err(SchemaError(format!("the type {full} is defined twice")));
        }
        let inner = full.rsplit_once('.').map(|(space, _)| space.to_owned());
        reduced.insert("name".to_owned(), Value::String(full));
        if inner.is_none() {
            // An explicit null namespace; otherwise the enclosing namespace would apply.
            reduced.insert("namespace".to_owned(), Value::String(String::new()));
        }
        Ok(inner)
    }

    /// Copies an attribute that only a configured schema keeps.
    fn copy(&self, from: &Map<String, Value>, key: &str, into: &mut Map<String, Value>) {
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

fn attribute<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    owner: &str,
) -> Result<&'a Value, SchemaError> {
    object
        .get(key)
        .ok_or_else(|| SchemaError(format!("{owner} has no \"{key}\"")))
}
