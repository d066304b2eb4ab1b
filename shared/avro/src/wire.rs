//! Avro's atoms on the wire: variable-length zigzag numbers, lengths, text.
//!
//! Everything here reads from a slice that someone else wrote, so nothing trusts a length before it has been
//! compared with what is left. Hands on values, or a [`Reason`]; whoever asked knows where in the datum it was.
//!
//! Source: Avro specification 1.12, "Binary encoding".

use std::fmt;

/// What is wrong with the bytes. Small and `Copy`, so that the walk pays nothing for errors that do not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The bytes end inside a value of this kind.
    Ends(&'static str),
    /// The bytes end inside a value of this many bytes.
    EndsInside(&'static str, u64),
    /// A number takes more bytes than its kind may, or more than 64 bits.
    TooLong(&'static str),
    /// An `int` outside 32 bits.
    IntRange(i64),
    /// A boolean that is neither 0 nor 1.
    Bool(u8),
    /// A length below zero.
    NegativeLength(&'static str, i64),
    /// A count below zero where there is no such thing.
    NegativeCount(&'static str, i64),
    /// Text that is not UTF-8, from this byte on.
    Utf8(usize),
    /// A union branch the schema does not have.
    UnionIndex(i64, u32),
    /// An enum symbol the schema does not have.
    EnumIndex(i64, u32),
    /// More items than can lie in the bytes left.
    Count(u64, usize),
    /// A block whose byte size is not that of its items.
    BlockSize,
    /// Nested beyond the limit.
    Depth(usize),
    /// More items without bytes than the limit.
    Nothings(u64),
    /// Bytes after the datum.
    LeftOver(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Ends(what) => write!(f, "the datum ends where {what} should be"),
            Reason::EndsInside(what, 1) => write!(f, "the datum ends inside {what} of 1 byte"),
            Reason::EndsInside(what, size) => {
                write!(f, "the datum ends inside {what} of {size} bytes")
            }
            Reason::TooLong(what) => write!(f, "{what} is encoded in too many bytes"),
            Reason::IntRange(value) => write!(f, "{value} does not fit an int of 32 bits"),
            Reason::Bool(byte) => write!(f, "a boolean is 0 or 1, not {byte}"),
            Reason::NegativeLength(what, length) => write!(f, "{what} has the length {length}"),
            Reason::NegativeCount(what, count) => write!(f, "{what} is {count}"),
            Reason::Utf8(_) => f.write_str("text is not UTF-8"),
            Reason::UnionIndex(index, of) => {
                write!(f, "the union has {of} branches, none with index {index}")
            }
            Reason::EnumIndex(index, of) => {
                write!(f, "the enum has {of} symbols, none with index {index}")
            }
            Reason::Count(count, left) => write!(
                f,
                "a block of {count} items cannot lie in the {left} bytes left"
            ),
            Reason::BlockSize => f.write_str("a block's byte size is not that of its items"),
            Reason::Depth(limit) => write!(f, "nested deeper than {limit}"),
            Reason::Nothings(limit) => write!(f, "more than {limit} items without bytes"),
            Reason::LeftOver(1) => f.write_str("1 byte is left over"),
            Reason::LeftOver(bytes) => write!(f, "{bytes} bytes are left over"),
        }
    }
}

/// A place in bytes, and how to read on from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0 }
    }

    #[inline(always)]
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.pos
    }

    /// The next bytes, if there are that many.
    #[inline(always)]
    pub(super) fn take(&mut self, size: usize, what: &'static str) -> Result<&'a [u8], Reason> {
        // `pos` never passes the end, so the rest is a slice.
        let rest = &self.bytes[self.pos..];
        let Some(taken) = rest.get(..size) else {
            return Err(Reason::EndsInside(what, size as u64));
        };
        self.pos += size;
        Ok(taken)
    }

    /// Seven bits a byte, low ones first; the top bit says that more follow.
    #[inline(always)]
    fn varint(&mut self, most: usize, what: &'static str) -> Result<u64, Reason> {
        let rest = &self.bytes[self.pos..];
        match rest.first() {
            Some(&first) if first < 0x80 => {
                self.pos += 1;
                return Ok(u64::from(first));
            }
            Some(_) => {}
            None => return Err(Reason::Ends(what)),
        }
        // Up to eight bytes at once: ids are two to five bytes long, and a branch for each would often be guessed
        // wrong.
        if let Some(word) = rest.first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let ends = !word & HIGH_BITS;
            if ends != 0 {
                let size = ends.trailing_zeros() as usize / 8 + 1;
                if size > most {
                    return Err(Reason::TooLong(what));
                }
                self.pos += size;
                return Ok(sevens(word & (u64::MAX >> (64 - 8 * size))));
            }
        }
        let (value, size) = slow_varint(rest, most, what)?;
        self.pos += size;
        Ok(value)
    }

    /// A `long`: at most ten bytes and 64 bits. Longer encodings than needed are Avro.
    #[inline(always)]
    pub(super) fn long(&mut self, what: &'static str) -> Result<i64, Reason> {
        self.varint(10, what).map(unzigzag)
    }

    /// An `int`: at most five bytes, as the Java reader insists, and 32 bits.
    #[inline(always)]
    pub(super) fn int(&mut self, what: &'static str) -> Result<i32, Reason> {
        let raw = self.varint(5, what)?;
        match u32::try_from(raw) {
            Ok(raw) => Ok(((raw >> 1) as i32) ^ -((raw & 1) as i32)),
            Err(_) => Err(Reason::IntRange(unzigzag(raw))),
        }
    }

    /// A `boolean`.
    #[inline(always)]
    pub(super) fn boolean(&mut self) -> Result<bool, Reason> {
        match self.bytes.get(self.pos) {
            Some(&byte @ (0 | 1)) => {
                self.pos += 1;
                Ok(byte == 1)
            }
            Some(&byte) => Err(Reason::Bool(byte)),
            None => Err(Reason::Ends("a boolean")),
        }
    }

    /// A length, and as many bytes.
    #[inline(always)]
    pub(super) fn sized(&mut self, what: &'static str) -> Result<&'a [u8], Reason> {
        let length = self.long("a length")?;
        let rest = &self.bytes[self.pos..];
        match u64::try_from(length) {
            Ok(size) if size <= rest.len() as u64 => {
                let size = size as usize;
                self.pos += size;
                Ok(&rest[..size])
            }
            Ok(size) => Err(Reason::EndsInside(what, size)),
            Err(_) => Err(Reason::NegativeLength(what, length)),
        }
    }

    /// A length, and as many bytes of UTF-8.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Result<&'a str, Reason> {
        let bytes = self.sized("a string")?;
        utf8(bytes, self.pos - bytes.len())
    }

    /// Skips a length and as many bytes of UTF-8.
    #[inline(always)]
    pub(super) fn skip_text(&mut self) -> Result<(), Reason> {
        let bytes = self.sized("a string")?;
        if !is_short_ascii(bytes) {
            utf8(bytes, self.pos - bytes.len())?;
        }
        Ok(())
    }

    /// A block's header in an array or map: how many items, and where the block ends if it says so.
    ///
    /// `least` is the fewest bytes an item takes; more items than could lie in the bytes left are refused here,
    /// whatever the items are. With 0 the caller counts.
    #[inline(always)]
    pub(super) fn block(&mut self, least: usize) -> Result<(u64, Option<usize>), Reason> {
        let count = self.long("a block count")?;
        let (count, end) = if count >= 0 {
            (count as u64, None)
        } else {
            let size = self.long("a block's byte size")?;
            match usize::try_from(size) {
                Ok(bytes) if bytes <= self.left() => (count.unsigned_abs(), Some(self.pos + bytes)),
                _ => return Err(Reason::BlockSize),
            }
        };
        let left = end.unwrap_or(self.bytes.len()) - self.pos;
        if least > 0 && count > (left / least) as u64 {
            return Err(Reason::Count(count, left));
        }
        Ok((count, end))
    }
}

