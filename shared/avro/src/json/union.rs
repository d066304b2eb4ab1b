//! Which branch of a union a JSON value is encoded as.

use serde_json::{Map, Value};

use super::from_json::{Encoded, Encoder, MAX_VALUES};
use crate::binary::{Cursor, put_long};
use crate::graph::{Graph, Node, NodeId};

/// The index of the branch of a union that a value without a branch name is encoded as. `None` if there is none, if the value is
/// read as one with a branch name, or if `budget` is less than the values that have to be encoded to find out. Reduces `budget`
/// by them.
pub(super) fn branch_of(
    graph: &Graph,
    union: NodeId,
    value: &Value,
    level: usize,
    budget: &mut usize,
) -> Option<usize> {
    let Node::Union(branches) = &graph.nodes[union] else {
        return None;
    };
    let mut encoder = Encoder {
        graph,
        out: Vec::new(),
        values: MAX_VALUES - *budget,
        in_default: false,
    };
    match encoder.named_branch(branches, value) {
        Some((index, inner)) => {
            if encoder.named(index, branches[index], inner, level).is_ok() {
                *budget = MAX_VALUES.saturating_sub(encoder.values);
                // Such a leaf has the same form without a union.
                let leaf = matches!(graph.nodes[branches[index]], Node::Bytes | Node::Fixed(_));
                return leaf.then_some(index);
            }
        }
        None => {
            if let [only] = encoder.order(branches, value)[..] {
                return Some(only);
            }
        }
    }
    let encoded = encoder.union(union, branches, value, level);
    *budget = MAX_VALUES.saturating_sub(encoder.values);
    encoded.ok()?;
    let index = Cursor::new(&encoder.out).int("a union's index").ok()?;
    usize::try_from(index).ok()
}

impl Encoder<'_> {
    pub(super) fn union(
        &mut self,
        id: NodeId,
        branches: &[NodeId],
        value: &Value,
        level: usize,
    ) -> Encoded {
        let mut mismatches = Vec::new();
        if let Some((index, inner)) = self.named_branch(branches, value) {
            match self.named(index, branches[index], inner, level) {
                Ok(()) => return Ok(()),
                Err(mismatch) => {
                    mismatches.push(mismatch.within(&self.branch_step(branches[index])))
                }
            }
        }
        for index in self.order(branches, value) {
            match self.branch(index, branches[index], value, level) {
                Ok(()) => return Ok(()),
                Err(mismatch) => mismatches.push(mismatch),
            }
        }
        // With one candidate, its own mismatch is the most precise. With several, list the branches.
        match mismatches.len() {
            1 => Err(mismatches.remove(0)),
            _ => Err(self.mismatch(id, value)),
        }
    }

    /// The indices of the branches that may accept the value, in the order in which they are tried. A whole number is
    /// tried as `int` and `long` first, unless it is in a default. In a default, a string is tried as `float` and `double`
    /// last, because the specification allows only numbers as their defaults.
    #[inline(never)]
    fn order(&self, branches: &[NodeId], value: &Value) -> Vec<usize> {
        let last = |id: NodeId| match &self.graph.nodes[id] {
            Node::Int | Node::Long => false,
            Node::Float | Node::Double if self.in_default => value.is_string(),
            _ => value.is_i64() && !self.in_default,
        };
        let mut order: Vec<usize> = (0..branches.len())
            .filter(|index| self.may_accept(branches[*index], value))
            .collect();
        order.sort_by_key(|index| last(branches[*index]));
        order
    }

    fn branch(&mut self, index: usize, id: NodeId, value: &Value, level: usize) -> Encoded {
        let start = self.out.len();
        put_long(&mut self.out, index as i64);
        let encoded = self.value(id, value, level + 1);
        if encoded.is_err() {
            self.out.truncate(start);
        }
        encoded
    }

    /// Encodes the value of `{"branch": value}`.
    fn named(&mut self, index: usize, id: NodeId, value: &Value, level: usize) -> Encoded {
        let node = &self.graph.nodes[id];
        let start = self.out.len();
        if matches!(node, Node::Bytes | Node::Fixed(_)) && value.is_string() {
            put_long(&mut self.out, index as i64);
            if self.leaf(node, value).is_some() {
                return Ok(());
            }
            self.out.truncate(start);
        }
        self.branch(index, id, value, level)
    }

    fn branch_step(&self, branch: NodeId) -> String {
        format!("[{:?}]", self.graph.name(branch))
    }

    /// The branch and the value of `{"branch": value}`. `None` if the value does not have this form.
    fn named_branch<'v>(
        &self,
        branches: &[NodeId],
        value: &'v Value,
    ) -> Option<(usize, &'v Value)> {
        let is_one = |object: &&Map<_, _>| object.len() == 1 && !self.in_default;
        let object = value.as_object().filter(is_one)?;
        let (name, inner) = object.iter().next()?;
        let index = branches
            .iter()
            .position(|branch| self.graph.name(*branch) == name)?;
        Some((index, inner))
    }

    /// Whether the type accepts values of this JSON kind.
    fn may_accept(&self, id: NodeId, value: &Value) -> bool {
        let is_logical = self.logical_type(id).is_some();
        match &self.graph.nodes[id] {
            Node::Int | Node::Long if is_logical => value.is_number() || value.is_string(),
            Node::Bytes | Node::Fixed(_) if is_logical => value.is_number() || value.is_string(),
            Node::Null => value.is_null(),
            Node::Boolean => value.is_boolean(),
            Node::Int | Node::Long => value.is_number(),
            Node::Float | Node::Double => value.is_number() || value.is_string(),
            Node::Bytes | Node::String | Node::Fixed(_) | Node::Enum(_) => value.is_string(),
            Node::Array(_) => value.is_array(),
            Node::Map(_) | Node::Record(_) => value.is_object(),
            Node::Union(_) => true,
        }
    }
}
