//! The header of a container file.

use super::codec::Codec;
use crate::binary::Cursor;
use crate::framing::CONTAINER_MAGIC;
use crate::reason::Reason;
use crate::{DecodeError, Fault};

/// The metadata key of the writer's schema.
pub(super) const SCHEMA_KEY: &str = "avro.schema";

/// The metadata key of the codec. Without it the codec is null.
pub(super) const CODEC_KEY: &str = "avro.codec";

/// The bytes at the end of the header and of each block, the same throughout a file.
pub type SyncMarker = [u8; 16];

/// The header of a container file.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    /// The writer's schema as JSON text.
    pub schema: &'a str,
    /// The codec of the blocks.
    pub codec: Codec,
    /// All metadata entries, in order.
    pub metadata: Vec<(&'a str, &'a [u8])>,
    pub(super) sync: &'a SyncMarker,
}

/// Reads the header of a container file.
///
/// # Errors
/// The header is malformed, or the codec is not supported.
pub fn header(bytes: &[u8]) -> Result<Header<'_>, DecodeError> {
    read_header(&mut Cursor::new(bytes))
}

/// Reads the header, and leaves the cursor at the first block.
pub(super) fn read_header<'a>(cursor: &mut Cursor<'a>) -> Result<Header<'a>, DecodeError> {
    let bytes = cursor.bytes;
    if !bytes.starts_with(&CONTAINER_MAGIC) {
        return Err(DecodeError::malformed(
            0,
            "the bytes do not begin with a container file's magic",
        ));
    }
    cursor.pos = CONTAINER_MAGIC.len();
    let mut start = cursor.pos;
    let (metadata, sync) =
        metadata(cursor, &mut start).map_err(|reason| malformed_file(start, None, reason))?;
    let entry = |key: &str| {
        let found = metadata.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| *value)
    };
    let Some(schema) = entry(SCHEMA_KEY) else {
        return Err(DecodeError::malformed(
            start,
            format!("the header has no {SCHEMA_KEY}"),
        ));
    };
    let Ok(schema) = std::str::from_utf8(schema) else {
        return Err(DecodeError::malformed(
            start,
            format!("the header's {SCHEMA_KEY} is not UTF-8"),
        ));
    };
    let codec = match entry(CODEC_KEY) {
        None => Codec::Null,
        Some(name) => {
            let name = String::from_utf8_lossy(name);
            match Codec::named(&name) {
                Some(codec) => codec,
                None => {
                    let short: String = name.chars().take(40).collect();
                    return Err(DecodeError::UnsupportedCodec(short));
                }
            }
        }
    };
    Ok(Header {
        schema,
        codec,
        metadata,
        sync,
    })
}

type Metadata<'a> = Vec<(&'a str, &'a [u8])>;

/// Reads the metadata map and the sync marker. For errors, `start` is set to the offset of the current part.
fn metadata<'a>(
    cursor: &mut Cursor<'a>,
    start: &mut usize,
) -> Result<(Metadata<'a>, &'a SyncMarker), Reason> {
    let mut metadata: Metadata<'a> = Vec::new();
    loop {
        *start = cursor.pos;
        // A key and a value have at least one byte each, their lengths.
        let (count, end) = cursor.block(2)?;
        for _ in 0..count {
            *start = cursor.pos;
            let key = cursor.string()?;
            metadata.push((key, cursor.bytes("a metadata value")?));
        }
        if end.is_some_and(|end| end != cursor.pos) {
            return Err(Reason::BlockSize);
        }
        if count == 0 {
            break;
        }
    }
    *start = cursor.pos;
    Ok((metadata, sync_marker(cursor)?))
}

/// Reads a sync marker.
pub(super) fn sync_marker<'a>(cursor: &mut Cursor<'a>) -> Result<&'a SyncMarker, Reason> {
    const WHAT: &str = "a sync marker";
    let bytes = cursor.take(16, WHAT)?;
    bytes.first_chunk().ok_or(Reason::EndsInside(WHAT, 16))
}

/// An error in the structure of the file, outside the records.
pub(super) fn malformed_file(offset: usize, block: Option<u64>, reason: Reason) -> DecodeError {
    let offset = match reason {
        Reason::Utf8(at) => at,
        _ => offset,
    };
    let reason = reason.to_string().replacen("the datum", "the file", 1);
    DecodeError::malformed_at(block, None, Fault::without_path(offset, reason))
}
