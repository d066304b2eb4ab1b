//! A datum of one schema → a datum of another, by Avro's rules of schema resolution.
//!
//! A [`Plan`] is made once for a pair of schemas and says then whether the pair fits at all; applied to data that
//! have been proven, it copies, converts and fills in. Fields match by name, after the configured schema's aliases
//! have renamed the writer's; named types match by their name without namespace, or by alias; a union's branches match
//! by full name first.
//!
//! Source: Avro specification 1.12, "Schema Resolution".

mod apply;
mod plan;

use super::Schema;
use super::tree::Id;
use super::wire::Reason;

/// How to make one schema's data from another's.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    root: usize,
}

#[derive(Debug)]
enum Step {
    /// The bytes of the writer's value, as they are.
    Copy(Id),
    IntToFloat,
    IntToDouble,
    FloatToDouble,
    BytesToText,
    /// By the writer's symbol: the reader's.
    Enum(Vec<Option<usize>>),
    /// An array's items or a map's values.
    Items {
        keyed: bool,
        step: usize,
    },
    /// The reader's fields in order, and the writer's that take any bytes, to skip.
    Record {
        fields: Vec<Source>,
        writer: Vec<Id>,
    },
    /// By the writer's branch.
    OutOfUnion(Vec<Result<usize, String>>),
    /// The reader's branch.
    IntoUnion {
        index: usize,
        step: usize,
    },
    /// A record whose plan is being made.
    Pending,
}

#[derive(Debug)]
enum Source {
    /// The writer's field: its index among those that take any bytes, or none; how to convert it.
    Field(Option<usize>, usize),
    /// The default, encoded.
    Default(Vec<u8>),
}

/// How deep types may lie inside each other, in schemas and in data, to be resolved.
const MAX_LEVELS: usize = 300;

/// Why a datum is not converted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It would be longer than there is room for.
    TooMuch,
    /// It holds what the reader's schema has no place for.
    Misfit(String),
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Refused::Misfit(reason.to_string())
    }
}

impl Plan {
    /// Plans it.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub(super) fn new(writer: &Schema, reader: &Schema) -> Result<Self, String> {
        plan::make(&writer.0.tree, &reader.0.tree)
    }

    /// Appends the reader's datum, made from a proven datum of the writer. `out` does not grow beyond `most`.
    ///
    /// # Errors
    /// This datum holds what the reader's schema has no place for, or `out` is full.
    pub(super) fn apply(
        &self,
        writer: &Schema,
        datum: &[u8],
        out: &mut Vec<u8>,
        most: usize,
    ) -> Result<(), Refused> {
        apply::run(self, &writer.0.tree, datum, out, most)
    }
}
