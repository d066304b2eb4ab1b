//! Follows the framing of a connection and limits its header sections.

use super::section::{EXCESS, Framing, Line, Section, number};

/// The most bytes that are kept of a line within a chunked body. Only the chunk size at its start is parsed.
const BODY_LINE: usize = 512;

/// Finds the header sections of a connection and forwards of them what the limits allow.
#[derive(Default)]
pub(super) struct HeaderLimiter {
    phase: Phase,
    section: Section,
    line: Line,
}

/// What the next bytes of the connection are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// The request line or a field line.
    #[default]
    Section,
    /// The remaining bytes of a body with a `Content-Length`.
    Body(u64),
    /// The line with the size of a chunk.
    ChunkSize,
    /// The remaining bytes of a chunk, including the line break after it.
    Chunk(u64),
    /// A line after the last chunk.
    Trailer,
    /// Bytes of unknown framing.
    Unknown,
}

impl HeaderLimiter {
    /// Processes `input` and appends the bytes to forward to `output`.
    pub(super) fn push(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        while !input.is_empty() {
            let (taken, rest) = match self.phase {
                Phase::Unknown => (input, &[][..]),
                Phase::Body(left) | Phase::Chunk(left) => input
                    .split_at(usize::try_from(left).map_or(input.len(), |n| n.min(input.len()))),
                Phase::Section | Phase::ChunkSize | Phase::Trailer => {
                    let end = input.iter().position(|byte| *byte == b'\n');
                    input.split_at(end.map_or(input.len(), |end| end + 1))
                }
            };
            input = rest;
            match self.phase {
                Phase::Section => self.push_section(taken, output),
                Phase::Body(left) => {
                    output.extend_from_slice(taken);
                    self.phase = match left - taken.len() as u64 {
                        0 => Phase::Section,
                        left => Phase::Body(left),
                    };
                }
                Phase::Chunk(left) => {
                    output.extend_from_slice(taken);
                    self.phase = match left - taken.len() as u64 {
                        0 => Phase::ChunkSize,
                        left => Phase::Chunk(left),
                    };
                }
                Phase::ChunkSize | Phase::Trailer => {
                    output.extend_from_slice(taken);
                    self.line.push(taken, BODY_LINE);
                    if taken.ends_with(b"\n") {
                        let line = std::mem::take(&mut self.line);
                        self.phase = body_phase(self.phase, &line);
                    }
                }
                Phase::Unknown => output.extend_from_slice(taken),
            }
        }
    }

    fn push_section(&mut self, taken: &[u8], output: &mut Vec<u8>) {
        self.line.push(taken, self.section.max_line());
        if !taken.ends_with(b"\n") {
            return;
        }
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            if !self.section.has_request_line {
                // RFC 9112, section 2.2: an empty line before the request line is ignored.
                output.extend_from_slice(&line.bytes);
                return;
            }
            let section = std::mem::take(&mut self.section);
            if let Some(excess) = section.excess {
                output.extend_from_slice(format!("{EXCESS}: {excess}\r\n").as_bytes());
            }
            output.extend_from_slice(&line.bytes);
            self.phase = match section.framing {
                Framing::NoBody | Framing::Length(0) => Phase::Section,
                Framing::Length(length) => Phase::Body(length),
                Framing::Chunked => Phase::ChunkSize,
                Framing::Unknown => Phase::Unknown,
            };
        } else if self.section.accept(&line) {
            output.extend_from_slice(&line.bytes);
        }
    }
}

