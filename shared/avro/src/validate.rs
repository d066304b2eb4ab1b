//! Validates a datum with the program of its schema.
//!
//! The program runs with an explicit stack instead of recursion, and borrows values instead of copying them. Nothing is
//! allocated once the stack has grown. A count or length in the bytes is compared with the remaining bytes before it is
//! used.

use std::fmt::Write;

use crate::binary::Cursor;
use crate::program::{Op, Program};
use crate::reason::Reason;
use crate::stack::{Frame, Stack};
use crate::{Fault, Field};

/// The maximum number of zero-length array items in one datum, over all arrays.
pub const MAX_ZERO_LENGTH_ITEMS: u64 = 65_536;

/// Validates that the bytes are exactly one datum, and captures the fields of the program.
pub(super) fn datum<'a>(
    program: &'a Program,
    bytes: &'a [u8],
    fields: &mut [Field<'a>],
) -> Result<(), Fault> {
    let end = run_from(program, bytes, 0, fields)?;
    if end == bytes.len() {
        return Ok(());
    }
    let reason = Reason::Trailing(bytes.len() - end).to_string();
    Err(Fault::without_path(end, reason))
}

/// Validates one datum that begins at `start`. Returns the offset of its end.
// Not inlined into its caller, where the loop would have fewer registers (6 % slower on large records).
#[inline(never)]
pub(super) fn prefix(program: &Program, bytes: &[u8], start: usize) -> Result<usize, Fault> {
    run_from(program, bytes, start, &mut [])
}

#[inline(always)]
fn run_from<'a>(
    program: &'a Program,
    bytes: &'a [u8],
    pos: usize,
    fields: &mut [Field<'a>],
) -> Result<usize, Fault> {
    let mut stack = Stack::new();
    let mut cursor = Cursor { bytes, pos };
    let (mut pc, mut start) = (0, pos);
    match run(
        program,
        &mut cursor,
        &mut pc,
        &mut start,
        &mut stack,
        fields,
    ) {
        Ok(()) => Ok(cursor.pos),
        Err(reason) => Err(fault(program, bytes, start, pc - 1, &stack.frames, reason)),
    }
}

