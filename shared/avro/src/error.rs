//! Errors of schemas and datums.

/// A schema is not valid Avro or exceeds a limit.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(pub String);

/// Why bytes are not exactly one datum of a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}{}", if path.is_empty() { String::new() } else { format!(", in field {path}") })]
pub struct Fault {
    /// The offset in the datum, from 0.
    pub offset: usize,
    /// The field, for example `address.lines[2]`. Empty for the datum itself.
    pub path: String,
    /// What is wrong, as a phrase: "the datum ends inside a string of 12 bytes".
    pub reason: String,
}

impl Fault {
    /// A fault outside any field.
    pub(super) fn without_path(offset: usize, reason: impl Into<String>) -> Self {
        Self {
            offset,
            path: String::new(),
            reason: reason.into(),
        }
    }
}
