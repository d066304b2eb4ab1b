//! A container file → the proven data in it.

use std::mem::take;

use super::codec::Refusal;
use super::{CODEC_KEY, Codec, SCHEMA_KEY, Sync};
use crate::decode::{Data, DecodeError, Limits, Place};
use crate::framing::CONTAINER_MAGIC;
use crate::resolve::{Plan, Refused};
use crate::wire::{Cursor, Reason};
use crate::{Fault, Schema, walk};

/// What a container's header says.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    /// The writer's schema, as JSON text.
    pub schema: &'a str,
    /// How blocks are compressed.
    pub codec: Codec,
    /// All metadata entries, in order.
    pub metadata: Vec<(&'a str, &'a [u8])>,
    sync: &'a Sync,
}

/// Reads a container's header.
///
/// # Errors
/// No header, or a codec that is not known.
pub fn header(bytes: &[u8]) -> Result<Header<'_>, DecodeError> {
    read_header(&mut Cursor::new(bytes))
}

/// Proves every record of a file, and hands them on in the configured schema.
///
/// Written with the same schema (by canonical form), they pass as they are. With another one they are proven with
/// that one first, then resolved into the configured one.
pub(crate) fn read<'a>(
    schema: &Schema,
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Data<'a>, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let header = read_header(&mut cursor)?;
    let written = Written::with(header.schema, schema)?;
    let mut taken = Taken {
        written,
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
    while cursor.left() > 0 {
        block += 1;
        let (count, stored) = next_block(&mut cursor, header.sync, block)?;
        // They cost time as well.
        empty += usize::from(count == 0);
        if empty > limits.max_records {
            return Err(DecodeError::OverLimit {
                what: "blocks without records",
                limit: limits.max_records,
            });
        }
        taken.block(block, count, stored, header.codec)?;
    }
    Ok(taken.data)
}

/// How the records were written.
enum Written<'s> {
    /// With the configured schema.
    Alike(&'s Schema),
    /// With another one, from which the configured one can be had.
    Otherwise(Schema, Plan),
}

impl<'s> Written<'s> {
    fn with(text: &str, configured: &'s Schema) -> Result<Self, DecodeError> {
        if text == configured.json() {
            return Ok(Self::Alike(configured));
        }
        let incompatible = |reason: String| DecodeError::IncompatibleSchema {
            block: None,
            record: None,
            reason: brief(&reason),
        };
        let writer = Schema::parse_writer(text).map_err(|error| incompatible(error.0))?;
        if writer.canonical_form() == configured.canonical_form() {
            return Ok(Self::Alike(configured));
        }
        let plan = Plan::new(&writer, configured).map_err(incompatible)?;
        Ok(Self::Otherwise(writer, plan))
    }
}

struct Taken<'s, 'a> {
    written: Written<'s>,
    limits: &'s Limits,
    /// Bytes after decompression so far, and records.
    decoded: usize,
    records: u64,
    /// Room for one block's content, used again for the next.
    content: Vec<u8>,
    /// The same for its records as they are resolved.
    resolved: Vec<u8>,
    data: Data<'a>,
}

impl<'a> Taken<'_, 'a> {
    fn block(
        &mut self,
        block: u64,
        count: u64,
        stored: &'a [u8],
        codec: Codec,
    ) -> Result<(), DecodeError> {
        let room = self.limits.max_records - self.data.places.len();
        if count > room as u64 {
            return Err(DecodeError::OverLimit {
                what: "records",
                limit: self.limits.max_records,
            });
        }
        let (mut room, mut resolved) = (take(&mut self.content), take(&mut self.resolved));
        resolved.clear();
        let content = codec
            .expand(stored, self.limits.max_decoded - self.decoded, &mut room)
            .map_err(|refusal| match refusal {
                Refusal::TooMuch => self.too_much(),
                Refusal::Broken(reason) => {
                    DecodeError::broken_at(Some(block), None, Fault::plain(0, reason))
                }
            })?;
        self.decoded += content.len();
        let base = self.data.made.len();
        let mut cursor = Cursor::new(content);
        for _ in 0..count {
            self.records += 1;
            let start = cursor.pos;
            let place = match self.record(block, &mut cursor, &mut resolved)? {
                Some(range) => Place::Made(base + range.start..base + range.end),
                None if codec == Codec::Null => {
                    Place::Arrived(stored.get(start..cursor.pos).unwrap_or_default())
                }
                None => Place::Made(base + start..base + cursor.pos),
            };
            self.data.places.push(place);
        }
        if cursor.left() > 0 {
            let reason = Reason::LeftOver(cursor.left()).to_string();
            let reason = format!("{reason} after the block's {count} records");
            return Err(DecodeError::broken_at(
                Some(block),
                None,
                Fault::plain(cursor.pos, reason),
            ));
        }
        match self.written {
            Written::Alike(_) if codec == Codec::Null => {}
            Written::Alike(_) => self.keep(&mut room),
            Written::Otherwise(..) => {
                self.decoded += resolved.len();
                self.keep(&mut resolved);
            }
        }
        (self.content, self.resolved) = (room, resolved);
        Ok(())
    }

    /// Keeps what was made. That of a file's first block, often the only one, is not copied.
    fn keep(&mut self, made: &mut Vec<u8>) {
        if self.data.made.is_empty() {
            std::mem::swap(&mut self.data.made, made);
        } else {
            self.data.made.append(made);
        }
    }

    /// Proves one record; resolved, it is at the end of `resolved`, and this says where.
    fn record(
        &self,
        block: u64,
        cursor: &mut Cursor<'_>,
        resolved: &mut Vec<u8>,
    ) -> Result<Option<std::ops::Range<usize>>, DecodeError> {
        let record = Some(self.records);
        let start = cursor.pos;
        let (program, plan) = match &self.written {
            Written::Alike(schema) => (&schema.0.program, None),
            Written::Otherwise(writer, plan) => (&writer.0.program, Some((writer, plan))),
        };
        cursor.pos = walk::pass(program, cursor.bytes, start).map_err(|fault| {
            let path = brief(&fault.path);
            DecodeError::broken_at(Some(block), record, Fault { path, ..fault })
        })?;
        let Some((writer, plan)) = plan else {
            return Ok(None);
        };
        let from = resolved.len();
        let datum = &cursor.bytes[start..cursor.pos];
        // Defaults make records longer: the bound holds for what is handed on, too.
        let most = self.limits.max_decoded - self.decoded;
        match plan.apply(writer, datum, resolved, most) {
            Ok(()) => Ok(Some(from..resolved.len())),
            Err(Refused::TooMuch) => Err(self.too_much()),
            Err(Refused::Misfit(reason)) => Err(DecodeError::IncompatibleSchema {
                block: Some(block),
                record,
                reason: brief(&reason),
            }),
        }
    }

    fn too_much(&self) -> DecodeError {
        DecodeError::OverLimit {
            what: "bytes after decompression",
            limit: self.limits.max_decoded,
        }
    }
}

