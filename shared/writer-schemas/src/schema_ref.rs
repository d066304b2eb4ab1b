//! How a value names its schema.

use std::fmt;

use runtime::text::hex;

/// How a value names the schema that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaRef {
    /// CRC-64-AVRO of the Parsing Canonical Form, in the byte order of the single-object encoding.
    Fingerprint([u8; 8]),
    /// The id in a schema registry.
    Id(u32),
    /// The GUID in a schema registry (Confluent's since 8.0).
    Guid([u8; 16]),
}

impl fmt::Display for SchemaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(fingerprint) => write!(f, "fingerprint {}", hex(fingerprint)),
            Self::Id(id) => write!(f, "id {id}"),
            Self::Guid(guid) => write!(f, "GUID {}", hex(guid)),
        }
    }
}
