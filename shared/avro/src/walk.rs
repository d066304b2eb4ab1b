//! The one walk over a datum: is it exactly what the schema says, and what do the wanted fields hold?
//!
//! An explicit stack instead of recursion, borrowed values instead of copies. Nothing is allocated once the stack
//! has grown, and no count or length in the bytes is believed before it has been compared with the bytes left.

use std::cell::Cell;
use std::fmt::Write;

use super::program::{Op, Program};
use super::wire::{Cursor, Reason};
use super::{Fault, Field};

/// How deep arrays, maps and records that occur in several places may nest in one datum.
///
/// Each counts one. The readers downstream set their own: 64 in `serde_avro_fast`, the thread's stack in Java.
pub const MAX_DEPTH: usize = 256;

/// How many array items that take no bytes one datum may hold in all.
pub const MAX_ZERO_LENGTH_ITEMS: u64 = 65_536;

/// Where the walk has to come back to: the caller of a record, or the start of an item.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// The call, or the array or map.
    at: u32,
    /// Items left in this block; of a call, none.
    left: u64,
    /// Where this block says it ends.
    end: Option<usize>,
    /// The item's number, from 0.
    index: u64,
    /// Where the entry's key begins and ends, in a map.
    key: (usize, usize),
}

thread_local! {
    static STACK: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}

/// Proves that the bytes are exactly one datum.
pub(super) fn whole<'a>(
    program: &'a Program,
    bytes: &'a [u8],
    fields: &mut [Field<'a>],
) -> Result<(), Fault> {
    let end = prefix(program, bytes, 0, fields)?;
    if end == bytes.len() {
        return Ok(());
    }
    let reason = Reason::LeftOver(bytes.len() - end).to_string();
    Err(Fault::plain(end, reason))
}

/// Proves one datum from a place in the bytes on, and says where it ends.
pub(super) fn pass(program: &Program, bytes: &[u8], start: usize) -> Result<usize, Fault> {
    prefix(program, bytes, start, &mut [])
}