/// The phase after a line of a chunked body (RFC 9112, section 7.1).
fn body_phase(phase: Phase, line: &Line) -> Phase {
    if phase == Phase::Trailer {
        return if line.is_empty() {
            Phase::Section
        } else {
            Phase::Trailer
        };
    }
    let size = line.bytes.split(|byte| *byte == b';').next();
    match number(size.unwrap_or_default().trim_ascii(), 16) {
        Some(0) => Phase::Trailer,
        // The data and the CRLF after it.
        Some(size) => size.checked_add(2).map_or(Phase::Unknown, Phase::Chunk),
        None => Phase::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::section::{Excess, MAX_BYTES, MAX_FIELDS, MAX_NAME_BYTES, PARSER_MAX_BYTES};
    use super::*;

    const INPUT: usize = 16 * 1024;

    const FIELDS: &str = "Fn-Call-Id: 1\r\nFn-Intent: httprequest\r\n";

    /// The forwarded bytes of `input`, which arrives in pieces of this size.
    fn forwarded(input: &[u8], piece: usize) -> Vec<u8> {
        let (mut limiter, mut output) = (HeaderLimiter::default(), Vec::new());
        for piece in input.chunks(piece) {
            limiter.push(piece, &mut output);
        }
        output
    }

    /// A request with these fields and a chunked body.
    fn request(fields: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("POST /call HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{fields}\r\n");
        let mut bytes = head.into_bytes();
        for chunk in body.chunks(5) {
            bytes.extend(format!("{:x};a=b\r\n", chunk.len()).bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\nx: y\r\n\r\n");
        bytes
    }

    #[test]
    fn forwards_a_section_at_the_limits_unchanged() {
        let fields = "x:y\n".repeat(MAX_FIELDS - 3) + FIELDS;
        let name = format!("{}:\n", "n".repeat(MAX_NAME_BYTES));
        let line = request("", b"").len() - "\r\n0\r\nx: y\r\n\r\n".len();
        let bytes = format!("x:{}\n", "v".repeat(MAX_BYTES - line - 3));
        for fields in [&fields, &name, &bytes] {
            let input = request(fields, b"body");
            assert!(forwarded(&input, INPUT) == input);
        }
    }

    #[test]
    fn forwards_the_required_fields_of_a_section_beyond_a_limit() {
        let fields = "x:y\n".repeat(MAX_FIELDS + 1);
        let name = format!("{}:\n", "n".repeat(MAX_NAME_BYTES + 1));
        let bytes = format!("x:{}\n", "v".repeat(MAX_BYTES));
        let plain = request(FIELDS, b"body");
        for (fields, excess) in [
            (fields, Excess::Fields),
            (name, Excess::NameBytes),
            (bytes, Excess::Bytes),
        ] {
            let input = [request(&(fields + FIELDS + FIELDS), b"body"), plain.clone()].concat();
            let mark = format!("{EXCESS}: {excess}\r\n");
            let output = forwarded(&input, INPUT);
            assert!(output.len() < PARSER_MAX_BYTES);
            let text = String::from_utf8(output).unwrap().replace("x:y\n", "");
            let expected = [request(&format!("{FIELDS}{mark}"), b"body"), plain.clone()].concat();
            assert_eq!(text, String::from_utf8(expected).unwrap());
        }
    }

    #[test]
    fn drops_the_excess_field_of_a_client() {
        let input = request(&format!("{}: forged\r\n", EXCESS.to_uppercase()), b"body");
        assert_eq!(forwarded(&input, INPUT), request("", b"body"));
    }

    #[test]
    fn forwards_everything_after_unknown_framing() {
        let many = request(&"x:y\r\n".repeat(MAX_FIELDS + 1), b"");
        for start in [
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nsize\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
        ] {
            let input = [start.as_bytes(), &many].concat();
            assert_eq!(forwarded(&input, INPUT), input, "{start:?}");
        }
    }

    proptest! {
        #[test]
        fn forwards_requests_within_the_limits_unchanged_in_pieces_of_any_size(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..5),
            piece in 1_usize..50,
        ) {
            let mut input = Vec::new();
            for (number, body) in bodies.iter().enumerate() {
                match number % 2 {
                    0 => input.extend(request(FIELDS, body)),
                    _ => {
                        let head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
                        input.extend(head.bytes());
                        input.extend(body);
                    }
                }
            }
            prop_assert_eq!(forwarded(&input, piece), input);
        }

        #[test]
        fn never_changes_a_body_and_finds_the_next_section(
            body in proptest::collection::vec(proptest::sample::select(&b"\r\n:0x"[..]), 0..200),
            piece in 1_usize..3000,
        ) {
            let large = format!("{FIELDS}{}", "x:y\n".repeat(MAX_FIELDS));
            let input = request(&large, &body).repeat(2);
            let kept = large.lines().count() - 1;
            let kept: String = large.split_inclusive('\n').take(kept - 2).collect();
            let mark = format!("{kept}{EXCESS}: {}\r\n", Excess::Fields);
            prop_assert_eq!(forwarded(&input, piece), request(&mark, &body).repeat(2));
        }

        #[test]
        fn any_bytes_cause_no_panic(
            input in proptest::collection::vec(proptest::sample::select(&b"\r\n: POST0a;\xff"[..]), 0..300),
            piece in 1_usize..50,
        ) {
            prop_assert_eq!(forwarded(&input, piece), forwarded(&input, usize::MAX));
        }
    }
}
