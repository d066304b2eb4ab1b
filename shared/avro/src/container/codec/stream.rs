//! Decompresses with a decoder that reads and writes in steps.

use super::CodecError;

/// The number of bytes by which the output grows at a time.
pub(super) const OUTPUT_STEP: usize = 32 * 1024;

/// What a step of a decoder has done.
pub(super) struct Step {
    /// The bytes of input that it has read.
    pub(super) consumed: usize,
    /// Whether the end of the stream was read.
    pub(super) is_end: bool,
}

/// Appends the content of a stream, at most `max` bytes, in steps of a decoder: from the rest of the input to the end of the
/// output. Returns the input after the stream. `name` is for errors.
///
/// # Errors
/// The content is longer, damaged or truncated.
pub(super) fn decompress<'s>(
    name: &str,
    stored: &'s [u8],
    max: usize,
    content: &mut Vec<u8>,
    mut step: impl FnMut(&[u8], &mut Vec<u8>) -> Result<Step, String>,
) -> Result<&'s [u8], CodecError> {
    let malformed = |reason: &str| CodecError::Malformed(format!("the {name} content {reason}"));
    let mut rest = stored;
    loop {
        let before = content.len();
        let found =
            step(rest, content).map_err(|error| malformed(&format!("is damaged: {error}")))?;
        rest = rest.get(found.consumed..).unwrap_or_default();
        if content.len() > max {
            return Err(CodecError::TooLong);
        } else if found.is_end {
            return Ok(rest);
        } else if (found.consumed, content.len()) == (0, before) {
            return Err(malformed("is truncated"));
        }
    }
}

/// As [`decompress`], for a stream that no bytes may follow.
pub(super) fn decompress_all<'b>(
    name: &str,
    stored: &[u8],
    max: usize,
    content: &'b mut Vec<u8>,
    step: impl FnMut(&[u8], &mut Vec<u8>) -> Result<Step, String>,
) -> Result<&'b [u8], CodecError> {
    match decompress(name, stored, max, content, step)? {
        [] => Ok(content),
        _ => Err(CodecError::Malformed(format!(
            "the {name} content is followed by other bytes"
        ))),
    }
}
