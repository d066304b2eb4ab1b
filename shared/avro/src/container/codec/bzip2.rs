//! A bzip2 stream.

use std::io::{self, Write};

use bzip2::write::BzEncoder;
use bzip2::{Compression, Decompress, Status};

use super::CodecError;
use super::stream::{self, OUTPUT_STEP, Step};

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
    let mut decoder = Decompress::new(false);
    stream::decompress_all("bzip2", stored, max, content, |rest, content| {
        content.reserve(OUTPUT_STEP);
        let before = decoder.total_in();
        let status = decoder
            .decompress_vec(rest, content)
            .map_err(|error| error.to_string())?;
        Ok(Step {
            consumed: usize::try_from(decoder.total_in() - before).unwrap_or(rest.len()),
            is_end: status == Status::StreamEnd,
        })
    })
}
