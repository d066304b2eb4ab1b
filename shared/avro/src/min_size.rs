//! Lower bounds of the encoded size of types.

use crate::SchemaError;
use crate::graph::{Node, NodeId};

/// By node: a lower bound of the encoded size in bytes.
///
/// The size of a record depends on the records that its fields contain directly, so records are visited in topological
/// order. Records that remain contain themselves.
///
/// # Errors
/// A record contains itself directly, so that every datum would be infinite.
pub(super) fn of_nodes(nodes: &[Node]) -> Result<Vec<usize>, SchemaError> {
    let mut sizes: Vec<usize> = nodes.iter().map(without_fields).collect();
    let mut parents: Vec<Vec<NodeId>> = vec![Vec::new(); nodes.len()];
    // How many of the records that a record contains directly have no size yet.
    let mut unvisited = vec![0_usize; nodes.len()];
    let mut ready = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        let Node::Record(record) = node else { continue };
        for field in &record.fields {
            if matches!(nodes[field.node], Node::Record(_)) {
                parents[field.node].push(id);
                unvisited[id] += 1;
            }
        }
        if unvisited[id] == 0 {
            ready.push(id);
        }
    }
    while let Some(id) = ready.pop() {
        if let Node::Record(record) = &nodes[id] {
            sizes[id] = record
                .fields
                .iter()
                .fold(0, |sum, field| sum.saturating_add(sizes[field.node]));
        }
        for &parent in &parents[id] {
            unvisited[parent] -= 1;
            if unvisited[parent] == 0 {
                ready.push(parent);
            }
        }
    }
    let infinite = nodes.iter().zip(&unvisited).find(|(_, count)| **count > 0);
    if let Some((Node::Record(record), _)) = infinite {
        let name = &record.name;
        return Err(SchemaError(format!(
            "the record {name} contains itself directly, so that it has no finite datum"
        )));
    }
    Ok(sizes)
}

fn without_fields(node: &Node) -> usize {
    match node {
        Node::Null | Node::Record(_) => 0,
        Node::Float => 4,
        Node::Double => 8,
        Node::Fixed(fixed) => fixed.size,
        // A union has an index; the others have a length, count or number.
        _ => 1,
    }
}
