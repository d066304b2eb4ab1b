//! Parses the JSON text of a schema, within limits.
//!
//! Unknown and invalid logical types are ignored, and `"type": "error"` is a record. The `apache-avro` crate is not used: it applies the rules
//! for names to every schema, rejects an alias that is the name of another field, and can take exponential time for
//! defaults that refer to each other.
//!
//! Source: Avro specification 1.12, "Schema Declaration".

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::graph::{Enum, Fixed, Graph, Node, NodeId, Record, RecordField};
use crate::json::default_value;
use crate::names;
use crate::{LogicalType, SchemaError, graph_builder, logical};

/// The maximum length of a schema's text, in bytes.
const MAX_TEXT: usize = 1024 * 1024;

/// The most types and fields in a schema of [`Origin::Writer`].
const MAX_WRITER_TYPES: usize = 5_000;

/// The maximum size of a `fixed`, in bytes. As in Java, where the size is an int.
const MAX_FIXED: u64 = i32::MAX as u64;

/// Where a schema comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The program's settings. All rules of the specification apply.
    Configured,
    /// The data. Untrusted, and only needed to read the data. Defaults and aliases are dropped, because both can be used
    /// for attacks. Names may have any characters: Debezium and Hadoop write `-` and `$`.
    Writer,
}

/// Parses a schema's text into its types.
///
/// # Errors
/// The schema is not valid Avro or exceeds a limit.
pub(super) fn graph(text: &str, origin: Origin) -> Result<Graph, SchemaError> {
    let json = json(text)?;
    let mut parser = Parser {
        origin,
        nodes: Vec::new(),
        logical_types: Vec::new(),
        defined: HashMap::new(),
        count: 0,
    };
    let root = parser.schema(&json, None)?;
    let graph = graph_builder::build(parser.nodes, parser.logical_types, root)?;
    check_defaults(&graph)?;
    Ok(graph)
}

/// Checks the length of a schema's text in bytes.
pub(super) fn check_length(size: usize) -> Result<(), SchemaError> {
    match size > MAX_TEXT {
        true => Err(SchemaError(format!(
            "the schema has {size} bytes; at most {MAX_TEXT} are supported"
        ))),
        false => Ok(()),
    }
}

/// A schema's text as JSON.
pub(super) fn json(text: &str) -> Result<Value, SchemaError> {
    check_length(text.len())?;
    serde_json::from_str(text)
        .map_err(|error| SchemaError(format!("the schema is not JSON: {error}")))
}

struct Parser {
    origin: Origin,
    nodes: Vec<Node>,
    /// By node.
    logical_types: Vec<Option<LogicalType>>,
    /// The named types so far, by full name.
    defined: HashMap<String, NodeId>,
    /// Types and fields so far.
    count: usize,
}

