//! Two schemas → the plan from one to the other, or where they do not fit.

use std::collections::HashMap;
use std::mem::discriminant;

use super::{MAX_LEVELS, Plan, Source, Step};
use crate::json_in;
use crate::tree::{Id, Node, Record, Tree};

pub(super) fn make(writer: &Tree, reader: &Tree) -> Result<Plan, String> {
    let mut planner = Planner {
        writer,
        reader,
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
    writer: &'t Tree,
    reader: &'t Tree,
    steps: Vec<Step>,
    /// By pair of types. Failures too, so that no pair is tried twice.
    known: HashMap<(Id, Id), Result<usize, String>>,
}

impl Planner<'_> {
    fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    fn step(&mut self, from: Id, to: Id, level: usize) -> Result<usize, String> {
        if level > MAX_LEVELS {
            return Err(format!("its types are nested deeper than {MAX_LEVELS}"));
        }
        if let Some(known) = self.known.get(&(from, to)) {
            return known.clone();
        }
        // Known before it is made: a type may hold itself.
        let pending = self.push(Step::Pending);
        self.known.insert((from, to), Ok(pending));
        match self.made(from, to, level) {
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

    fn made(&mut self, from: Id, to: Id, level: usize) -> Result<Step, String> {
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
                self.out_of_union(from, to, steps)?
            }
            (Node::Union(written), _) => {
                let branches = written.iter();
                let steps = branches.map(|branch| self.step(*branch, to, level + 1));
                let steps = steps.collect();
                self.out_of_union(from, to, steps)?
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
            (Node::Bytes, Node::String) => Step::BytesToText,
            (Node::Fixed(written), Node::Fixed(read))
                if written.size == read.size
                    && same_name(&written.name, &read.name, &read.aliases) =>
            {
                Step::Copy(from)
            }
            (Node::Enum(written), Node::Enum(read))
                if same_name(&written.name, &read.name, &read.aliases) =>
            {
                let place = |symbol: &str| read.symbols.iter().position(|known| **known == *symbol);
                let default = read.default.as_deref().and_then(place);
                let places = written.symbols.iter();
                Step::Enum(places.map(|symbol| place(symbol).or(default)).collect())
            }
            (Node::Array(from), Node::Array(to)) => Step::Items {
                keyed: false,
                step: self.step(*from, *to, level + 1)?,
            },
            (Node::Map(from), Node::Map(to)) => Step::Items {
                keyed: true,
                step: self.step(*from, *to, level + 1)?,
            },
            (Node::Record(written), Node::Record(read))
                if same_name(&written.name, &read.name, &read.aliases) =>
            {
                self.record(written, read, level)?
            }
            _ => return Err(self.differ(from, to)),
        })
    }

    /// A writer's union, of which at least one branch has to resolve.
    fn out_of_union(
        &self,
        from: Id,
        to: Id,
        steps: Vec<Result<usize, String>>,
    ) -> Result<Step, String> {
        match steps.iter().any(Result::is_ok) {
            true => Ok(Step::OutOfUnion(steps)),
            false => Err(self.differ(from, to)),
        }
    }

    /// Plans a value that is not a union → a branch of the reader's union `to`: the branch of the same full name; else
    /// the one at `position`; else the first that the value can be resolved into.
    ///
    /// The specification asks for the first branch that matches by unqualified name. Among several of one unqualified
    /// name, that branch may lack fields that the branch of the full name has.
    fn choose(
        &mut self,
        from: Id,
        to: Id,
        branches: &[Id],
        position: Option<usize>,
        level: usize,
    ) -> Result<Step, String> {
        let full_name = self.writer.name(from);
        let is_exact = |id: &Id| self.is_same_type(from, *id) && self.reader.name(*id) == full_name;
        if let Some(index) = branches.iter().position(is_exact).or(position) {
            // No other branch if this one does not resolve: the data is of this type.
            let step = self.step(from, branches[index], level + 1)?;
            return Ok(Step::IntoUnion { index, step });
        }
        // The same type before one that it can be turned into.
        let kind = |tree: &Tree, id: Id| discriminant(&tree.nodes[id]);
        let same = kind(self.writer, from);
        let alike = |planner: &Self, id: Id| kind(planner.reader, id) == same;
        let mut order: Vec<usize> = (0..branches.len()).collect();
        order.sort_by_key(|index| !alike(self, branches[*index]));
        for index in order {
            if let Ok(step) = self.step(from, branches[index], level + 1) {
                return Ok(Step::IntoUnion { index, step });
            }
        }
        Err(self.differ(from, to))
    }

    /// Whether the unions have the same branches in the same order, except for namespaces. Java matches these by
    /// position, if the types inside are the same as well.
    fn is_same_union(&self, written: &[Id], read: &[Id]) -> bool {
        written.len() == read.len()
            && (written.iter().zip(read)).all(|(from, to)| self.is_same_type(*from, *to))
    }

    /// Whether the types match as the specification says, except for promotion, aliases and the types inside.
    fn is_same_type(&self, from: Id, to: Id) -> bool {
        let name = unqualified(self.writer.name(from)) == unqualified(self.reader.name(to));
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
                    let takes = |node: Id| self.writer.least[node] > 0;
                    let at = before.iter().filter(|field| takes(field.node)).count();
                    let solid = takes(written.fields[index].node);
                    Source::Field(solid.then_some(at), step)
                }
                (None, Some(default)) => {
                    let encoded =
                        json_in::default(self.reader, field.node, default).map_err(|misfit| {
                            format!("{}: the default does not fit: {misfit}", field.name)
                        })?;
                    Source::Default(encoded)
                }
                (None, None) => {
                    let name = &field.name;
                    return Err(format!("{name}: it is missing there, and has no default"));
                }
            });
        }
        Ok(Step::Record {
            fields,
            writer: written.solid.clone(),
        })
    }

    fn differ(&self, from: Id, to: Id) -> String {
        let (from, to) = (describe(self.writer, from), describe(self.reader, to));
        format!("it has {from} where {to} is needed")
    }
}

