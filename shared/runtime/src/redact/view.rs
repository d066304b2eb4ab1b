//! A text with one layer of encoding removed, with the part of the original text that each byte came from.
//! Pure.

use std::ops::Range;

/// The bytes of a text, or of a part of it after decoding.
pub(super) struct View {
    /// The decoded bytes.
    pub(super) bytes: Vec<u8>,
    /// For each byte, the range of the original text that encodes it.
    origins: Vec<(usize, usize)>,
    /// True if the view ends where the original text was cut off: its last bytes may be the beginning of more.
    pub(super) is_cut: bool,
}

/// How a view was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Without escapes; all else is as it stands in the text.
    Unescaped,
    /// From a run of digits, which reads as something at every alignment.
    Digits,
}

/// An encoding in which each digit holds a fixed number of bits.
struct Digits {
    value: fn(u8) -> Option<u8>,
    bits: u32,
    /// The digits of one group, after which bytes and digits are aligned again.
    group: usize,
}

/// Both alphabets of RFC 4648: standard and URL-safe. Padding ends a run of digits.
const BASE64: Digits = Digits {
    value: |byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    },
    bits: 6,
    group: 4,
};

const HEX: Digits = Digits {
    value: hex_digit,
    bits: 4,
    group: 2,
};

impl View {
    /// The text itself.
    pub(super) fn of(text: &[u8], is_cut: bool) -> Self {
        Self {
            bytes: text.to_vec(),
            origins: (0..text.len()).map(|at| (at, at + 1)).collect(),
            is_cut,
        }
    }

    /// The part of the original text that encodes these bytes of the view.
    pub(super) fn origin(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.origins.get(range.start).map_or(0, |origin| origin.0);
        let last = range.end.checked_sub(1).and_then(|at| self.origins.get(at));
        start..last.map_or(start, |origin| origin.1)
    }

    /// Calls `each` with every other reading of the view: without escapes, and each run of base64 or hex digits at each
    /// alignment. `shortest` is the number of bytes that a reading needs to be of interest.
    pub(super) fn readings(&self, shortest: usize, mut each: impl FnMut(&Self, Reading)) {
        // One kind at a time: a literal backslash in percent-encoding is not an escape.
        for mark in *b"%\\&+" {
            if let Some(view) = self.unescaped(mark) {
                each(&view, Reading::Unescaped);
            }
        }
        for digits in [&BASE64, &HEX] {
            self.runs(digits, shortest, |run, is_cut| {
                for phase in 0..digits.group {
                    let run = run.get(phase..).unwrap_or_default();
                    each(&self.decoded(digits, run, is_cut), Reading::Digits);
                }
            });
        }
    }

    fn push(&mut self, bytes: &[u8], origin: (usize, usize)) {
        self.bytes.extend_from_slice(bytes);
        self.origins.resize(self.bytes.len(), origin);
    }

    fn empty(is_cut: bool) -> Self {
        Self {
            bytes: Vec::new(),
            origins: Vec::new(),
            is_cut,
        }
    }

    /// The view without the escapes that begin with `mark`: `%` of percent-encoding (RFC 3986), `+` of HTML forms, `\`
    /// of JSON, `&` of HTML. `None` if it has no such byte.
    fn unescaped(&self, mark: u8) -> Option<Self> {
        if !self.bytes.contains(&mark) {
            return None;
        }
        let mut view = Self::empty(self.is_cut);
        let mut at = 0;
        while let Some(rest @ [first, ..]) = self.bytes.get(at..) {
            let mut buffer = [0; 4];
            let found = match *first == mark {
                true => escape(rest),
                false => Escape::None,
            };
            let (length, decoded) = match found {
                Escape::Of(length, character) => (length, encode(character, &mut buffer)),
                // The rest of an escape was cut off: the view ends before it.
                Escape::Unfinished if self.is_cut => break,
                Escape::Unfinished | Escape::None => (1, &rest[..1]),
            };
            let origin = self.origin(&(at..at + length));
            view.push(decoded, (origin.start, origin.end));
            at += length;
        }
        Some(view)
    }

    /// Calls `each` with the places of the digits in every run that is long enough. Line breaks within a run are
    /// skipped, as MIME inserts them.
    fn runs(&self, digits: &Digits, shortest: usize, mut each: impl FnMut(&[usize], bool)) {
        let mut run = Vec::new();
        let long_enough = |run: &[usize], bytes: usize| {
            run.len() * digits.bits as usize >= bytes * u8::BITS as usize
        };
        for (at, byte) in self.bytes.iter().enumerate() {
            if (digits.value)(*byte).is_some() {
                run.push(at);
            } else if !matches!(byte, b'\r' | b'\n') {
                if long_enough(&run, shortest) {
                    each(&run, false);
                }
                run.clear();
            }
        }
        // The beginning of a secret is enough where the text was cut off.
        let shortest = if self.is_cut { 1 } else { shortest };
        if long_enough(&run, shortest) {
            each(&run, self.is_cut);
        }
    }

