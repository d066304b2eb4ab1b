//! The value of one field of a datum.

/// The value of one field, borrowed from the datum.
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
    /// A record, array or map, as its encoding.
    Complex(&'a [u8]),
}
