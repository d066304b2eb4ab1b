//! Completes the graph of types: sizes and uses.

use crate::graph::{Graph, Node, NodeId};
use crate::{LogicalType, SchemaError, min_size};

/// Builds the graph of parsed types.
///
/// # Errors
/// A record cannot have a finite datum.
pub(super) fn build(
    mut nodes: Vec<Node>,
    logical_types: Vec<Option<LogicalType>>,
    root: NodeId,
) -> Result<Graph, SchemaError> {
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
        logical_types,
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
