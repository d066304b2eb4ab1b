//! Writes container files.

use std::io;

use super::codec::Codec;
use super::header::{CODEC_KEY, SCHEMA_KEY, SyncMarker};
use crate::binary::{put_bytes, put_long};
use crate::framing::CONTAINER_MAGIC;

/// A block ends when its content has at least this many bytes, as in Java's writer.
const BLOCK_SIZE: usize = 64 * 1024;

/// Writes an uncompressed container file. The datums are not validated.
///
/// `schema` is the JSON text of the schema of the datums. `metadata` is added to the header; keys that begin with `avro.` are
/// reserved. `sync` should be random, so that it does not occur in the datums.
pub fn write(
    schema: &str,
    sync: SyncMarker,
    metadata: &[(&str, &[u8])],
    data: &[impl AsRef<[u8]>],
) -> Vec<u8> {
    let content: usize = data.iter().map(|datum| datum.as_ref().len()).sum();
    let mut out = header(schema, Codec::Null, sync, metadata);
    out.reserve(content + content / BLOCK_SIZE * 32 + 64);
    for (count, size, block) in blocks(data) {
        put_long(&mut out, count);
        put_long(&mut out, size as i64);
        for datum in block {
            out.extend_from_slice(datum.as_ref());
        }
        out.extend_from_slice(&sync);
    }
    out
}

/// Writes a container file with a codec, as [`write()`] does without one.
///
/// # Errors
/// The compression fails.
pub fn write_compressed(
    codec: Codec,
    schema: &str,
    sync: SyncMarker,
    metadata: &[(&str, &[u8])],
    data: &[impl AsRef<[u8]>],
) -> io::Result<Vec<u8>> {
    let mut out = header(schema, codec, sync, metadata);
    let mut content = Vec::new();
    for (count, _, block) in blocks(data) {
        content.clear();
        for datum in block {
            content.extend_from_slice(datum.as_ref());
        }
        put_long(&mut out, count);
        put_bytes(&mut out, &codec.compress(&content)?);
        out.extend_from_slice(&sync);
    }
    Ok(out)
}

fn header(schema: &str, codec: Codec, sync: SyncMarker, metadata: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = CONTAINER_MAGIC.to_vec();
    put_long(&mut out, metadata.len() as i64 + 2);
    let own = [
        (SCHEMA_KEY, schema.as_bytes()),
        (CODEC_KEY, codec.name().as_bytes()),
    ];
    for (key, value) in own.iter().chain(metadata) {
        put_bytes(&mut out, key.as_bytes());
        put_bytes(&mut out, value);
    }
    out.push(0);
    out.extend_from_slice(&sync);
    out
}

/// Splits the datums into blocks: the number of datums, their size in bytes, and the datums.
fn blocks<T: AsRef<[u8]>>(data: &[T]) -> impl Iterator<Item = (i64, usize, &[T])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let mut size = 0;
        let full = rest.iter().position(|datum| {
            size += datum.as_ref().len();
            size >= BLOCK_SIZE
        });
        let (block, after) = rest.split_at(full.map_or(rest.len(), |at| at + 1));
        rest = after;
        (!block.is_empty()).then_some((block.len() as i64, size, block))
    })
}