/// By the reader's fields: the index of the writer's field that each is read from.
///
/// The reader's aliases rename the writer's fields, then fields match by name (Avro specification 1.12, "Aliases"). The
/// specification does not say what happens if two fields then have the same name, and Java refuses the schemas. Here an
/// alias is ignored where the writer has a field of the new name that is not renamed itself: a writer's schema with both
/// names stays readable. Of two fields with the same alias the last has it, as in Java.
fn field_sources(written: &Record, read: &Record) -> Vec<Option<usize>> {
    let named = written.fields.iter().map(|field| field.name.as_str());
    let named: HashMap<&str, usize> = named.zip(0..).collect();
    let mut sources = vec![None; read.fields.len()];
    let mut by_own_name = vec![false; read.fields.len()];
    loop {
        let mut renamed = vec![false; written.fields.len()];
        for (index, field) in read.fields.iter().enumerate().rev() {
            if !by_own_name[index] {
                let mut aliased = field.aliases.iter().filter_map(|alias| named.get(&**alias));
                sources[index] = aliased.find(|source| !renamed[**source]).copied();
                if let Some(source) = sources[index] {
                    renamed[source] = true;
                }
            }
        }
        // A field that keeps its name may end a renaming, and then the field that was renamed keeps its name, too.
        let mut changed = false;
        for (index, field) in read.fields.iter().enumerate() {
            if let Some(source) = named.get(field.name.as_str())
                && !renamed[*source]
                && !by_own_name[index]
            {
                sources[index] = Some(*source);
                by_own_name[index] = true;
                changed = true;
            }
        }
        if !changed {
            return sources;
        }
    }
}

fn describe(tree: &Tree, id: Id) -> String {
    match &tree.nodes[id] {
        Node::Union(branches) => {
            let names: Vec<&str> = branches.iter().map(|id| tree.name(*id)).collect();
            format!("a union of {}", names.join(", "))
        }
        Node::Record(record) => format!("the record {}", record.name),
        Node::Enum(symbols) => format!("the enum {}", symbols.name),
        Node::Fixed(fixed) => format!("the fixed {} of {} bytes", fixed.name, fixed.size),
        _ => tree.name(id).to_owned(),
    }
}

fn same_name(written: &str, read: &str, aliases: &[String]) -> bool {
    unqualified(written) == unqualified(read) || aliases.iter().any(|alias| alias == written)
}

fn unqualified(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, name)| name)
}
