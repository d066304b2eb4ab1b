//! The program that validates datums of a schema.
//!
//! A schema is compiled to instructions, so that validation needs no recursion and no look-ups in the schema.

/// One instruction: validates the next value and skips it. The `Capture` instructions also store it in a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    /// A fixed of this many bytes.
    Fixed(u32),
    /// An enum of this many symbols.
    Enum(u32),
    /// A union of `count` branches. Their addresses are in [`Program::targets`], from `first` on.
    Union {
        first: u32,
        count: u32,
    },
    /// An array or map whose items have at least `min_size` bytes. The instructions for one item follow, up to
    /// [`Op::Next`]; `end` is the address behind them.
    Blocks {
        min_size: u32,
        end: u32,
    },
    /// The key of a map's next entry.
    Key,
    /// The end of an item.
    Next,
    /// An array of zero-length items.
    ZeroLengthItems,
    Jump(u32),
    /// A record that occurs in several places.
    Call(u32),
    Return,
    Halt,
    CaptureBoolean(u32),
    CaptureInt(u32),
    CaptureLong(u32),
    CaptureFloat(u32),
    CaptureDouble(u32),
    CaptureBytes(u32),
    CaptureString(u32),
    CaptureFixed {
        slot: u32,
        size: u32,
    },
    /// `symbols` is an index into [`Program::symbols`].
    CaptureEnum {
        slot: u32,
        symbols: u32,
    },
    /// The start and the end of a complex value.
    CaptureStart(u32),
    CaptureEnd(u32),
}

/// The compiled program of a schema, with or without a projection.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) targets: Vec<u32>,
    pub(super) symbols: Vec<Vec<Box<str>>>,
    /// By instruction: the path of its field, relative to the innermost item or called record.
    pub(super) paths: Vec<Box<str>>,
    /// How many slots the program fills.
    pub(super) slots: usize,
}

/// Which fields to keep, as a graph of names.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) slot: Option<u32>,
    pub(super) fields: Vec<(String, Selection)>,
}

impl Selection {
    /// The selection inside the field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&Selection> {
        let (_, selection) = self.fields.iter().find(|(known, _)| known == name)?;
        Some(selection)
    }
}
