//! Reads the records of a container file.

use std::mem::take;

use super::codec::{Codec, CodecError};
use super::header::{SyncMarker, malformed_file, read_header, sync_marker};
use crate::binary::Cursor;
use crate::datums::Location;
use crate::reason::Reason;
use crate::{Data, DecodeError, Fault, Limits, Resolution, ResolveFault, Schema, SchemaError};

/// Reads and validates the records of a container file, in the configured schema.
///
/// Records are validated with the writer's schema. Unless their resolution is an identity, they are then resolved to the
/// configured schema.
pub(crate) fn read<'a>(
    schema: &Schema,
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Data<'a>, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let header = read_header(&mut cursor)?;
    let resolution =
        resolution(header.schema, schema).map_err(|error| DecodeError::IncompatibleSchema {
            block: None,
            record: None,
            reason: printable(&error.0),
        })?;
    let mut reader = BlockReader {
        resolution,
        limits,
        decoded: 0,
        records: 0,
        content: Vec::new(),
        resolved: Vec::new(),
        data: Data {
            metadata: header.metadata,
            ..Data::default()
        },
    };
    let (mut block, mut empty) = (0, 0);
    while cursor.remaining() > 0 {
        block += 1;
        let (count, stored) = next_block(&mut cursor, header.sync, block)?;
        // Empty blocks are limited because they take time, too.
        empty += usize::from(count == 0);
        if empty > limits.max_records {
            return Err(DecodeError::OverLimit {
                what: "blocks without records",
                limit: limits.max_records,
            });
        }
        reader.block(block, count, stored, header.codec)?;
    }
    Ok(reader.data)
}

/// Resolves the writer's schema to the configured schema.
fn resolution(text: &str, configured: &Schema) -> Result<Resolution, SchemaError> {
    let parsed;
    let writer = match text == configured.json() {
        true => configured,
        false => {
            parsed = Schema::parse_writer(text)?;
            &parsed
        }
    };
    Resolution::new(writer, configured)
}

/// Reads the blocks of a file, one after another.
struct BlockReader<'s, 'a> {
    resolution: Resolution,
    limits: &'s Limits,
    /// The bytes after decompression so far.
    decoded: usize,
    /// The records so far.
    records: u64,
    /// Memory for a block's content, reused for each block.
    content: Vec<u8>,
    /// Memory for a block's resolved records, reused for each block.
    resolved: Vec<u8>,
    data: Data<'a>,
}

impl<'a> BlockReader<'_, 'a> {
    fn block(
        &mut self,
        block: u64,
        count: u64,
        stored: &'a [u8],
        codec: Codec,
    ) -> Result<(), DecodeError> {
        let allowed = self.limits.max_records - self.data.datums.len();
        if count > allowed as u64 {
            return Err(DecodeError::OverLimit {
                what: "records",
                limit: self.limits.max_records,
            });
        }
        let (mut buffer, mut resolved) = (take(&mut self.content), take(&mut self.resolved));
        resolved.clear();
        let content = codec
            .decompress(stored, self.limits.max_decoded - self.decoded, &mut buffer)
            .map_err(|error| match error {
                CodecError::TooLong => self.too_long(),
                CodecError::Malformed(reason) => {
                    DecodeError::malformed_at(Some(block), None, Fault::without_path(0, reason))
                }
            })?;
        self.decoded += content.len();
        let base = self.data.buffer.len();
        let mut cursor = Cursor::new(content);
        for _ in 0..count {
            self.records += 1;
            let start = cursor.pos;
            let location = match self.record(block, &mut cursor, &mut resolved)? {
                Some(range) => Location::Buffer(base + range.start..base + range.end),
                None if codec == Codec::Null => {
                    Location::Input(stored.get(start..cursor.pos).unwrap_or_default())
                }
                None => Location::Buffer(base + start..base + cursor.pos),
            };
            self.data.datums.push(location);
        }
        if cursor.remaining() > 0 {
            let reason = match cursor.remaining() {
                1 => format!("1 byte follows the block's {count} records"),
                bytes => format!("{bytes} bytes follow the block's {count} records"),
            };
            return Err(DecodeError::malformed_at(
                Some(block),
                None,
                Fault::without_path(cursor.pos, reason),
            ));
        }
        if !self.resolution.is_identity() {
            self.decoded += resolved.len();
            self.append(&mut resolved);
        } else if codec != Codec::Null {
            self.append(&mut buffer);
        }
        (self.content, self.resolved) = (buffer, resolved);
        Ok(())
    }

    /// Appends decompressed or resolved records. Those of the first block, often the only one, are not copied.
    fn append(&mut self, datums: &mut Vec<u8>) {
        if self.data.buffer.is_empty() {
            std::mem::swap(&mut self.data.buffer, datums);
        } else {
            self.data.buffer.append(datums);
        }
    }

    /// Validates one record. If it has to be resolved, appends it to `resolved` and returns its range there.
    fn record(
        &self,
        block: u64,
        cursor: &mut Cursor<'_>,
        resolved: &mut Vec<u8>,
    ) -> Result<Option<std::ops::Range<usize>>, DecodeError> {
        let record = Some(self.records);
        let start = cursor.pos;
        let malformed = |fault: Fault| {
            let path = printable(&fault.path);
            DecodeError::malformed_at(Some(block), record, Fault { path, ..fault })
        };
        let validated = self.resolution.validate_prefix(cursor.bytes, start);
        cursor.pos = validated.map_err(malformed)?;
        if self.resolution.is_identity() {
            return Ok(None);
        }
        let from = resolved.len();
        let datum = &cursor.bytes[start..cursor.pos];
        // Defaults make records longer, so the limit applies to resolved records, too.
        let max = self.limits.max_decoded - self.decoded;
        match self.resolution.append(datum, resolved, max) {
            Ok(()) => Ok(Some(from..resolved.len())),
            Err(ResolveFault::TooLong { .. }) => Err(self.too_long()),
            Err(ResolveFault::Malformed(fault)) => Err(malformed(fault)),
            Err(ResolveFault::Incompatible(reason)) => Err(DecodeError::IncompatibleSchema {
                block: Some(block),
                record,
                reason: printable(&reason),
            }),
        }
    }

    fn too_long(&self) -> DecodeError {
        DecodeError::OverLimit {
            what: "bytes after decompression",
            limit: self.limits.max_decoded,
        }
    }
}

/// Shortens a text that may quote the writer's schema, and replaces control characters: the schema may be as long as the
/// input, and its names may contain any character.
fn printable(reason: &str) -> String {
    const MAX: usize = 400;
    let mut letters = reason.chars();
    let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut short: String = letters.by_ref().take(MAX).map(printable).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short
}

/// Reads the next block: the number of records, and the compressed content.
fn next_block<'a>(
    cursor: &mut Cursor<'a>,
    sync: &SyncMarker,
    block: u64,
) -> Result<(u64, &'a [u8]), DecodeError> {
    let start = cursor.pos;
    let mut parts = || {
        let count = cursor.long("a block's count")?;
        let count = u64::try_from(count)
            .map_err(|_| Reason::NegativeCount("a block's count of records", count))?;
        let stored = cursor.bytes("a block")?;
        Ok((count, stored, cursor.pos, sync_marker(cursor)?))
    };
    let (count, stored, end, found) =
        parts().map_err(|reason| malformed_file(start, Some(block), reason))?;
    if found != sync {
        return Err(DecodeError::malformed_at(
            Some(block),
            None,
            Fault::without_path(end, "the block does not end with the file's sync marker"),
        ));
    }
    Ok((count, stored))
}
