//! A few wanted fields, read while the whole datum is proven.

use std::sync::Arc;

use super::program::{Program, Wanted};
use super::tree::{Id, Node, Tree};
use super::{Fault, SchemaError, walk};

/// One captured field of a datum, borrowed from its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// `null`, and the null branch of a union.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `int` and `long`.
    Int(i64),
    /// `float` and `double`.
    Double(f64),
    /// `string`, and the symbol of an `enum`.
    Str(&'a str),
    /// `bytes` and `fixed`.
    Bytes(&'a [u8]),
    /// A record, array, map, as the bytes that encode it.
    Complex(&'a [u8]),
}

/// Reads a few named fields while it validates the whole datum; cheap to clone.
///
/// A field of a record in a union (`address.city`, with `address` null in this datum) is [`Field::Null`] where the
/// datum holds another branch.
#[derive(Clone, Debug)]
pub struct Projection {
    program: Arc<Program>,
    /// For a field named again: where it was named first.
    repeats: Vec<(usize, usize)>,
}

impl Projection {
    pub(super) fn new(tree: &Tree, names: &[&str]) -> Result<Self, SchemaError> {
        let mut wanted = Wanted::default();
        let mut repeats = Vec::new();
        for (slot, name) in names.iter().enumerate() {
            find(tree, tree.root, name)?;
            let mut node = &mut wanted;
            for step in name.split('.') {
                node = node.enter(step);
            }
            match node.slot {
                Some(first) => repeats.push((first as usize, slot)),
                None => node.slot = Some(slot as u32),
            }
        }
        let program = Program::compile(tree, &wanted, names.len())?;
        Ok(Self {
            program: Arc::new(program),
            repeats,
        })
    }

    /// How many fields were named.
    pub fn width(&self) -> usize {
        self.program.slots
    }

    /// Validates the whole datum and stores the wanted fields, in the order in which they were named, into
    /// `fields` (cleared first; no allocation once it has grown).
    ///
    /// # Errors
    /// The bytes are not exactly one datum.
    pub fn read<'a>(&'a self, datum: &'a [u8], fields: &mut Vec<Field<'a>>) -> Result<(), Fault> {
        fields.clear();
        fields.resize(self.width(), Field::Null);
        self.read_into(datum, fields)
    }

    /// The same into a slice of [`width`](Self::width) fields, such as an array on the stack.
    ///
    /// # Errors
    /// The bytes are not exactly one datum.
    ///
    /// # Panics
    /// The slice is shorter than the projection is wide.
    pub fn read_into<'a>(&'a self, datum: &'a [u8], fields: &mut [Field<'a>]) -> Result<(), Fault> {
        let fields = &mut fields[..self.width()];
        fields.fill(Field::Null);
        walk::whole(&self.program, datum, fields)?;
        for &(first, again) in &self.repeats {
            fields[again] = fields[first];
        }
        Ok(())
    }
}

impl Wanted {
    fn enter(&mut self, step: &str) -> &mut Wanted {
        let at = match self.fields.iter().position(|(name, _)| name == step) {
            Some(at) => at,
            None => {
                self.fields.push((step.to_owned(), Wanted::default()));
                self.fields.len() - 1
            }
        };
        &mut self.fields[at].1
    }
}

/// Fails unless some record on the way has the field.
fn find(tree: &Tree, root: Id, name: &str) -> Result<(), SchemaError> {
    let mut here = vec![root];
    let mut walked = String::new();
    for step in name.split('.') {
        let records: Vec<_> = here.iter().flat_map(|id| records(tree, *id)).collect();
        here = records
            .iter()
            .flat_map(|record| &record.fields)
            .filter(|field| field.name == step)
            .map(|field| field.node)
            .collect();
        if here.is_empty() {
            let place = match (walked.is_empty(), records.is_empty()) {
                (_, true) => format!("{walked} is no record"),
                (true, _) => format!("it has {}", names(&records)),
                (false, _) => format!("{walked} has {}", names(&records)),
            };
            return Err(SchemaError(format!(
                "the schema {} has no field {name}: {place}",
                tree.name(tree.root)
            )));
        }
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(step);
    }
    Ok(())
}

/// The record itself, or the records among a union's branches.
fn records(tree: &Tree, id: Id) -> Vec<&super::tree::Record> {
    match &tree.nodes[id] {
        Node::Record(record) => vec![record],
        Node::Union(branches) => branches
            .iter()
            .filter_map(|branch| match &tree.nodes[*branch] {
                Node::Record(record) => Some(record),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn names(records: &[&super::tree::Record]) -> String {
    let names: Vec<&str> = records
        .iter()
        .flat_map(|record| &record.fields)
        .map(|field| field.name.as_str())
        .collect();
    names.join(", ")
}
