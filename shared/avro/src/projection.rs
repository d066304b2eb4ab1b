//! Reads named fields of a datum while it is validated.

use std::sync::Arc;

use crate::graph::{Graph, Node, NodeId, Record};
use crate::program::{Program, Selection};
use crate::{Fault, Field, SchemaError, compile, validate};

/// Validates a datum and reads the named fields; cheap to clone.
///
/// A field of a record in a union is [`Field::Null`] if the datum has another branch: `address.city` is null if `address`
/// is null.
#[derive(Clone, Debug)]
pub struct Projection {
    program: Arc<Program>,
    /// Fields that are named repeatedly: the first position and the other position.
    repeats: Vec<(usize, usize)>,
}

impl Projection {
    pub(super) fn new(graph: &Graph, names: &[&str]) -> Result<Self, SchemaError> {
        let mut selection = Selection::default();
        let mut repeats = Vec::new();
        for (slot, name) in names.iter().enumerate() {
            check_field(graph, name)?;
            let mut node = &mut selection;
            for step in name.split('.') {
                node = node.enter(step);
            }
            match node.slot {
                Some(first) => repeats.push((first as usize, slot)),
                None => node.slot = Some(slot as u32),
            }
        }
        let program = compile::program(graph, &selection, names.len())?;
        Ok(Self {
            program: Arc::new(program),
            repeats,
        })
    }

    /// The number of named fields.
    pub fn width(&self) -> usize {
        self.program.slots
    }

    /// Validates the datum, and replaces the content of `fields` with the named fields, in the order of their names. Does
    /// not allocate if `fields` has the capacity.
    ///
    /// # Errors
    /// The bytes are not exactly one datum.
    pub fn read<'a>(&'a self, datum: &'a [u8], fields: &mut Vec<Field<'a>>) -> Result<(), Fault> {
        fields.clear();
        fields.resize(self.width(), Field::Null);
        self.read_into(datum, fields)
    }

    /// The same for a slice of at least [`width`](Self::width) fields.
    ///
    /// # Errors
    /// The bytes are not exactly one datum.
    ///
    /// # Panics
    /// The slice is shorter than [`width`](Self::width).
    pub fn read_into<'a>(&'a self, datum: &'a [u8], fields: &mut [Field<'a>]) -> Result<(), Fault> {
        let fields = &mut fields[..self.width()];
        fields.fill(Field::Null);
        validate::datum(&self.program, datum, fields)?;
        for &(first, again) in &self.repeats {
            fields[again] = fields[first];
        }
        Ok(())
    }
}

impl Selection {
    fn enter(&mut self, step: &str) -> &mut Selection {
        let at = match self.fields.iter().position(|(name, _)| name == step) {
            Some(at) => at,
            None => {
                self.fields.push((step.to_owned(), Selection::default()));
                self.fields.len() - 1
            }
        };
        &mut self.fields[at].1
    }
}

/// Checks that the field exists.
fn check_field(graph: &Graph, name: &str) -> Result<(), SchemaError> {
    let mut nodes = vec![graph.root];
    let mut path = String::new();
    for step in name.split('.') {
        let records: Vec<_> = nodes.iter().flat_map(|id| records(graph, *id)).collect();
        nodes = records
            .iter()
            .flat_map(|record| &record.fields)
            .filter(|field| field.name == step)
            .map(|field| field.node)
            .collect();
        if nodes.is_empty() {
            let place = match (path.is_empty(), records.is_empty()) {
                (true, true) => "it is not a record".to_owned(),
                (false, true) => format!("{path} is not a record"),
                (true, false) => format!("it has {}", names(&records)),
                (false, false) => format!("{path} has {}", names(&records)),
            };
            return Err(SchemaError(format!(
                "the schema {} has no field {name}: {place}",
                graph.name(graph.root)
            )));
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(step);
    }
    Ok(())
}

/// The record itself, or the records among a union's branches.
fn records(graph: &Graph, id: NodeId) -> Vec<&Record> {
    match &graph.nodes[id] {
        Node::Record(record) => vec![record],
        Node::Union(branches) => branches
            .iter()
            .filter_map(|branch| match &graph.nodes[*branch] {
                Node::Record(record) => Some(record),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn names(records: &[&Record]) -> String {
    let names: Vec<&str> = records
        .iter()
        .flat_map(|record| &record.fields)
        .map(|field| field.name.as_str())
        .collect();
    names.join(", ")
}