#[inline(always)]
fn unzigzag(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

/// Near the end of the bytes, and for numbers of nine or ten: the value, and how many bytes it takes.
// Without the cursor, so that that can stay in registers; the same goes for all that is not inlined here.
#[inline(never)]
fn slow_varint(rest: &[u8], most: usize, what: &'static str) -> Result<(u64, usize), Reason> {
    let mut value = 0;
    for (index, &byte) in rest.iter().enumerate() {
        if index >= most || (index == 9 && byte > 1) {
            return Err(Reason::TooLong(what));
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, index + 1));
        }
    }
    Err(Reason::Ends(what))
}

/// Text that begins at `start`: whether it is UTF-8.
#[inline(never)]
fn utf8(bytes: &[u8], start: usize) -> Result<&str, Reason> {
    std::str::from_utf8(bytes).map_err(|error| Reason::Utf8(start + error.valid_up_to()))
}

/// The top bit of every byte.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The low seven bits of each of eight bytes, moved together: pairs of bytes, then of pairs, then of those.
#[inline(always)]
fn sevens(word: u64) -> u64 {
    let word = word & !HIGH_BITS;
    let word = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let word = (word & 0x0000_3fff_0000_3fff) | ((word & 0x3fff_0000_3fff_0000) >> 2);
    (word & 0x0000_0000_0fff_ffff) | ((word & 0x0fff_ffff_0000_0000) >> 4)
}

