//! Plans the resolution of two schemas.

use std::collections::HashMap;
use std::mem::discriminant;

use super::field_sources::field_sources;
use super::steps::{FieldSource, MAX_LEVELS, Plan, Step};
use super::type_renames::TypeRenames;
use crate::graph::{Graph, Node, NodeId, Record};
use crate::json;
use crate::names::unqualified;

/// Plans how to convert the writer's datums to the reader's schema.
///
/// # Errors
/// The schemas are incompatible: which type, and where.
pub(super) fn plan(writer: &Graph, reader: &Graph) -> Result<Plan, String> {
    let mut planner = Planner {
        writer,
        reader,
        renames: TypeRenames::of(reader),
        steps: Vec::new(),
        known: HashMap::new(),
    };
    let root = planner.step(writer.root, reader.root, 0)?;
    Ok(Plan {
        steps: planner.steps,
        root,
    })
}

struct Planner<'t> {
    writer: &'t Graph,
    reader: &'t Graph,
    renames: TypeRenames<'t>,
    steps: Vec<Step>,
    /// The step for each pair of types, or why they are incompatible, so that each pair is planned once.
    known: HashMap<(NodeId, NodeId), Result<usize, String>>,
}

impl Planner<'_> {
    /// The full name of the writer's type after the reader's aliases have renamed it.
    fn written_name(&self, from: NodeId) -> &str {
        self.renames.apply(self.writer.name(from))
    }

    /// Whether the unqualified names of the types are equal.
    fn is_same_name(&self, from: NodeId, to: NodeId) -> bool {
        unqualified(self.written_name(from)) == unqualified(self.reader.name(to))
    }

    fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    fn step(&mut self, from: NodeId, to: NodeId, level: usize) -> Result<usize, String> {
        if level > MAX_LEVELS {
            return Err(format!("its types are nested deeper than {MAX_LEVELS}"));
        }
        if let Some(known) = self.known.get(&(from, to)) {
            return known.clone();
        }
        // Known before it is planned, because a type may contain itself.
        let pending = self.push(Step::Pending);
        self.known.insert((from, to), Ok(pending));
        match self.plan_step(from, to, level) {
            Ok(step) => {
                self.steps[pending] = step;
                Ok(pending)
            }
            Err(reason) => {
                self.known.insert((from, to), Err(reason.clone()));
                Err(reason)
            }
        }
    }

    fn plan_step(&mut self, from: NodeId, to: NodeId, level: usize) -> Result<Step, String> {
        let (writer, reader) = (self.writer, self.reader);
        Ok(match (&writer.nodes[from], &reader.nodes[to]) {
            (Node::Union(written), Node::Union(read)) => {
                let same_union = self.is_same_union(written, read);
                let mut steps = Vec::with_capacity(written.len());
                for (position, branch) in written.iter().enumerate() {
                    let position = same_union.then_some(position);
                    let step = self.choose(*branch, to, read, position, level + 1);
                    steps.push(step.map(|step| self.push(step)));
                }
                self.union_step(from, to, steps)?
            }
            (Node::Union(written), _) => {
                let branches = written.iter();
                let steps = branches.map(|branch| self.step(*branch, to, level + 1));
                let steps = steps.collect();
                self.union_step(from, to, steps)?
            }
            (_, Node::Union(branches)) => self.choose(from, to, branches, None, level)?,
            (Node::Null, Node::Null)
            | (Node::Boolean, Node::Boolean)
            | (Node::Int, Node::Int | Node::Long)
            | (Node::Long, Node::Long)
            | (Node::Float, Node::Float)
            | (Node::Double, Node::Double)
            | (Node::String | Node::Bytes, Node::Bytes)
            | (Node::String, Node::String) => Step::Copy(from),
            (Node::Int | Node::Long, Node::Float) => Step::IntToFloat,
            (Node::Int | Node::Long, Node::Double) => Step::IntToDouble,
            (Node::Float, Node::Double) => Step::FloatToDouble,
            (Node::Bytes, Node::String) => Step::BytesToString,
            (Node::Fixed(written), Node::Fixed(read))
                if written.size == read.size && self.is_same_name(from, to) =>
            {
                Step::Copy(from)
            }
            (Node::Enum(written), Node::Enum(read)) if self.is_same_name(from, to) => {
                let position =
                    |symbol: &str| read.symbols.iter().position(|known| **known == *symbol);
                let default = read.default.as_deref().and_then(position);
                let symbols = written.symbols.iter();
                Step::Enum(symbols.map(|symbol| position(symbol).or(default)).collect())
            }
            (Node::Array(from), Node::Array(to)) => Step::Items {
                keyed: false,
                step: self.step(*from, *to, level + 1)?,
            },
            (Node::Map(from), Node::Map(to)) => Step::Items {
                keyed: true,
                step: self.step(*from, *to, level + 1)?,
            },
            (Node::Record(written), Node::Record(read)) if self.is_same_name(from, to) => {
                self.record(written, read, level)?
            }
            _ => return Err(self.incompatible(from, to)),
        })
    }

    /// A union of the writer. At least one branch must be compatible.
    fn union_step(
        &self,
        from: NodeId,
        to: NodeId,
        steps: Vec<Result<usize, String>>,
    ) -> Result<Step, String> {
        match steps.iter().any(Result::is_ok) {
            true => Ok(Step::FromUnion(steps)),
            false => Err(self.incompatible(from, to)),
        }
    }

    /// Plans the conversion of a value that is not a union to a branch of the reader's union `to`: the branch of the same
    /// full name; otherwise the one at `position`; otherwise the first compatible branch.
    ///
    /// The specification requires the first branch that matches by unqualified name. If several have the same unqualified
    /// name, that branch may lack fields that the branch of the full name has.
    fn choose(
        &mut self,
        from: NodeId,
        to: NodeId,
        branches: &[NodeId],
        position: Option<usize>,
        level: usize,
    ) -> Result<Step, String> {
        let full_name = self.written_name(from);
        let is_exact =
            |id: &NodeId| self.is_same_type(from, *id) && self.reader.name(*id) == full_name;
        if let Some(index) = branches.iter().position(is_exact).or(position) {
            // If this branch is incompatible, no other is tried, because the value is of this type.
            let step = self.step(from, branches[index], level + 1)?;
            return Ok(Step::ToUnion { index, step });
        }
        // Prefer a branch of the same kind to one that needs a promotion.
        let kind = |graph: &Graph, id: NodeId| discriminant(&graph.nodes[id]);
        let own_kind = kind(self.writer, from);
        let is_same_kind = |planner: &Self, id: NodeId| kind(planner.reader, id) == own_kind;
        let mut order: Vec<usize> = (0..branches.len()).collect();
        order.sort_by_key(|index| !is_same_kind(self, branches[*index]));
        for index in order {
            if let Ok(step) = self.step(from, branches[index], level + 1) {
                return Ok(Step::ToUnion { index, step });
            }
        }
        Err(self.incompatible(from, to))
    }

    /// Whether the unions have the same branches in the same order, apart from namespaces. Java matches such branches by
    /// position if the types inside are the same as well.
    fn is_same_union(&self, written: &[NodeId], read: &[NodeId]) -> bool {
        written.len() == read.len()
            && (written.iter().zip(read)).all(|(from, to)| self.is_same_type(*from, *to))
    }

    /// Whether the types match by the specification's rules, without promotion and the types inside.
    fn is_same_type(&self, from: NodeId, to: NodeId) -> bool {
        let name = self.is_same_name(from, to);
        match (&self.writer.nodes[from], &self.reader.nodes[to]) {
            (Node::Fixed(written), Node::Fixed(read)) => name && written.size == read.size,
            (written, read) => name && discriminant(written) == discriminant(read),
        }
    }

    fn record(&mut self, written: &Record, read: &Record, level: usize) -> Result<Step, String> {
        let mut fields = Vec::with_capacity(read.fields.len());
        for (field, source) in read.fields.iter().zip(field_sources(written, read)) {
            fields.push(match (source, &field.default) {
                (Some(index), _) => {
                    let step = self
                        .step(written.fields[index].node, field.node, level + 1)
                        .map_err(|reason| format!("{}: {reason}", field.name))?;
                    let before = &written.fields[..index];
                    let has_bytes = |node: NodeId| self.writer.min_sizes[node] > 0;
                    let at = before.iter().filter(|field| has_bytes(field.node)).count();
                    let is_nonempty = has_bytes(written.fields[index].node);
                    FieldSource::Field(is_nonempty.then_some(at), step)
                }
                (None, Some(default)) => {
                    let encoded =
                        json::default_value(self.reader, field.node, default).map_err(|mismatch| {
                            format!("{}: the default does not fit: {mismatch}", field.name)
                        })?;
                    FieldSource::Default(encoded)
                }
                (None, None) => {
                    let name = &field.name;
                    return Err(format!("{name}: the writer's schema has no such field, and the configured schema has no default for it"));
                }
            });
        }
        Ok(Step::Record {
            fields,
            writer: written.nonempty_fields.clone(),
        })
    }

    fn incompatible(&self, from: NodeId, to: NodeId) -> String {
        let differs_in_name = !self.is_same_name(from, to)
            && match (&self.writer.nodes[from], &self.reader.nodes[to]) {
                (Node::Record(_), Node::Record(_)) | (Node::Enum(_), Node::Enum(_)) => true,
                (Node::Fixed(written), Node::Fixed(read)) => written.size == read.size,
                _ => false,
            };
        let remedy = match differs_in_name {
            true => format!(" without the alias {:?}", self.writer.name(from)),
            false => String::new(),
        };
        let (from, to) = (describe(self.writer, from), describe(self.reader, to));
        format!("{from} cannot be read as {to}{remedy}")
    }
}

fn describe(graph: &Graph, id: NodeId) -> String {
    match &graph.nodes[id] {
        Node::Union(branches) => {
            let names: Vec<&str> = branches.iter().map(|id| graph.name(*id)).collect();
            format!("a union of {}", names.join(", "))
        }
        Node::Record(record) => format!("the record {}", record.name),
        Node::Enum(symbols) => format!("the enum {}", symbols.name),
        Node::Fixed(fixed) => format!("the fixed {} of {} bytes", fixed.name, fixed.size),
        _ => graph.name(id).to_owned(),
    }
}
