//! Why a datum cannot be resolved.

use crate::Fault;
use crate::reason::Reason;

/// Why [`Resolution::apply`](crate::Resolution::apply) rejects a datum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveFault {
    /// The bytes are not exactly one datum of the writer's schema.
    #[error(transparent)]
    Malformed(#[from] Fault),
    /// The datum contains a value that the reader's schema does not allow: an enum symbol, a union branch, or bytes that are
    /// not the UTF-8 of a string. Or it is nested too deep to be resolved.
    #[error("{0}")]
    Incompatible(String),
    /// The reader's datum has more bytes than the maximum.
    #[error("the resolved datum has more than {max} bytes")]
    TooLong {
        /// The maximum.
        max: usize,
    },
}

impl From<Reason> for ResolveFault {
    fn from(reason: Reason) -> Self {
        Self::Incompatible(reason.to_string())
    }
}
