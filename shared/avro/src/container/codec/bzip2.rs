//! A bzip2 stream.

use std::io::{self, Write};

use bzip2::write::BzEncoder;
use bzip2::{Compression, Decompress, Status};

use super::{CodecError, OUTPUT_STEP};

pub(super) fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

// The decoder needs up to 4 MB, as the format defines.
pub(super) fn decompress<'b>(
    stored: &[u8],
    max: usize,
    content: &'b mut Vec<u8>,
) -> Result<&'b [u8], CodecError> {
    let malformed = |reason: &str| CodecError::Malformed(format!("the bzip2 content {reason}"));
    let mut decoder = Decompress::new(false);
    let mut rest = stored;
    loop {
        content.reserve(OUTPUT_STEP);
        let before = (decoder.total_in(), content.len());
        let status = decoder
            .decompress_vec(rest, content)
            .map_err(|error| malformed(&format!("is damaged: {error}")))?;
        let consumed = usize::try_from(decoder.total_in() - before.0).unwrap_or(rest.len());
        rest = rest.get(consumed..).unwrap_or_default();
        match status {
            _ if content.len() > max => return Err(CodecError::TooLong),
            Status::StreamEnd if rest.is_empty() => return Ok(content),
            Status::StreamEnd => return Err(malformed("is followed by other bytes")),
            _ if before == (decoder.total_in(), content.len()) => {
                return Err(malformed("is truncated"));
            }
            _ => {}
        }
    }
}
