//! Data → a container file.

use std::io;

use super::{CODEC_KEY, Codec, SCHEMA_KEY, Sync};
use crate::framing::CONTAINER_MAGIC;
use crate::wire::{put_long, put_sized};

/// A block is closed when its content reaches this many bytes, about what Java's writer does.
const BLOCK: usize = 64 * 1024;

/// A file of raw data, uncompressed. The data are taken as they are: whoever has them has proven them.
///
/// `schema` is the JSON text of the schema they were written with; `metadata` goes into the header beside it (keys
/// that begin with `avro.` are Avro's own). `sync` should be random, so that it does not occur in the data.
pub fn write(
    schema: &str,
    sync: Sync,
    metadata: &[(&str, &[u8])],
    data: &[impl AsRef<[u8]>],
) -> Vec<u8> {
    let content: usize = data.iter().map(|datum| datum.as_ref().len()).sum();
    let mut out = header(schema, Codec::Null, sync, metadata);
    out.reserve(content + content / BLOCK * 32 + 64);
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

/// The same with a codec.
///
/// # Errors
/// The compressor fails.
pub fn write_compressed(
    codec: Codec,
    schema: &str,
    sync: Sync,
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
        put_sized(&mut out, &codec.compress(&content)?);
        out.extend_from_slice(&sync);
    }
    Ok(out)
}

fn header(schema: &str, codec: Codec, sync: Sync, metadata: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = CONTAINER_MAGIC.to_vec();
    put_long(&mut out, metadata.len() as i64 + 2);
    let own = [
        (SCHEMA_KEY, schema.as_bytes()),
        (CODEC_KEY, codec.name().as_bytes()),
    ];
    for (key, value) in own.iter().chain(metadata) {
        put_sized(&mut out, key.as_bytes());
        put_sized(&mut out, value);
    }
    out.push(0);
    out.extend_from_slice(&sync);
    out
}

/// The data cut into blocks: how many, how many bytes, and themselves.
fn blocks<T: AsRef<[u8]>>(data: &[T]) -> impl Iterator<Item = (i64, usize, &[T])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let mut size = 0;
        let full = rest.iter().position(|datum| {
            size += datum.as_ref().len();
            size >= BLOCK
        });
        let (block, after) = rest.split_at(full.map_or(rest.len(), |at| at + 1));
        rest = after;
        (!block.is_empty()).then_some((block.len() as i64, size, block))
    })
}
