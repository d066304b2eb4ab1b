//! The steps of a resolution.

use crate::graph::NodeId;

/// The maximum nesting of types in schemas and in datums that are resolved.
pub(super) const MAX_LEVELS: usize = 300;

/// How to convert datums of one schema to another.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The index of the step for the whole datum.
    pub(super) root: usize,
}

/// How to convert one value.
#[derive(Debug)]
pub(super) enum Step {
    /// Copies the bytes of the writer's value.
    Copy(NodeId),
    IntToFloat,
    IntToDouble,
    FloatToDouble,
    BytesToString,
    /// The reader's symbol for each of the writer's.
    Enum(Vec<Option<usize>>),
    /// The items of an array, or the values of a map, which also has keys.
    Items {
        keyed: bool,
        step: usize,
    },
    /// The reader's fields in order, and the types of the writer's fields whose encoding can have bytes.
    Record {
        fields: Vec<FieldSource>,
        writer: Vec<NodeId>,
    },
    /// The step for each of the writer's branches, or why the branch is incompatible.
    FromUnion(Vec<Result<usize, String>>),
    /// Writes the reader's branch.
    ToUnion {
        index: usize,
        step: usize,
    },
    /// A placeholder while the step is planned.
    Pending,
}

/// Where the value of a reader's field comes from.
#[derive(Debug)]
pub(super) enum FieldSource {
    /// The writer's field: its index in [`Step::Record`]'s `writer`, or `None` if its encoding is empty; and its step.
    Field(Option<usize>, usize),
    /// The encoded default.
    Default(Vec<u8>),
}
