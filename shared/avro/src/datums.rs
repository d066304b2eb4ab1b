//! Validated datums.

use std::ops::Range;

use crate::{Mismatch, Schema};

/// Validated raw datums of the configured schema, in input order. They borrow from the input where possible.
#[derive(Debug, Default)]
pub struct Data<'a> {
    pub(super) datums: Vec<Location<'a>>,
    /// Datums that were decompressed or resolved, concatenated.
    pub(super) buffer: Vec<u8>,
    pub(super) metadata: Vec<(&'a str, &'a [u8])>,
}

/// Where a datum is stored.
#[derive(Debug)]
pub(super) enum Location<'a> {
    /// In the input.
    Input(&'a [u8]),
    /// In [`Data::buffer`].
    Buffer(Range<usize>),
}

impl<'a> Data<'a> {
    /// One datum that the caller has validated.
    pub fn single(datum: &'a [u8]) -> Self {
        Self {
            datums: vec![Location::Input(datum)],
            ..Self::default()
        }
    }

    /// One datum that the caller has validated, for example with [`Resolution::apply`](crate::Resolution::apply).
    pub fn resolved(datum: Vec<u8>) -> Self {
        Self {
            datums: vec![Location::Buffer(0..datum.len())],
            buffer: datum,
            metadata: Vec::new(),
        }
    }

    /// Encodes a JSON value as the next datum.
    ///
    /// # Errors
    /// The value does not fit the schema.
    pub fn push_json(
        &mut self,
        schema: &Schema,
        value: &serde_json::Value,
    ) -> Result<(), Mismatch> {
        let start = self.buffer.len();
        self.buffer.extend(schema.from_json(value)?);
        self.datums.push(Location::Buffer(start..self.buffer.len()));
        Ok(())
    }

    /// The size of the datums that were decompressed, resolved or encoded, in bytes.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The number of datums.
    pub fn len(&self) -> usize {
        self.datums.len()
    }

    /// True for a container without records.
    pub fn is_empty(&self) -> bool {
        self.datums.is_empty()
    }

    /// The datums, in input order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.datums.iter().map(|location| match location {
            Location::Input(datum) => datum,
            Location::Buffer(range) => &self.buffer[range.clone()],
        })
    }

    /// An entry of the container's metadata.
    pub fn metadata(&self, key: &str) -> Option<&'a [u8]> {
        let (_, value) = self.metadata.iter().find(|(known, _)| *known == key)?;
        Some(value)
    }
}
