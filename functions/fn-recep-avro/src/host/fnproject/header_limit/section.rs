//! Decides which lines of a header section are forwarded.

use std::fmt;

use http::HeaderMap;

/// The most header fields of a request, including those of the agent.
pub(super) const MAX_FIELDS: usize = 1024;
/// The most bytes of the request line and the header section together. fnserver accepts 1 MiB from its client.
pub(super) const MAX_BYTES: usize = 2 << 20;
/// The most bytes of a field name; `http::HeaderName` holds no more.
pub(super) const MAX_NAME_BYTES: usize = u16::MAX as usize;

/// The field that marks a section beyond a limit. Its value is an [`Excess`]. A field of this name in the input is dropped.
pub(super) const EXCESS: &str = "frontdoor-header-excess";

/// Fields that are needed to answer the call. Of a section beyond a limit, the first of each is forwarded.
pub(super) const REQUIRED: [&str; 5] = [
    "transfer-encoding",
    "content-length",
    "fn-call-id",
    "fn-deadline",
    "fn-intent",
];
/// The most header fields that the limiter forwards: hyper's limit.
pub(in super::super) const PARSER_MAX_FIELDS: usize = MAX_FIELDS + REQUIRED.len() + 1;
/// The most bytes of a header section that the limiter forwards: hyper's limit.
pub(in super::super) const PARSER_MAX_BYTES: usize = MAX_BYTES + 16 * 1024;
const TRANSFER_ENCODING: usize = 0;
const CONTENT_LENGTH: usize = 1;
/// The most bytes of a required field's line in a section beyond a limit.
const REQUIRED_MAX_BYTES: usize = 512;

/// Which limit the header section exceeded, if any: `more than 1024 header fields`.
pub(in super::super) fn excess(headers: &HeaderMap) -> Option<&str> {
    headers.get(EXCESS)?.to_str().ok()
}

/// The lines of a header section that have arrived.
#[derive(Default)]
pub(super) struct Section {
    pub(super) has_request_line: bool,
    /// The bytes and the fields forwarded.
    bytes: usize,
    fields: usize,
    /// The [`REQUIRED`] fields forwarded.
    required: [bool; REQUIRED.len()],
    pub(super) framing: Framing,
    pub(super) excess: Option<Excess>,
}

/// A limit of the header section.
#[derive(Clone, Copy)]
pub(super) enum Excess {
    Bytes,
    Fields,
    NameBytes,
}

/// How the body of a request is delimited (RFC 9112, section 6.3).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Framing {
    #[default]
    NoBody,
    Length(u64),
    Chunked,
    Unknown,
}

/// The start of a line.
#[derive(Default)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    is_truncated: bool,
}

impl Section {
    /// How many bytes of the next line to keep.
    pub(super) fn max_line(&self) -> usize {
        match self.excess {
            Some(_) => REQUIRED_MAX_BYTES,
            // The empty line that ends the section always fits.
            None => MAX_BYTES - self.bytes + 2,
        }
    }

    /// Adds a line to the section. Returns whether to forward it.
    pub(super) fn accept(&mut self, line: &Line) -> bool {
        let bytes = &line.bytes;
        let is_field = std::mem::replace(&mut self.has_request_line, true);
        let colon = bytes.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(colon) if is_field => (&bytes[..colon], &bytes[colon + 1..]),
            _ => (&bytes[..], &[][..]),
        };
        if name.eq_ignore_ascii_case(EXCESS.as_bytes()) {
            return false;
        }
        let required = REQUIRED
            .iter()
            .position(|required| name.eq_ignore_ascii_case(required.as_bytes()));
        if self.excess.is_none() {
            self.excess = if line.is_truncated || self.bytes + bytes.len() > MAX_BYTES {
                Some(Excess::Bytes)
            } else if self.fields == MAX_FIELDS {
                Some(Excess::Fields)
            } else if is_field && name.len() > MAX_NAME_BYTES {
                Some(Excess::NameBytes)
            } else {
                None
            };
        }
        if self.excess.is_some() {
            let fits = !line.is_truncated && bytes.len() <= REQUIRED_MAX_BYTES;
            if !required.is_some_and(|index| fits && !self.required[index]) {
                return false;
            }
        } else {
            self.bytes += bytes.len();
            self.fields += usize::from(is_field);
        }
        if let Some(index) = required {
            self.required[index] = true;
            self.framing = self.framing.with(index, value.trim_ascii());
        }
        true
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes => write!(f, "more than {MAX_BYTES} bytes of header fields"),
            Self::Fields => write!(f, "more than {MAX_FIELDS} header fields"),
            Self::NameBytes => write!(f, "a header name of more than {MAX_NAME_BYTES} bytes"),
        }
    }
}

impl Framing {
    /// The framing after one more of the [`REQUIRED`] fields.
    fn with(self, index: usize, value: &[u8]) -> Self {
        let given = match index {
            TRANSFER_ENCODING if value.eq_ignore_ascii_case(b"chunked") => Self::Chunked,
            CONTENT_LENGTH => number(value, 10).map_or(Self::Unknown, Self::Length),
            TRANSFER_ENCODING => Self::Unknown,
            _ => return self,
        };
        if self == Self::NoBody || self == given {
            given
        } else {
            Self::Unknown
        }
    }
}

impl Line {
    /// Appends bytes of the line. Keeps at most `max_bytes` of the line.
    pub(super) fn push(&mut self, bytes: &[u8], max_bytes: usize) {
        let left = max_bytes.saturating_sub(self.bytes.len());
        self.is_truncated |= left < bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..left.min(bytes.len())]);
    }

    /// Whether the line consists of a line break only.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_truncated && matches!(self.bytes[..], [b'\n'] | [b'\r', b'\n'])
    }
}

/// Parses a number without a sign.
pub(super) fn number(text: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.starts_with('+') {
        return None;
    }
    u64::from_str_radix(text, radix).ok()
}
