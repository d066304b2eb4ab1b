//! Validated datums.

use std::ops::Range;

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
    pub(super) fn single(datum: &'a [u8]) -> Self {
        Self {
            datums: vec![Location::Input(datum)],
            ..Self::default()
        }
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
