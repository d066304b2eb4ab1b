//! Deflate (RFC 1951).

use std::io::{self, Write};

use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::{CodecError, OUTPUT_STEP};

pub(super) fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content)?;
    encoder.finish()
}

pub(super) fn decompress<'b>(
    stored: &[u8],
    max: usize,
    content: &'b mut Vec<u8>,
) -> Result<&'b [u8], CodecError> {
    let malformed = |reason: &str| CodecError::Malformed(format!("the deflated content {reason}"));
    let mut inflate = Decompress::new(false);
    let mut rest = stored;
    loop {
        content.reserve(OUTPUT_STEP);
        let before = (inflate.total_in(), content.len());
        let status = inflate
            .decompress_vec(rest, content, FlushDecompress::None)
            .map_err(|error| malformed(&format!("is damaged: {error}")))?;
        let consumed = usize::try_from(inflate.total_in() - before.0).unwrap_or(rest.len());
        rest = rest.get(consumed..).unwrap_or_default();
        match status {
            _ if content.len() > max => return Err(CodecError::TooLong),
            // Bytes may follow. RFC 1951 marks the end of the stream (3.2.3, BFINAL), and Python's writers remove only part
            // of zlib's Adler-32. Rejecting such bytes would protect nothing, because the block's count of records has to
            // match the content.
            Status::StreamEnd => return Ok(content),
            _ if before == (inflate.total_in(), content.len()) => {
                return Err(malformed("is truncated"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::tests::decompress;
    use super::super::{Codec, CodecError};

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn ignores_bytes_after_the_deflate_stream(
            content in vec(any::<u8>(), 0..2_000),
            repeated in 1..40_usize,
            trailing in vec(any::<u8>(), 0..20),
        ) {
            let content = content.repeat(repeated);
            let mut stored = Codec::Deflate.compress(&content).unwrap();
            stored.extend_from_slice(&trailing);
            prop_assert_eq!(decompress(Codec::Deflate, &stored, content.len()), Ok(content.clone()));
            if let Some(less) = content.len().checked_sub(1) {
                prop_assert_eq!(decompress(Codec::Deflate, &stored, less), Err(CodecError::TooLong));
            }
        }
    }
}
