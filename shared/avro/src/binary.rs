//! Reads and writes the values of Avro's binary encoding: variable-length numbers, lengths, strings.
//!
//! The bytes are untrusted: a length is compared with the remaining bytes before it is used. Errors are [`Reason`]s; the
//! caller adds the offset and the field.
//!
//! Source: Avro specification 1.12, "Binary encoding".

use crate::reason::Reason;

/// A position in bytes from which values are read.
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
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.pos
    }

    /// The next `size` bytes.
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

    /// A variable-length number of at most `max` bytes: seven bits in each byte, low bits first. The top bit is set if
    /// another byte follows.
    #[inline(always)]
    fn varint(&mut self, max: usize, what: &'static str) -> Result<u64, Reason> {
        let rest = &self.bytes[self.pos..];
        match rest.first() {
            Some(&first) if first < 0x80 => {
                self.pos += 1;
                return Ok(u64::from(first));
            }
            Some(_) => {}
            None => return Err(Reason::Ends(what)),
        }
        // Read up to eight bytes at once. Typical numbers have two to five bytes, and a branch for each byte would often
        // be mispredicted.
        if let Some(word) = rest.first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let ends = !word & HIGH_BITS;
            if ends != 0 {
                let size = ends.trailing_zeros() as usize / 8 + 1;
                if size > max {
                    return Err(Reason::TooLong(what));
                }
                self.pos += size;
                return Ok(join_sevens(word & (u64::MAX >> (64 - 8 * size))));
            }
        }
        let (value, size) = slow_varint(rest, max, what)?;
        self.pos += size;
        Ok(value)
    }

    /// A `long`: at most ten bytes and 64 bits. Longer encodings than necessary are accepted.
    #[inline(always)]
    pub(super) fn long(&mut self, what: &'static str) -> Result<i64, Reason> {
        self.varint(10, what).map(unzigzag)
    }

    /// An `int`: at most five bytes, as in Java, and 32 bits.
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

    /// `bytes`: a length and as many bytes.
    #[inline(always)]
    pub(super) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], Reason> {
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

    /// A `string`: a length and as many bytes of UTF-8.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<&'a str, Reason> {
        let bytes = self.bytes("a string")?;
        utf8(bytes, self.pos - bytes.len())
    }

    /// Validates and skips a `string`.
    #[inline(always)]
    pub(super) fn skip_string(&mut self) -> Result<(), Reason> {
        let bytes = self.bytes("a string")?;
        if !is_short_ascii(bytes) {
            utf8(bytes, self.pos - bytes.len())?;
        }
        Ok(())
    }

    /// The header of a block of an array or map: the number of items, and the offset at which the block ends if it states
    /// its size.
    ///
    /// `min_size` is the minimum size of an item in bytes. A block with more items than fit into the remaining bytes is
    /// an error. If `min_size` is 0, the caller must limit the number of items.
    #[inline(always)]
    pub(super) fn block(&mut self, min_size: usize) -> Result<(u64, Option<usize>), Reason> {
        let count = self.long("a block count")?;
        let (count, end) = if count >= 0 {
            (count as u64, None)
        } else {
            let size = self.long("a block's byte size")?;
            match usize::try_from(size) {
                Ok(bytes) if bytes <= self.remaining() => {
                    (count.unsigned_abs(), Some(self.pos + bytes))
                }
                _ => return Err(Reason::BlockSize),
            }
        };
        let remaining = end.unwrap_or(self.bytes.len()) - self.pos;
        if min_size > 0 && count > (remaining / min_size) as u64 {
            return Err(Reason::Count(count, remaining));
        }
        Ok((count, end))
    }
}

#[inline(always)]
fn unzigzag(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

/// A variable-length number near the end of the bytes, or of nine or ten bytes. Returns the value and its length.
// Functions that are not inlined do not take the cursor, so that it stays in registers.
#[inline(never)]
fn slow_varint(rest: &[u8], max: usize, what: &'static str) -> Result<(u64, usize), Reason> {
    let mut value = 0;
    for (index, &byte) in rest.iter().enumerate() {
        if index >= max || (index == 9 && byte > 1) {
            return Err(Reason::TooLong(what));
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, index + 1));
        }
    }
    Err(Reason::Ends(what))
}

/// The bytes as UTF-8. `start` is their offset, for the error.
#[inline(never)]
fn utf8(bytes: &[u8], start: usize) -> Result<&str, Reason> {
    std::str::from_utf8(bytes).map_err(|error| Reason::Utf8(start + error.valid_up_to()))
}

/// The top bit of every byte.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Joins the low seven bits of each of eight bytes: in pairs of bytes, then of 16-bit words, then of 32-bit words.
#[inline(always)]
fn join_sevens(word: u64) -> u64 {
    let word = word & !HIGH_BITS;
    let word = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let word = (word & 0x0000_3fff_0000_3fff) | ((word & 0x3fff_0000_3fff_0000) >> 2);
    (word & 0x0000_0000_0fff_ffff) | ((word & 0x0fff_ffff_0000_0000) >> 4)
}

/// Whether there are at most 32 bytes and all are ASCII.
///
/// Overlapping words cover the bytes: the branches of a loop, whose length differs between fields, would often be
/// mispredicted. For short text this is five times as fast as the standard library's check, which is faster for long text.
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

/// Appends `bytes` or a `string`: a length and the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_decode_to_the_encoded_value() {
        for shift in 0..64 {
            for value in [1_i64 << shift, -(1_i64 << (shift % 63)), !(1 << shift)] {
                let mut bytes = Vec::new();
                put_long(&mut bytes, value);
                let mut cursor = Cursor::new(&bytes);
                assert_eq!(cursor.long("a long"), Ok(value));
                assert_eq!(cursor.remaining(), 0);
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
    fn rejects_numbers_of_more_than_64_bits() {
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
    fn rejects_ints_of_more_than_32_bits_or_five_bytes() {
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
    fn validates_utf8_in_strings_of_every_length() {
        for length in 0..130 {
            let mut bytes = Vec::new();
            put_bytes(&mut bytes, &vec![b'a'; length]);
            assert_eq!(Cursor::new(&bytes).skip_string(), Ok(()));
            let prefix = bytes.len() - length;
            for at in prefix..bytes.len() {
                bytes[at] = 0xff;
                assert_eq!(Cursor::new(&bytes).skip_string(), Err(Reason::Utf8(at)));
                bytes[at] = b'a';
            }
        }
    }
}
