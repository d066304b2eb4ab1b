//! What is wrong with the bytes of a datum.

use std::fmt;

/// What is wrong with the bytes. Small and `Copy`, so that the success path costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The bytes end inside a value of this kind.
    Ends(&'static str),
    /// The bytes end inside a value of this many bytes.
    EndsInside(&'static str, u64),
    /// A number has more bytes than its type allows, or more than 64 bits.
    TooLong(&'static str),
    /// An `int` outside 32 bits.
    IntRange(i64),
    /// A boolean that is neither 0 nor 1.
    Bool(u8),
    /// A negative length.
    NegativeLength(&'static str, i64),
    /// A negative count, where the encoding does not allow one.
    NegativeCount(&'static str, i64),
    /// Text that is not UTF-8; the offset of the first wrong byte.
    Utf8(usize),
    /// A union branch the schema does not have.
    UnionIndex(i64, u32),
    /// An enum symbol the schema does not have.
    EnumIndex(i64, u32),
    /// A block with more items than fit into the remaining bytes.
    Count(u64, usize),
    /// A block whose stated size is not the size of its items.
    BlockSize,
    /// Nesting exceeds the limit.
    Depth(usize),
    /// More zero-length items than the limit.
    ZeroLengthItems(u64),
    /// Bytes after the datum.
    Trailing(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Ends(what) => write!(f, "the datum ends where {what} should be"),
            Reason::EndsInside(what, 1) => write!(f, "the datum ends inside {what} of 1 byte"),
            Reason::EndsInside(what, size) => {
                write!(f, "the datum ends inside {what} of {size} bytes")
            }
            Reason::TooLong(what) => write!(f, "{what} is encoded in too many bytes"),
            Reason::IntRange(value) => write!(f, "{value} does not fit an int of 32 bits"),
            Reason::Bool(byte) => write!(f, "a boolean is 0 or 1, not {byte}"),
            Reason::NegativeLength(what, length) => write!(f, "{what} has the length {length}"),
            Reason::NegativeCount(what, count) => write!(f, "{what} is {count}"),
            Reason::Utf8(_) => f.write_str("text is not UTF-8"),
            Reason::UnionIndex(index, count) => {
                write!(f, "the union has {count} branches, none with index {index}")
            }
            Reason::EnumIndex(index, count) => {
                write!(f, "the enum has {count} symbols, none with index {index}")
            }
            Reason::Count(count, remaining) => write!(
                f,
                "a block of {count} items does not fit into the remaining {remaining} bytes"
            ),
            Reason::BlockSize => f.write_str("a block's stated size is not the size of its items"),
            Reason::Depth(limit) => write!(f, "nested deeper than {limit}"),
            Reason::ZeroLengthItems(limit) => write!(f, "more than {limit} zero-length items"),
            Reason::Trailing(1) => f.write_str("1 byte follows the datum"),
            Reason::Trailing(bytes) => write!(f, "{bytes} bytes follow the datum"),
        }
    }
}
