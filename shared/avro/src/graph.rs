//! The types of a schema, as a graph of numbered nodes.
//!
//! Every named type occurs once; a reference to it is its number. A reference to a primitive type is a node of its own, which
//! may have a logical type.

use serde_json::Value;

use crate::LogicalType;

/// The index of a node in [`Graph::nodes`].
pub(super) type NodeId = usize;

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
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
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
    /// The types of the fields whose encoding can have bytes.
    pub(super) nonempty_fields: Vec<NodeId>,
}

/// A field of a record type.
#[derive(Clone, Debug)]
pub(super) struct RecordField {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) default: Option<Value>,
    pub(super) node: NodeId,
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

/// All types of a schema.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    /// By node: its logical type.
    pub(super) logical_types: Vec<Option<LogicalType>>,
    /// By node: a lower bound of the encoded size in bytes. It is 0 only for types whose encoding is always empty.
    pub(super) min_sizes: Vec<usize>,
    /// By node: how many fields, items, values and branches refer to it.
    pub(super) uses: Vec<u32>,
}

impl Node {
    /// The name of a type, as in union branches: the full name of a named type, otherwise the kind.
    pub(super) fn name(&self) -> &str {
        match self {
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

impl Graph {
    /// [`Node::name`] of a type.
    pub(super) fn name(&self, id: NodeId) -> &str {
        self.nodes[id].name()
    }
}
