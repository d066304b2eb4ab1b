//! Whatever arrived → the raw data in it, proven: all of them, or the reason why none.

use std::ops::Range;

use super::{Fault, Framing, Schema, container, framing};
use runtime::text::hex;

/// What one intake may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes after decompression, all blocks of a container together.
    pub max_decoded: usize,
    /// Records in a container, and blocks without records.
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

/// Why nothing of what arrived is passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not what they claim to be.
    #[error("{}{fault}", place(*block, *record))]
    Broken {
        /// The container's block, from 1.
        block: Option<u64>,
        /// The record in the container, from 1.
        record: Option<u64>,
        /// What is wrong. Its offset counts from the start of the bytes; in a container's record from the start of
        /// the block's content, decompressed.
        fault: Fault,
    },
    /// A single object of another schema, or of another version of it.
    #[error(
        "the datum was written with a schema of fingerprint {}; this one's is {}",
        hex(found),
        hex(expected)
    )]
    UnknownFingerprint {
        /// The header's.
        found: [u8; 8],
        /// The configured schema's.
        expected: [u8; 8],
    },
    /// A container's codec that is none of null, deflate, snappy, zstandard.
    #[error("the container's codec is {0:?}; known are null, deflate, snappy, zstandard")]
    UnsupportedCodec(String),
    /// A container whose writer schema is invalid, or cannot be read as the configured one.
    #[error("{}the container's schema cannot be read as the configured one: {reason}", place(*block, *record))]
    IncompatibleSchema {
        /// The container's block, from 1, if it took a record's content to find out.
        block: Option<u64>,
        /// The record in the container, from 1.
        record: Option<u64>,
        /// What does not fit.
        reason: String,
    },
    /// More than one intake may cost.
    #[error("the container holds more than {limit} {what}")]
    OverLimit {
        /// Of what: "records", "blocks without records", "bytes after decompression".
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl DecodeError {
    pub(super) fn broken(offset: usize, reason: impl Into<String>) -> Self {
        Self::broken_at(None, None, Fault::plain(offset, reason))
    }

    pub(super) fn broken_at(block: Option<u64>, record: Option<u64>, fault: Fault) -> Self {
        Self::Broken {
            block,
            record,
            fault,
        }
    }
}

fn place(block: Option<u64>, record: Option<u64>) -> String {
    match (block, record) {
        (Some(block), Some(record)) => format!("block {block}, record {record}: "),
        (Some(block), None) => format!("block {block}: "),
        _ => String::new(),
    }
}

/// Proven raw data of the configured schema, in the order in which they arrived, borrowed where that is possible.
#[derive(Debug, Default)]
pub struct Data<'a> {
    pub(super) places: Vec<Place<'a>>,
    /// What had to be decompressed or resolved, one datum behind the other.
    pub(super) made: Vec<u8>,
    pub(super) metadata: Vec<(&'a str, &'a [u8])>,
}

/// Where a datum lies.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// In what arrived.
    Arrived(&'a [u8]),
    /// In what was made of it.
    Made(Range<usize>),
}

impl<'a> Data<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none: a container may be empty.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Each datum.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.places.iter().map(|place| match place {
            Place::Arrived(datum) => datum,
            Place::Made(range) => &self.made[range.clone()],
        })
    }

    /// An entry of the container's metadata.
    pub fn metadata(&self, key: &str) -> Option<&'a [u8]> {
        let (_, value) = self.metadata.iter().find(|(known, _)| *known == key)?;
        Some(value)
    }

    fn one(datum: &'a [u8]) -> Self {
        Self {
            places: vec![Place::Arrived(datum)],
            ..Self::default()
        }
    }
}

/// Proves what arrived, and hands on the raw data in it.
///
/// # Errors
/// Any fault anywhere: then nothing is to be passed on.
pub fn decode<'a>(
    schema: &Schema,
    bytes: &'a [u8],
    framing: Framing,
    limits: &Limits,
) -> Result<Data<'a>, DecodeError> {
    let (datum, before) = match framing {
        Framing::Raw => (bytes, 0),
        Framing::SingleObject => (framing::strip(schema, bytes)?, 10),
        Framing::Container => return container::read(schema, bytes, limits),
    };
    match schema.validate(datum) {
        Ok(()) => Ok(Data::one(datum)),
        Err(fault) => {
            let offset = before + fault.offset;
            Err(DecodeError::broken_at(
                None,
                None,
                Fault { offset, ..fault },
            ))
        }
    }
}
