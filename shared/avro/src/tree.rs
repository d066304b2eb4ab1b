//! A schema as a graph of numbered nodes: every named type once, a reference is its number.
//!
//! What all others work from: the program, the JSON in and out, the canonical form, the resolution of a writer's
//! schema. Logical types are gone by here; they say what a value means, not how it lies in the bytes.

use std::collections::HashMap;

use apache_avro::Schema as Parsed;
use serde_json::Value;

use super::SchemaError;

/// A node's number.
pub(super) type Id = usize;

/// One type.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    Record(Record),
    Enum(Enum),
    Fixed(Fixed),
}

/// A record type.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) fields: Vec<RecordField>,
    /// The types of those fields that take any bytes.
    pub(super) solid: Vec<Id>,
}

/// A field of a record type.
#[derive(Clone, Debug)]
pub(super) struct RecordField {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) default: Option<Value>,
    pub(super) node: Id,
}

/// An enum type.
#[derive(Clone, Debug)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) symbols: Vec<Box<str>>,
    pub(super) default: Option<String>,
}

/// A fixed type.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) size: usize,
}

/// The graph.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
    /// By node: the fewest bytes a value takes, never more than the truth; 0 only if it takes none at all.
    pub(super) least: Vec<usize>,
    /// By node: how many places refer to it.
    pub(super) uses: Vec<u32>,
}

/// The largest `fixed`, as in Java, where a size is an int.
const MAX_FIXED: usize = i32::MAX as usize;

impl Tree {
    /// Numbers the types of a parsed schema.
    ///
    /// # Errors
    /// A type that is unknown, too large, holds itself without end, or twice the same branch in a union.
    pub(super) fn grow(parsed: &Parsed) -> Result<Self, SchemaError> {
        let mut grower = Grower::default();
        let root = grower.node(parsed)?;
        let mut nodes = grower.nodes;
        let least = least_sizes(&nodes)?;
        for node in &mut nodes {
            if let Node::Record(record) = node {
                let types = record.fields.iter().map(|field| field.node);
                record.solid = types.filter(|id| least[*id] > 0).collect();
            }
        }
        let mut uses = vec![0; nodes.len()];
        uses[root] += 1;
        for node in &nodes {
            for child in children(node) {
                uses[child] += 1;
            }
        }
        Ok(Self {
            nodes,
            root,
            least,
            uses,
        })
    }

    /// A type's name as people and union branches say it: the full name of a named type, else the kind.
    pub(super) fn name(&self, id: Id) -> &str {
        match &self.nodes[id] {
            Node::Null => "null",
            Node::Boolean => "boolean",
            Node::Int => "int",
            Node::Long => "long",
            Node::Float => "float",
            Node::Double => "double",
            Node::Bytes => "bytes",
            Node::String => "string",
            Node::Array(_) => "array",
            Node::Map(_) => "map",
            Node::Union(_) => "union",
            Node::Record(record) => &record.name,
            Node::Enum(symbols) => &symbols.name,
            Node::Fixed(fixed) => &fixed.name,
        }
    }
}

fn children(node: &Node) -> Vec<Id> {
    match node {
        Node::Array(item) | Node::Map(item) => vec![*item],
        Node::Union(branches) => branches.clone(),
        Node::Record(record) => record.fields.iter().map(|field| field.node).collect(),
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Grower {
    nodes: Vec<Node>,
    names: HashMap<String, Id>,
}

impl Grower {
    fn push(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn define(&mut self, name: &str, node: Node) -> Result<Id, SchemaError> {
        let id = self.push(node);
        match self.names.insert(name.to_owned(), id) {
            None => Ok(id),
            Some(_) => Err(SchemaError(format!("the type {name} is defined twice"))),
        }
    }

    // As deep as the JSON text is nested, which its parser limits to 128.
    fn node(&mut self, parsed: &Parsed) -> Result<Id, SchemaError> {
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

    fn union(&mut self, variants: &[Parsed]) -> Result<Id, SchemaError> {
        if variants.is_empty() {
            return Err(SchemaError("a union has no branches".to_owned()));
        }
        let mut branches = Vec::with_capacity(variants.len());
        for variant in variants {
            branches.push(self.node(variant)?);
        }
        Ok(self.push(Node::Union(branches)))
    }

    fn record(&mut self, parsed: &apache_avro::schema::RecordSchema) -> Result<Id, SchemaError> {
        let name = parsed.name.fullname(None);
        // Known before its fields are read: they may refer to it.
        let id = self.define(
            &name,
            Node::Record(Record {
                name: name.clone(),
                aliases: Vec::new(),
                fields: Vec::new(),
                solid: Vec::new(),
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
            solid: Vec::new(),
        });
        Ok(id)
    }
}

fn aliases(parsed: Option<&[apache_avro::schema::Alias]>) -> Vec<String> {
    let parsed = parsed.unwrap_or_default();
    parsed.iter().map(|alias| alias.fullname(None)).collect()
}

/// The fewest bytes of every node. A record waits for the records it holds directly; those that wait for ever
/// hold themselves, and no datum of them ends.
fn least_sizes(nodes: &[Node]) -> Result<Vec<usize>, SchemaError> {
    let mut least: Vec<usize> = nodes.iter().map(least_alone).collect();
    let mut holders: Vec<Vec<Id>> = vec![Vec::new(); nodes.len()];
    let mut waits_for = vec![0_usize; nodes.len()];
    let mut ready = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        let Node::Record(record) = node else { continue };
        for field in &record.fields {
            if matches!(nodes[field.node], Node::Record(_)) {
                holders[field.node].push(id);
                waits_for[id] += 1;
            }
        }
        if waits_for[id] == 0 {
            ready.push(id);
        }
    }
    while let Some(id) = ready.pop() {
        if let Node::Record(record) = &nodes[id] {
            least[id] = record
                .fields
                .iter()
                .fold(0, |sum, field| sum.saturating_add(least[field.node]));
        }
        for &holder in &holders[id] {
            waits_for[holder] -= 1;
            if waits_for[holder] == 0 {
                ready.push(holder);
            }
        }
    }
    let endless = nodes.iter().zip(&waits_for).find(|(_, waits)| **waits > 0);
    if let Some((Node::Record(record), _)) = endless {
        let name = &record.name;
        return Err(SchemaError(format!(
            "the record {name} holds itself, so that no datum of it ever ends"
        )));
    }
    Ok(least)
}

fn least_alone(node: &Node) -> usize {
    match node {
        Node::Null | Node::Record(_) => 0,
        Node::Float => 4,
        Node::Double => 8,
        Node::Fixed(fixed) => fixed.size,
        // A union takes its index, the others at least one byte of length, count or number.
        _ => 1,
    }
}