    fn decoded(&self, digits: &Digits, run: &[usize], is_cut: bool) -> Self {
        let mut view = Self::empty(is_cut);
        let (mut bits, mut count) = (0_u32, 0);
        let mut first = None;
        for at in run {
            let value = self.bytes.get(*at).copied().and_then(digits.value);
            let origin = self.origin(&(*at..at + 1));
            bits = bits << digits.bits | u32::from(value.unwrap_or(0));
            count += digits.bits;
            let start = *first.get_or_insert(origin.start);
            if count >= u8::BITS {
                count -= u8::BITS;
                view.push(&[(bits >> count) as u8], (start, origin.end));
                bits &= (1 << count) - 1;
                // A digit that holds bits of two bytes belongs to both.
                first = (count > 0).then_some(origin.start);
            }
        }
        view
    }
}

/// The text without percent-encoding.
pub(super) fn percent_decoded(text: &str) -> String {
    let decoded = View::of(text.as_bytes(), false).unescaped(b'%');
    decoded.map_or_else(
        || text.to_owned(),
        |view| String::from_utf8_lossy(&view.bytes).into_owned(),
    )
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Escape {
    /// An escape of this length.
    Of(usize, Escaped),
    /// The bytes end within what may be an escape.
    Unfinished,
    None,
}

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escaped {
    Byte(u8),
    Character(char),
}

fn encode(escaped: Escaped, buffer: &mut [u8; 4]) -> &[u8] {
    match escaped {
        Escaped::Byte(byte) => {
            buffer[0] = byte;
            &buffer[..1]
        }
        Escaped::Character(character) => character.encode_utf8(buffer).as_bytes(),
    }
}

fn escape(bytes: &[u8]) -> Escape {
    let byte = |length, value: Option<u32>| match value.and_then(|value| u8::try_from(value).ok()) {
        Some(value) => Escape::Of(length, Escaped::Byte(value)),
        None => Escape::None,
    };
    match bytes {
        [b'%', rest @ ..] => match hex(rest, 2) {
            Number::Is(value) => byte(3, Some(value)),
            Number::Unfinished => Escape::Unfinished,
            Number::None => Escape::None,
        },
        [b'\\', b'x', rest @ ..] => match hex(rest, 2) {
            Number::Is(value) => byte(4, Some(value)),
            Number::Unfinished => Escape::Unfinished,
            Number::None => Escape::None,
        },
        [b'\\', b'u', rest @ ..] => utf16(rest),
        [b'\\'] => Escape::Unfinished,
        [b'\\', letter, ..] => match letter {
            b'"' | b'\\' | b'/' | b'\'' => byte(2, Some((*letter).into())),
            b'n' => byte(2, Some(b'\n'.into())),
            b'r' => byte(2, Some(b'\r'.into())),
            b't' => byte(2, Some(b'\t'.into())),
            b'b' => byte(2, Some(8)),
            b'f' => byte(2, Some(12)),
            _ => Escape::None,
        },
        [b'&', rest @ ..] => reference(rest),
        [b'+', ..] => byte(1, Some(b' '.into())),
        _ => Escape::None,
    }
}

/// What follows `\u`: one UTF-16 unit, or two that form a pair.
fn utf16(bytes: &[u8]) -> Escape {
    let first = match hex(bytes, 4) {
        Number::Is(value) => value,
        Number::Unfinished => return Escape::Unfinished,
        Number::None => return Escape::None,
    };
    if let Some(character) = char::from_u32(first) {
        return Escape::Of(6, Escaped::Character(character));
    }
    let second = match bytes.get(4..) {
        Some([b'\\', b'u', rest @ ..]) => hex(rest, 4),
        Some([] | [b'\\']) => Number::Unfinished,
        _ => Number::None,
    };
    match second {
        Number::Is(second) => {
            let units = [first as u16, second as u16];
            match char::decode_utf16(units).next() {
                Some(Ok(character)) => Escape::Of(12, Escaped::Character(character)),
                _ => Escape::None,
            }
        }
        Number::Unfinished => Escape::Unfinished,
        Number::None => Escape::None,
    }
}

/// What follows `&`: the references that every HTML library writes, by name or by number.
fn reference(bytes: &[u8]) -> Escape {
    const LONGEST: usize = 9;
    let Some(end) = bytes.iter().take(LONGEST).position(|byte| *byte == b';') else {
        let may_be = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
        return match bytes.len() < LONGEST && bytes.iter().all(may_be) {
            true => Escape::Unfinished,
            false => Escape::None,
        };
    };
    let number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    let character = match &bytes[..end] {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    match character {
        Some(character) => Escape::Of(end + 2, Escaped::Character(character)),
        None => Escape::None,
    }
}

/// A number of a fixed count of hex digits.
enum Number {
    Is(u32),
    Unfinished,
    None,
}

fn hex(bytes: &[u8], count: usize) -> Number {
    let mut value = 0;
    for at in 0..count {
        match bytes.get(at) {
            None => return Number::Unfinished,
            Some(byte) => match hex_digit(*byte) {
                Some(digit) => value = value << 4 | u32::from(digit),
                None => return Number::None,
            },
        }
    }
    Number::Is(value)
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}