// For the error: `pc` is the address behind the current instruction, `start` the offset of its value.
#[inline(always)]
fn run<'a>(
    program: &'a Program,
    cursor: &mut Cursor<'a>,
    pc: &mut usize,
    start: &mut usize,
    stack: &mut Stack,
    fields: &mut [Field<'a>],
) -> Result<(), Reason> {
    let mut zero_length_items = 0;
    loop {
        let op = program.ops[*pc];
        *pc += 1;
        *start = cursor.pos;
        match op {
            Op::Boolean => {
                cursor.boolean()?;
            }
            Op::Int => {
                cursor.int("an int")?;
            }
            Op::Long => {
                cursor.long("a long")?;
            }
            Op::Float => {
                cursor.take(4, "a float")?;
            }
            Op::Double => {
                cursor.take(8, "a double")?;
            }
            Op::Bytes => {
                cursor.bytes("bytes")?;
            }
            Op::String => cursor.skip_string()?,
            Op::Fixed(size) => {
                cursor.take(size as usize, "a fixed")?;
            }
            Op::Enum(count) => {
                enum_index(cursor, count)?;
            }
            Op::Union { first, count } => {
                let index = cursor.int("a union's index")?;
                match u32::try_from(index) {
                    Ok(index) if index < count => {
                        *pc = program.targets[(first + index) as usize] as usize;
                    }
                    _ => return Err(Reason::UnionIndex(i64::from(index), count)),
                }
            }
            Op::Blocks { min_size, end } => {
                let (remaining, block_end) = cursor.block(min_size as usize)?;
                if remaining == 0 {
                    empty_block(cursor, block_end)?;
                    *pc = end as usize;
                } else {
                    stack.push(Frame {
                        at: *pc as u32 - 1,
                        remaining,
                        end: block_end,
                        index: 0,
                        key: (0, 0),
                    })?;
                }
            }
            Op::Key => {
                cursor.skip_string()?;
                if let Some(frame) = stack.frames.last_mut() {
                    frame.key = (*start, cursor.pos);
                }
            }
            Op::Next => {
                let Some(frame) = stack.frames.last_mut() else {
                    continue;
                };
                frame.index += 1;
                frame.remaining -= 1;
                frame.key = (0, 0);
                let Op::Blocks { min_size, end } = program.ops[frame.at as usize] else {
                    continue;
                };
                if frame.remaining == 0 {
                    if let Some(block_end) = frame.end
                        && block_end != cursor.pos
                    {
                        return Err(Reason::BlockSize);
                    }
                    (frame.remaining, frame.end) = cursor.block(min_size as usize)?;
                    if frame.remaining == 0 {
                        empty_block(cursor, frame.end)?;
                        stack.frames.pop();
                        *pc = end as usize;
                        continue;
                    }
                }
                *pc = frame.at as usize + 1;
            }
            Op::ZeroLengthItems => loop {
                let (count, end) = cursor.block(0)?;
                empty_block(cursor, end)?;
                if count == 0 {
                    break;
                }
                if count > MAX_ZERO_LENGTH_ITEMS - zero_length_items {
                    return Err(Reason::ZeroLengthItems(MAX_ZERO_LENGTH_ITEMS));
                }
                zero_length_items += count;
            },
            Op::Jump(to) => *pc = to as usize,
            Op::Call(to) => {
                stack.push(Frame {
                    at: *pc as u32 - 1,
                    remaining: 0,
                    end: None,
                    index: 0,
                    key: (0, 0),
                })?;
                *pc = to as usize;
            }
            Op::Return => {
                if let Some(frame) = stack.frames.pop() {
                    *pc = frame.at as usize + 1;
                }
            }
            Op::Halt => return Ok(()),
            Op::CaptureBoolean(slot) => fields[slot as usize] = Field::Bool(cursor.boolean()?),
            Op::CaptureInt(slot) => {
                fields[slot as usize] = Field::Int(i64::from(cursor.int("an int")?));
            }
            Op::CaptureLong(slot) => fields[slot as usize] = Field::Int(cursor.long("a long")?),
            Op::CaptureFloat(slot) => {
                let bytes = cursor.take(4, "a float")?;
                let value = bytes.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b));
                fields[slot as usize] = Field::Double(f64::from(value));
            }
            Op::CaptureDouble(slot) => {
                let bytes = cursor.take(8, "a double")?;
                let value = bytes.first_chunk().map_or(0.0, |b| f64::from_le_bytes(*b));
                fields[slot as usize] = Field::Double(value);
            }
            Op::CaptureBytes(slot) => fields[slot as usize] = Field::Bytes(cursor.bytes("bytes")?),
            Op::CaptureString(slot) => fields[slot as usize] = Field::Str(cursor.string()?),
            Op::CaptureFixed { slot, size } => {
                fields[slot as usize] = Field::Bytes(cursor.take(size as usize, "a fixed")?);
            }
            Op::CaptureEnum { slot, symbols } => {
                let symbols = &program.symbols[symbols as usize];
                let index = enum_index(cursor, symbols.len() as u32)?;
                fields[slot as usize] = Field::Str(&symbols[index]);
            }
            Op::CaptureStart(slot) => {
                // Up to the end of the datum; `CaptureEnd` shortens it.
                fields[slot as usize] = Field::Complex(&cursor.bytes[cursor.pos..]);
            }
            Op::CaptureEnd(slot) => {
                if let Field::Complex(from) = &mut fields[slot as usize] {
                    *from = &from[..from.len() - cursor.remaining()];
                }
            }
        }
    }
}

#[inline(always)]
fn enum_index(cursor: &mut Cursor<'_>, count: u32) -> Result<usize, Reason> {
    let index = cursor.int("an enum's symbol")?;
    match u32::try_from(index) {
        Ok(index) if index < count => Ok(index as usize),
        _ => Err(Reason::EnumIndex(i64::from(index), count)),
    }
}

/// If a block without items states its size, the size must be 0.
#[inline(always)]
fn empty_block(cursor: &Cursor<'_>, end: Option<usize>) -> Result<(), Reason> {
    match end {
        Some(end) if end != cursor.pos => Err(Reason::BlockSize),
        _ => Ok(()),
    }
}

#[cold]
fn fault(
    program: &Program,
    bytes: &[u8],
    start: usize,
    pc: usize,
    stack: &[Frame],
    reason: Reason,
) -> Fault {
    let mut path = String::new();
    for frame in stack {
        let at = frame.at as usize;
        append(&mut path, &program.paths[at]);
        if matches!(program.ops[at], Op::Blocks { .. }) {
            index(&mut path, bytes, frame);
        }
    }
    append(&mut path, &program.paths[pc]);
    let offset = match reason {
        Reason::Utf8(at) => at,
        _ => start,
    };
    let reason = reason.to_string();
    Fault {
        offset,
        path,
        reason,
    }
}

fn append(path: &mut String, segment: &str) {
    if !path.is_empty() && !segment.is_empty() {
        path.push('.');
    }
    path.push_str(segment);
}

/// Appends `["key"]` for an entry whose key is known, otherwise `[2]`.
fn index(path: &mut String, bytes: &[u8], frame: &Frame) {
    let (from, to) = frame.key;
    let key = bytes.get(from..to).unwrap_or_default();
    let written = match Cursor::new(key).string() {
        Ok(key) if from < to => {
            let short: String = key.chars().take(40).collect();
            write!(path, "[{short:?}]")
        }
        _ => write!(path, "[{}]", frame.index),
    };
    // Writing to a String does not fail.
    written.unwrap_or_default();
}
