//! Builds the graph of types from a parsed schema.

use std::collections::HashMap;

use apache_avro::Schema as Parsed;

use crate::graph::{Enum, Fixed, Graph, Node, NodeId, Record, RecordField};
use crate::{SchemaError, min_size};

/// The maximum size of a `fixed`, in bytes. As in Java, where the size is an int.
const MAX_FIXED: usize = i32::MAX as usize;

/// Builds the graph of a parsed schema.
///
/// # Errors
/// A type is undefined, defined twice or too large, or a record cannot have a finite datum.
pub(super) fn build(parsed: &Parsed) -> Result<Graph, SchemaError> {
    let mut builder = Builder::default();
    let root = builder.node(parsed)?;
    let mut nodes = builder.nodes;
    let min_sizes = min_size::of_nodes(&nodes)?;
    for node in &mut nodes {
        if let Node::Record(record) = node {
            let types = record.fields.iter().map(|field| field.node);
            record.nonempty_fields = types.filter(|id| min_sizes[*id] > 0).collect();
        }
    }
    let mut uses = vec![0; nodes.len()];
    uses[root] += 1;
    for node in &nodes {
        for child in children(node) {
            uses[child] += 1;
        }
    }
    Ok(Graph {
        nodes,
        root,
        min_sizes,
        uses,
    })
}

fn children(node: &Node) -> Vec<NodeId> {
    match node {
        Node::Array(item) | Node::Map(item) => vec![*item],
        Node::Union(branches) => branches.clone(),
        Node::Record(record) => record.fields.iter().map(|field| field.node).collect(),
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    names: HashMap<String, NodeId>,
}

impl Builder {
    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn define(&mut self, name: &str, node: Node) -> Result<NodeId, SchemaError> {
        let id = self.push(node);
        match self.names.insert(name.to_owned(), id) {
            None => Ok(id),
            Some(_) => Err(SchemaError(format!("the type {name} is defined twice"))),
        }
    }

    // serde_json limits the nesting of the text, and with it this recursion, to 128 levels.
    fn node(&mut self, parsed: &Parsed) -> Result<NodeId, SchemaError> {
        Ok(match parsed {
            Parsed::Null => self.push(Node::Null),
            Parsed::Boolean => self.push(Node::Boolean),
            Parsed::Int => self.push(Node::Int),
            Parsed::Long => self.push(Node::Long),
            Parsed::Float => self.push(Node::Float),
            Parsed::Double => self.push(Node::Double),
            Parsed::Bytes => self.push(Node::Bytes),
            Parsed::String => self.push(Node::String),
            Parsed::Array(array) => {
                let item = self.node(&array.items)?;
                self.push(Node::Array(item))
            }
            Parsed::Map(map) => {
                let value = self.node(&map.types)?;
                self.push(Node::Map(value))
            }
            Parsed::Union(union) => self.union(union.variants())?,
            Parsed::Record(record) => self.record(record)?,
            Parsed::Enum(parsed) => {
                let name = parsed.name.fullname(None);
                let node = Node::Enum(Enum {
                    name: name.clone(),
                    aliases: aliases(parsed.aliases.as_deref()),
                    symbols: parsed.symbols.iter().map(|s| s.as_str().into()).collect(),
                    default: parsed.default.clone(),
                });
                if parsed.symbols.is_empty() {
                    return Err(SchemaError(format!("the enum {name} has no symbols")));
                }
                self.define(&name, node)?
            }
            Parsed::Fixed(parsed) => {
                let name = parsed.name.fullname(None);
                if parsed.size > MAX_FIXED {
                    let size = parsed.size;
                    return Err(SchemaError(format!(
                        "the fixed {name} has {size} bytes; at most {MAX_FIXED} are supported"
                    )));
                }
                let node = Node::Fixed(Fixed {
                    name: name.clone(),
                    aliases: aliases(parsed.aliases.as_deref()),
                    size: parsed.size,
                });
                self.define(&name, node)?
            }
            Parsed::Ref { name } => {
                let name = name.fullname(None);
                match self.names.get(&name) {
                    Some(id) => *id,
                    None => return Err(SchemaError(format!("the type {name} is not defined"))),
                }
            }
            other => return Err(SchemaError(format!("the type {other} is not supported"))),
        })
    }

    fn union(&mut self, variants: &[Parsed]) -> Result<NodeId, SchemaError> {
        if variants.is_empty() {
            return Err(SchemaError("a union has no branches".to_owned()));
        }
        let mut branches = Vec::with_capacity(variants.len());
        for variant in variants {
            branches.push(self.node(variant)?);
        }
        Ok(self.push(Node::Union(branches)))
    }

    fn record(
        &mut self,
        parsed: &apache_avro::schema::RecordSchema,
    ) -> Result<NodeId, SchemaError> {
        let name = parsed.name.fullname(None);
        // Defined before its fields are read, because they may refer to it.
        let id = self.define(
            &name,
            Node::Record(Record {
                name: name.clone(),
                aliases: Vec::new(),
                fields: Vec::new(),
                nonempty_fields: Vec::new(),
            }),
        )?;
        let mut fields = Vec::with_capacity(parsed.fields.len());
        for field in &parsed.fields {
            fields.push(RecordField {
                name: field.name.clone(),
                aliases: field.aliases.clone(),
                default: field.default.clone(),
                node: self.node(&field.schema)?,
            });
        }
        self.nodes[id] = Node::Record(Record {
            name,
            aliases: aliases(parsed.aliases.as_deref()),
            fields,
            nonempty_fields: Vec::new(),
        });
        Ok(id)
    }
}

fn aliases(parsed: Option<&[apache_avro::schema::Alias]>) -> Vec<String> {
    let parsed = parsed.unwrap_or_default();
    parsed.iter().map(|alias| alias.fullname(None)).collect()
}
