//! A read-only view of a schema's types.

use crate::LogicalType;
use crate::graph::{Graph, Node, NodeId};

/// One type of a [`Schema`](crate::Schema).
///
/// ```
/// use avro::{Schema, SchemaType};
///
/// let schema = Schema::parse(r#"{"type":"array","items":"int"}"#)?;
/// let SchemaType::Array(items) = schema.root().kind() else { unreachable!() };
/// assert!(matches!(items.kind(), SchemaType::Int));
/// # Ok::<(), avro::SchemaError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SchemaNode<'s> {
    graph: &'s Graph,
    id: NodeId,
}

/// What a type is. A type with a logical type is reported as its underlying type.
#[derive(Clone, Debug)]
pub enum SchemaType<'s> {
    /// `null`.
    Null,
    /// `boolean`.
    Boolean,
    /// `int`.
    Int,
    /// `long`.
    Long,
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// `bytes`.
    Bytes,
    /// `string`.
    String,
    /// An array of these items.
    Array(SchemaNode<'s>),
    /// A map of these values.
    Map(SchemaNode<'s>),
    /// The branches, in order.
    Union(Vec<SchemaNode<'s>>),
    /// The fields with their names, in order.
    Record(Vec<(&'s str, SchemaNode<'s>)>),
    /// The symbols, in order.
    Enum(Vec<&'s str>),
    /// A fixed of this many bytes.
    Fixed(usize),
}

impl<'s> SchemaNode<'s> {
    pub(super) fn new(graph: &'s Graph, id: NodeId) -> Self {
        Self { graph, id }
    }

    /// A number that identifies the type within its schema. All references to a named type have the same id, so that
    /// a caller can detect recursion.
    pub fn id(&self) -> usize {
        self.id
    }

    /// The type's logical type, if it has a valid one.
    pub fn logical_type(&self) -> Option<LogicalType> {
        self.graph.logical_types[self.id]
    }

    /// The type's definition.
    pub fn kind(&self) -> SchemaType<'s> {
        let node = |id: &NodeId| Self::new(self.graph, *id);
        match &self.graph.nodes[self.id] {
            Node::Null => SchemaType::Null,
            Node::Boolean => SchemaType::Boolean,
            Node::Int => SchemaType::Int,
            Node::Long => SchemaType::Long,
            Node::Float => SchemaType::Float,
            Node::Double => SchemaType::Double,
            Node::Bytes => SchemaType::Bytes,
            Node::String => SchemaType::String,
            Node::Array(items) => SchemaType::Array(node(items)),
            Node::Map(values) => SchemaType::Map(node(values)),
            Node::Union(branches) => SchemaType::Union(branches.iter().map(node).collect()),
            Node::Record(record) => {
                let fields = record.fields.iter();
                SchemaType::Record(
                    fields
                        .map(|field| (field.name.as_str(), node(&field.node)))
                        .collect(),
                )
            }
            Node::Enum(symbols) => {
                SchemaType::Enum(symbols.symbols.iter().map(AsRef::as_ref).collect())
            }
            Node::Fixed(fixed) => SchemaType::Fixed(fixed.size),
        }
    }
}
