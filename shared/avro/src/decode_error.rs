//! Limits of decoding, and why input is rejected.

use runtime::text::hex;

use crate::Fault;

/// Limits of one call of [`decode()`](crate::decode()).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes after decompression, all blocks of a container together.
    pub max_decoded: usize,
    /// The most records in a container, and the most blocks without records.
    pub max_records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_decoded: 16 * 1024 * 1024,
            max_records: 100_000,
        }
    }
}

/// Why the input is rejected as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are malformed.
    #[error("{}{fault}", location(*block, *record))]
    Malformed {
        /// The container's block, from 1.
        block: Option<u64>,
        /// The record in the container, from 1.
        record: Option<u64>,
        /// What is wrong. The offset counts from the start of the input; in a container's record, from the start of
        /// the block's decompressed content.
        fault: Fault,
    },
    /// A single object that was written with another schema.
    #[error(
        "the datum was written with a schema of fingerprint {}; the configured schema has {}",
        hex(found),
        hex(expected)
    )]
    UnknownFingerprint {
        /// The fingerprint in the header.
        found: [u8; 8],
        /// The configured schema's fingerprint.
        expected: [u8; 8],
    },
    /// A container whose codec is not one of [`Codec::ALL`](crate::container::Codec::ALL).
    #[error(
        "the container's codec is {0:?}; supported are null, deflate, bzip2, snappy, xz, zstandard"
    )]
    UnsupportedCodec(String),
    /// A container whose writer schema is invalid, or cannot be resolved to the configured schema.
    #[error("{}the container's schema cannot be resolved to the configured schema: {reason}", location(*block, *record))]
    IncompatibleSchema {
        /// The container's block, from 1, if the schemas are compatible but this record is not.
        block: Option<u64>,
        /// The record in the container, from 1.
        record: Option<u64>,
        /// What does not match.
        reason: String,
    },
    /// The input exceeds one of the [`Limits`].
    #[error("the container holds more than {limit} {what}")]
    OverLimit {
        /// What is limited: "records", "blocks without records" or "bytes after decompression".
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl DecodeError {
    pub(super) fn malformed(offset: usize, reason: impl Into<String>) -> Self {
        Self::malformed_at(None, None, Fault::without_path(offset, reason))
    }

    pub(super) fn malformed_at(block: Option<u64>, record: Option<u64>, fault: Fault) -> Self {
        Self::Malformed {
            block,
            record,
            fault,
        }
    }
}

fn location(block: Option<u64>, record: Option<u64>) -> String {
    match (block, record) {
        (Some(block), Some(record)) => format!("block {block}, record {record}: "),
        (Some(block), None) => format!("block {block}: "),
        _ => String::new(),
    }
}
