//! Reads lines of a bounded length.

use std::io::{self, BufRead, Read};

/// The maximum length of a line, in bytes.
const MAX_LINE: usize = 1 << 20;

/// The lines of an input that are not empty, each with its number, counted from 1.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    line: Vec<u8>,
    is_ended: bool,
}

/// A line, without the line feed.
pub(super) enum Line<'l> {
    /// Its bytes.
    Text(&'l [u8]),
    /// It is longer than 1 MiB. It is the last one that is read.
    TooLong,
}

/// The error of a line that is too long.
pub(super) fn too_long() -> String {
    format!("the line is longer than {MAX_LINE} bytes; nothing after it is read")
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            line: Vec::new(),
            is_ended: false,
        }
    }

    /// The next line that has more than white space; `None` at the end.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        while !self.is_ended {
            self.line.clear();
            let mut input = self.input.by_ref().take(MAX_LINE as u64 + 1);
            if input.read_until(b'\n', &mut self.line)? == 0 {
                self.is_ended = true;
                return Ok(None);
            }
            self.number += 1;
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            } else if self.line.len() > MAX_LINE {
                self.is_ended = true;
                return Ok(Some((self.number, Line::TooLong)));
            }
            let mark = "\u{feff}".as_bytes();
            let is_first = self.number == 1;
            if is_first && self.line.starts_with(mark) {
                self.line.drain(..mark.len());
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, Line::Text(&self.line))));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = Lines::new(input);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            let text = match line {
                Line::Text(text) => Some(text.to_vec()),
                Line::TooLong => None,
            };
            found.push((number, text));
        }
        found
    }

    #[test]
    fn empty_lines_are_counted_and_skipped() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let found = read("\u{feff}a\n\n \r\nb\r\nc".as_bytes());
        assert_eq!(found, [(1, text("a")), (4, text("b\r")), (5, text("c"))]);
        assert!(read(b"").is_empty() && read(b"\n\n").is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_the_last_one() {
        let mut input = vec![b'x'; MAX_LINE];
        input.push(b'\n');
        assert_eq!(read(&input)[0].1.as_ref().unwrap().len(), MAX_LINE);
        input.splice(0..0, b"a\nx".iter().copied());
        input.extend_from_slice(b"b\n");
        let found = read(&input);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], (2, None));
        // Never more than a line, also of an input without end.
        let mut endless = Lines::new(io::BufReader::new(io::repeat(b'x')));
        assert!(matches!(endless.next(), Ok(Some((1, Line::TooLong)))));
        assert!(matches!(endless.next(), Ok(None)));
        assert!(endless.line.capacity() <= 4 * MAX_LINE);
    }
}