#[inline(always)]
fn prefix<'a>(
    program: &'a Program,
    bytes: &'a [u8],
    pos: usize,
    fields: &mut [Field<'a>],
) -> Result<usize, Fault> {
    let mut stack = Stack {
        frames: Vec::new(),
        taken: false,
    };
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

/// The stack, fetched from its thread when the first frame is pushed, and brought back.
struct Stack {
    frames: Vec<Frame>,
    taken: bool,
}

impl Stack {
    #[inline]
    fn push(&mut self, frame: Frame) -> Result<(), Reason> {
        if !self.taken {
            self.frames = STACK.take();
            self.taken = true;
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(Reason::Depth(MAX_DEPTH));
        }
        self.frames.push(frame);
        Ok(())
    }
}

impl Drop for Stack {
    #[inline]
    fn drop(&mut self) {
        if self.taken {
            self.frames.clear();
            STACK.set(std::mem::take(&mut self.frames));
        }
    }
}

// `pc` is one past the instruction that runs, `start` the first byte of its value: what an error needs to know.
#[inline(always)]
fn run<'a>(
    program: &'a Program,
    cursor: &mut Cursor<'a>,
    pc: &mut usize,
    start: &mut usize,
    stack: &mut Stack,
    fields: &mut [Field<'a>],
) -> Result<(), Reason> {
    let mut nothings = 0;
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
                cursor.sized("bytes")?;
            }
            Op::String => cursor.skip_text()?,
            Op::Fixed(size) => {
                cursor.take(size as usize, "a fixed")?;
            }
            Op::Enum(of) => {
                enum_index(cursor, of)?;
            }
            Op::Union { first, of } => {
                let index = cursor.int("a union's index")?;
                match u32::try_from(index) {
                    Ok(index) if index < of => {
                        *pc = program.targets[(first + index) as usize] as usize;
                    }
                    _ => return Err(Reason::UnionIndex(i64::from(index), of)),
                }
            }
            Op::Blocks { least, end } => {
                let (left, block_end) = cursor.block(least as usize)?;
                if left == 0 {
                    empty_block(cursor, block_end)?;
                    *pc = end as usize;
                } else {
                    stack.push(Frame {
                        at: *pc as u32 - 1,
                        left,
                        end: block_end,
                        index: 0,
                        key: (0, 0),
                    })?;
                }
            }
            Op::Key => {
                cursor.skip_text()?;
                if let Some(frame) = stack.frames.last_mut() {
                    frame.key = (*start, cursor.pos);
                }
            }
            Op::Next => {
                let Some(frame) = stack.frames.last_mut() else {
                    continue;
                };
                frame.index += 1;
                frame.left -= 1;
                frame.key = (0, 0);
                let Op::Blocks { least, end } = program.ops[frame.at as usize] else {
                    continue;
                };
                if frame.left == 0 {
                    if let Some(block_end) = frame.end
                        && block_end != cursor.pos
                    {
                        return Err(Reason::BlockSize);
                    }
                    (frame.left, frame.end) = cursor.block(least as usize)?;
                    if frame.left == 0 {
                        empty_block(cursor, frame.end)?;
                        stack.frames.pop();
                        *pc = end as usize;
                        continue;
                    }
                }
                *pc = frame.at as usize + 1;
            }
            Op::Nothings => loop {
                let (count, end) = cursor.block(0)?;
                empty_block(cursor, end)?;
                if count == 0 {
                    break;
                }
                if count > MAX_ZERO_LENGTH_ITEMS - nothings {
                    return Err(Reason::Nothings(MAX_ZERO_LENGTH_ITEMS));
                }
                nothings += count;
            },
            Op::Jump(to) => *pc = to as usize,
            Op::Call(to) => {
                stack.push(Frame {
                    at: *pc as u32 - 1,
                    left: 0,
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
            Op::KeepBoolean(slot) => fields[slot as usize] = Field::Bool(cursor.boolean()?),
            Op::KeepInt(slot) => {
                fields[slot as usize] = Field::Int(i64::from(cursor.int("an int")?));
            }
            Op::KeepLong(slot) => fields[slot as usize] = Field::Int(cursor.long("a long")?),
            Op::KeepFloat(slot) => {
                let bytes = cursor.take(4, "a float")?;
                let value = bytes.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b));
                fields[slot as usize] = Field::Double(f64::from(value));
            }
            Op::KeepDouble(slot) => {
                let bytes = cursor.take(8, "a double")?;
                let value = bytes.first_chunk().map_or(0.0, |b| f64::from_le_bytes(*b));
                fields[slot as usize] = Field::Double(value);
            }
            Op::KeepBytes(slot) => fields[slot as usize] = Field::Bytes(cursor.sized("bytes")?),
            Op::KeepString(slot) => fields[slot as usize] = Field::Str(cursor.text()?),
            Op::KeepFixed { slot, size } => {
                fields[slot as usize] = Field::Bytes(cursor.take(size as usize, "a fixed")?);
            }
            Op::KeepEnum { slot, symbols } => {
                let symbols = &program.symbols[symbols as usize];
                let index = enum_index(cursor, symbols.len() as u32)?;
                fields[slot as usize] = Field::Str(&symbols[index]);
            }
            Op::KeepFrom(slot) => {
                // What is left from here on; shortened at its end.
                fields[slot as usize] = Field::Complex(&cursor.bytes[cursor.pos..]);
            }
            Op::KeepTo(slot) => {
                if let Field::Complex(from) = &mut fields[slot as usize] {
                    *from = &from[..from.len() - cursor.left()];
                }
            }
        }
    }
}

#[inline(always)]
fn enum_index(cursor: &mut Cursor<'_>, of: u32) -> Result<usize, Reason> {
    let index = cursor.int("an enum's symbol")?;
    match u32::try_from(index) {
        Ok(index) if index < of => Ok(index as usize),
        _ => Err(Reason::EnumIndex(i64::from(index), of)),
    }
}

/// A block without bytes that still says where it ends says: here.
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

/// `["key"]` of an entry whose key is known, else `[2]`.
fn index(path: &mut String, bytes: &[u8], frame: &Frame) {
    let (from, to) = frame.key;
    let key = bytes.get(from..to).unwrap_or_default();
    let written = match Cursor::new(key).text() {
        Ok(key) if from < to => {
            let short: String = key.chars().take(40).collect();
            write!(path, "[{short:?}]")
        }
        _ => write!(path, "[{}]", frame.index),
    };
    // Writing to a String does not fail.
    written.unwrap_or_default();
}