/// A reason in which the writer's schema has its say, fit for an answer and a log line: that schema may be as long as the
/// body, and its names may hold anything.
fn brief(reason: &str) -> String {
    const MOST: usize = 400;
    let mut letters = reason.chars();
    let harmless = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut brief: String = letters.by_ref().take(MOST).map(harmless).collect();
    if letters.next().is_some() {
        brief.push('…');
    }
    brief
}

fn read_header<'a>(cursor: &mut Cursor<'a>) -> Result<Header<'a>, DecodeError> {
    let bytes = cursor.bytes;
    if !bytes.starts_with(&CONTAINER_MAGIC) {
        return Err(DecodeError::broken(
            0,
            "the bytes do not begin as a container file does",
        ));
    }
    cursor.pos = CONTAINER_MAGIC.len();
    let mut start = cursor.pos;
    let (metadata, sync) =
        metadata(cursor, &mut start).map_err(|reason| of_file(start, None, reason))?;
    let entry = |key: &str| {
        let found = metadata.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| *value)
    };
    let Some(schema) = entry(SCHEMA_KEY) else {
        return Err(DecodeError::broken(
            start,
            format!("the header has no {SCHEMA_KEY}"),
        ));
    };
    let Ok(schema) = std::str::from_utf8(schema) else {
        return Err(DecodeError::broken(
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

/// The metadata map and the sync marker. `start` is where the part begins that is being read.
fn metadata<'a>(
    cursor: &mut Cursor<'a>,
    start: &mut usize,
) -> Result<(Metadata<'a>, &'a Sync), Reason> {
    let mut metadata: Metadata<'a> = Vec::new();
    loop {
        *start = cursor.pos;
        // A key and a value take at least a byte each, their lengths.
        let (count, end) = cursor.block(2)?;
        for _ in 0..count {
            *start = cursor.pos;
            let key = cursor.text()?;
            metadata.push((key, cursor.sized("a metadata value")?));
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

fn sync_marker<'a>(cursor: &mut Cursor<'a>) -> Result<&'a Sync, Reason> {
    const WHAT: &str = "a sync marker";
    let bytes = cursor.take(16, WHAT)?;
    bytes.first_chunk().ok_or(Reason::EndsInside(WHAT, 16))
}

/// The next block: how many records, and its content as it is stored.
fn next_block<'a>(
    cursor: &mut Cursor<'a>,
    sync: &Sync,
    block: u64,
) -> Result<(u64, &'a [u8]), DecodeError> {
    let start = cursor.pos;
    let mut parts = || {
        let count = cursor.long("a block's count")?;
        let count = u64::try_from(count)
            .map_err(|_| Reason::NegativeCount("a block's count of records", count))?;
        let stored = cursor.sized("a block")?;
        Ok((count, stored, cursor.pos, sync_marker(cursor)?))
    };
    let (count, stored, end, found) =
        parts().map_err(|reason| of_file(start, Some(block), reason))?;
    if found != sync {
        return Err(DecodeError::broken_at(
            Some(block),
            None,
            Fault::plain(end, "the block does not end with the file's sync marker"),
        ));
    }
    Ok((count, stored))
}

fn of_file(offset: usize, block: Option<u64>, reason: Reason) -> DecodeError {
    let offset = match reason {
        Reason::Utf8(at) => at,
        _ => offset,
    };
    let reason = reason.to_string().replacen("the datum", "the file", 1);
    DecodeError::broken_at(block, None, Fault::plain(offset, reason))
}