/// Whether the bytes are at most 32 and all ASCII; those in the middle are looked at twice rather than one by one,
/// since a loop whose length differs from field to field is often guessed wrong.
///
/// The standard library's check wins on long text; most fields are short, and there this is five times faster.
#[inline(always)]
fn is_short_ascii(bytes: &[u8]) -> bool {
    let size = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let mut seen = u64::from_le_bytes(*first) | u64::from_le_bytes(*last);
        if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
            if size > 32 {
                return false;
            }
            let middle = u128::from_le_bytes(*first) | u128::from_le_bytes(*last);
            seen |= middle as u64 | (middle >> 64) as u64;
        }
        return seen & HIGH_BITS == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let seen = u32::from_le_bytes(*first) | u32::from_le_bytes(*last);
        return seen & HIGH_BITS as u32 == 0;
    }
    match bytes {
        [] => true,
        [first, .., last] => (first | bytes[size / 2] | last) < 0x80,
        [only] => *only < 0x80,
    }
}

/// Appends an `int` or `long`.
pub(super) fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value as u64) << 1) ^ ((value >> 63) as u64);
    while raw >= 0x80 {
        out.push((raw as u8) | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Appends a length and the bytes.
pub(super) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_as_it_was_written() {
        for shift in 0..64 {
            for value in [1_i64 << shift, -(1_i64 << (shift % 63)), !(1 << shift)] {
                let mut bytes = Vec::new();
                put_long(&mut bytes, value);
                let mut cursor = Cursor::new(&bytes);
                assert_eq!(cursor.long("a long"), Ok(value));
                assert_eq!(cursor.left(), 0);
                for cut in 0..bytes.len() {
                    assert_eq!(
                        Cursor::new(&bytes[..cut]).long("a long"),
                        Err(Reason::Ends("a long"))
                    );
                }
            }
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        let mut bytes = vec![0xff; 9];
        bytes.push(1);
        assert_eq!(Cursor::new(&bytes).long("a long"), Ok(i64::MIN));
        bytes[9] = 2;
        assert_eq!(
            Cursor::new(&bytes).long("a long"),
            Err(Reason::TooLong("a long"))
        );
        assert_eq!(
            Cursor::new(&[0x80; 40]).long("a long"),
            Err(Reason::TooLong("a long"))
        );
    }

    #[test]
    fn an_int_keeps_to_32_bits_and_five_bytes() {
        let mut bytes = Vec::new();
        put_long(&mut bytes, (1 << 32) + 1010);
        assert_eq!(
            Cursor::new(&bytes).int("an int"),
            Err(Reason::IntRange((1 << 32) + 1010))
        );
        for edge in [i32::MIN, i32::MAX] {
            bytes.clear();
            put_long(&mut bytes, i64::from(edge));
            assert_eq!(Cursor::new(&bytes).int("an int"), Ok(edge));
        }
        assert_eq!(
            Cursor::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]).int("an int"),
            Err(Reason::TooLong("an int"))
        );
    }

    #[test]
    fn text_is_checked_at_every_length() {
        for length in 0..130 {
            let mut bytes = Vec::new();
            put_sized(&mut bytes, &vec![b'a'; length]);
            assert_eq!(Cursor::new(&bytes).skip_text(), Ok(()));
            let prefix = bytes.len() - length;
            for at in prefix..bytes.len() {
                bytes[at] = 0xff;
                assert_eq!(Cursor::new(&bytes).skip_text(), Err(Reason::Utf8(at)));
                bytes[at] = b'a';
            }
        }
    }
}