impl Parser {
    // serde_json limits the nesting of the text, and with it this recursion, to 128 levels.
    fn schema(&mut self, json: &Value, namespace: Option<&str>) -> Result<NodeId, SchemaError> {
        self.count += 1;
        if self.origin == Origin::Writer && self.count > MAX_WRITER_TYPES {
            return Err(SchemaError(format!(
                "the schema has more than {MAX_WRITER_TYPES} types and fields"
            )));
        }
        match json {
            Value::String(name) => self.reference(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.object(object, namespace),
            other => Err(SchemaError(format!(
                "a type is a name, an object or a list of branches, not {other}"
            ))),
        }
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.logical_types.push(None);
        self.nodes.len() - 1
    }

    /// A primitive type, or a named type that is defined already.
    fn reference(&mut self, name: &str, namespace: Option<&str>) -> Result<NodeId, SchemaError> {
        if let Some(node) = primitive(name) {
            return Ok(self.push(node));
        }
        let full_name = names::full_name(name, namespace);
        // A name that its own namespace does not have may be in the null namespace, as in Java.
        let id = self.defined.get(&full_name).or(self.defined.get(name));
        id.copied()
            .ok_or_else(|| SchemaError(format!("the type {full_name} is not defined")))
    }

    fn union(
        &mut self,
        branches: &[Value],
        namespace: Option<&str>,
    ) -> Result<NodeId, SchemaError> {
        if branches.is_empty() {
            return Err(SchemaError("a union has no branches".to_owned()));
        }
        let mut ids = Vec::with_capacity(branches.len());
        let mut names = HashSet::with_capacity(branches.len());
        for branch in branches {
            let id = self.schema(branch, namespace)?;
            let name = self.nodes[id].name();
            if matches!(self.nodes[id], Node::Union(_)) {
                return Err(SchemaError("a union contains a union directly".to_owned()));
            }
            if !names.insert(name.to_owned()) {
                return Err(SchemaError(format!("a union has two branches {name}")));
            }
            ids.push(id);
        }
        Ok(self.push(Node::Union(ids)))
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<NodeId, SchemaError> {
        let kind = object
            .get("type")
            .ok_or_else(|| SchemaError("a type has no \"type\"".to_owned()))?;
        let Value::String(kind) = kind else {
            // {"type": {...}} means the inner type.
            return self.schema(kind, namespace);
        };
        match kind.as_str() {
            "array" => {
                let items = attribute(object, "items", "an array")?;
                let items = self.schema(items, namespace)?;
                Ok(self.push(Node::Array(items)))
            }
            "map" => {
                let values = attribute(object, "values", "a map")?;
                let values = self.schema(values, namespace)?;
                Ok(self.push(Node::Map(values)))
            }
            "record" | "error" => self.record(object, namespace),
            "enum" => self.enumeration(object, namespace),
            "fixed" => {
                let id = self.fixed(object, namespace)?;
                self.logical_types[id] = logical::declared(object, &self.nodes[id]);
                Ok(id)
            }
            _ => {
                let id = self.reference(kind, namespace)?;
                // A named type has the logical type of its definition.
                if primitive(kind).is_some() {
                    self.logical_types[id] = logical::declared(object, &self.nodes[id]);
                }
                Ok(id)
            }
        }
    }

    fn record(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<NodeId, SchemaError> {
        let name = self.name(object, namespace)?;
        let aliases = self.type_aliases(object, &name)?;
        // Defined before its fields are parsed, because they may refer to it.
        let id = self.define(
            name.clone(),
            Node::Record(Record {
                name: name.clone(),
                aliases: aliases.clone(),
                fields: Vec::new(),
                nonempty_fields: Vec::new(),
            }),
        )?;
        let Value::Array(declared) = attribute(object, "fields", "a record")? else {
            return Err(SchemaError(
                "a record's \"fields\" is not a list".to_owned(),
            ));
        };
        let mut fields: Vec<RecordField> = Vec::with_capacity(declared.len());
        let mut known = HashSet::with_capacity(declared.len());
        for field in declared {
            let field = self.field(field, &name)?;
            if !known.insert(field.name.clone()) {
                let field = field.name;
                return Err(SchemaError(format!(
                    "the record {name} has two fields {field}"
                )));
            }
            fields.push(field);
        }
        self.nodes[id] = Node::Record(Record {
            name,
            aliases,
            fields,
            nonempty_fields: Vec::new(),
        });
        Ok(id)
    }

    fn field(&mut self, field: &Value, record: &str) -> Result<RecordField, SchemaError> {
        let Value::Object(field) = field else {
            return Err(SchemaError(format!("a field is an object, not {field}")));
        };
        let Value::String(name) = attribute(field, "name", "a field")? else {
            return Err(SchemaError("a field's \"name\" is not a string".to_owned()));
        };
        self.check_name("field", name, names::is_valid(name))?;
        let kind = attribute(field, "type", "a field")?;
        Ok(RecordField {
            name: name.clone(),
            aliases: self.aliases(field, name)?,
            default: self.configured(field, "default").cloned(),
            node: self.schema(kind, names::namespace(record))?,
        })
    }

    fn enumeration(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<NodeId, SchemaError> {
        let name = self.name(object, namespace)?;
        let symbols = strings(attribute(object, "symbols", "an enum")?).ok_or_else(|| {
            SchemaError(format!(
                "the symbols of the enum {name} are not a list of strings"
            ))
        })?;
        if symbols.is_empty() {
            return Err(SchemaError(format!("the enum {name} has no symbols")));
        }
        let mut known = HashSet::with_capacity(symbols.len());
        for symbol in &symbols {
            self.check_name("symbol", symbol, names::is_valid(symbol))?;
            if !known.insert(symbol) {
                return Err(SchemaError(format!(
                    "the enum {name} has two symbols {symbol}"
                )));
            }
        }
        let default = match self.configured(object, "default") {
            None => None,
            Some(Value::String(default)) if symbols.contains(default) => Some(default.clone()),
            Some(default) => {
                return Err(SchemaError(format!(
                    "the default {default} of the enum {name} is not one of its symbols"
                )));
            }
        };
        let node = Node::Enum(Enum {
            aliases: self.type_aliases(object, &name)?,
            name: name.clone(),
            symbols: symbols.into_iter().map(String::into_boxed_str).collect(),
            default,
        });
        self.define(name, node)
    }

    fn fixed(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<NodeId, SchemaError> {
        let name = self.name(object, namespace)?;
        let size = attribute(object, "size", "a fixed")?;
        let size = size.as_u64().ok_or_else(|| {
            SchemaError(format!(
                "the size of the fixed {name} is {size}, not a number of bytes"
            ))
        })?;
        let within_limit = usize::try_from(size).ok().filter(|_| size <= MAX_FIXED);
        let size = within_limit.ok_or_else(|| {
            SchemaError(format!(
                "the fixed {name} has {size} bytes; at most {MAX_FIXED} are supported"
            ))
        })?;
        let node = Node::Fixed(Fixed {
            aliases: self.type_aliases(object, &name)?,
            name: name.clone(),
            size,
        });
        self.define(name, node)
    }

    fn define(&mut self, name: String, node: Node) -> Result<NodeId, SchemaError> {
        if self.defined.contains_key(&name) {
            return Err(SchemaError(format!("the type {name} is defined twice")));
        }
        let id = self.push(node);
        self.defined.insert(name, id);
        Ok(id)
    }

    /// The full name of a named type.
    fn name(
        &self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<String, SchemaError> {
        let Value::String(name) = attribute(object, "name", "a named type")? else {
            return Err(SchemaError("a type's \"name\" is not a string".to_owned()));
        };
        let namespace = match object.get("namespace") {
            None | Some(Value::Null) => namespace,
            Some(Value::String(own)) => Some(own.as_str()),
            Some(_) => {
                return Err(SchemaError(format!(
                    "the namespace of {name} is not a string"
                )));
            }
        };
        let full_name = names::full_name(name, namespace);
        if primitive(&full_name).is_some() {
            return Err(SchemaError(format!(
                "a type cannot have the name {full_name} of a primitive type"
            )));
        }
        let is_valid = full_name.split('.').all(names::is_valid);
        self.check_name("type", &full_name, is_valid)?;
        Ok(full_name)
    }

    fn check_name(&self, of: &str, name: &str, is_valid: bool) -> Result<(), SchemaError> {
        if is_valid || self.origin == Origin::Writer {
            return Ok(());
        }
        let found = match names::first_invalid(name) {
            Some(letter) => format!("{letter:?} is not allowed, "),
            None => String::new(),
        };
        Err(SchemaError(format!(
            "{name:?} cannot be the name of a {of}: {found}a name has ASCII letters, digits and _, and does not begin with a digit"
        )))
    }

    /// The full names that a type's aliases stand for.
    fn type_aliases(
        &self,
        object: &Map<String, Value>,
        name: &str,
    ) -> Result<Vec<String>, SchemaError> {
        let full_name = |alias: &String| names::full_name(alias, names::namespace(name));
        Ok(self.aliases(object, name)?.iter().map(full_name).collect())
    }

    /// An alias may have any characters, because it is a writer's name.
    fn aliases(
        &self,
        object: &Map<String, Value>,
        owner: &str,
    ) -> Result<Vec<String>, SchemaError> {
        match self.configured(object, "aliases") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(aliases) => strings(aliases).ok_or_else(|| {
                SchemaError(format!("the aliases of {owner} are not a list of strings"))
            }),
        }
    }

    /// An attribute that only a configured schema keeps.
    fn configured<'a>(&self, object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
        match self.origin {
            Origin::Configured => object.get(key),
            Origin::Writer => None,
        }
    }
}

/// Checks that every default is a value of its field's type.
fn check_defaults(graph: &Graph) -> Result<(), SchemaError> {
    for node in &graph.nodes {
        let Node::Record(record) = node else { continue };
        for field in &record.fields {
            if let Some(default) = &field.default {
                default_value(graph, field.node, default).map_err(|mismatch| {
                    let (record, field) = (&record.name, &field.name);
                    SchemaError(format!(
                        "the default of the field {field} of {record} does not fit: {mismatch}"
                    ))
                })?;
            }
        }
    }
    Ok(())
}

/// Whether the name is that of a primitive type.
pub(super) fn is_primitive(name: &str) -> bool {
    primitive(name).is_some()
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::String,
        _ => return None,
    })
}

fn strings(json: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    json.as_array()?.iter().map(text).collect()
}

fn attribute<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    owner: &str,
) -> Result<&'a Value, SchemaError> {
    object
        .get(key)
        .ok_or_else(|| SchemaError(format!("{owner} has no \"{key}\"")))
}
