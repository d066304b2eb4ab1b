//! How a value names its schema in a registry.

use std::fmt;

use runtime::text::hex;

/// How a value names a schema of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaRef {
    /// The id in a schema registry.
    Id(u32),
    /// The GUID in a schema registry (Confluent's since 8.0).
    Guid([u8; 16]),
}

impl fmt::Display for SchemaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id {id}"),
            Self::Guid(guid) => write!(f, "GUID {}", hex(guid)),
        }
    }
}
