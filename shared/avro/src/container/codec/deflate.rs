//! Deflate (RFC 1951).

use std::io::{self, Write};

use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::CodecError;
use super::stream::{self, OUTPUT_STEP, Step};

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
    let mut inflate = Decompress::new(false);
    let step = |rest: &[u8], content: &mut Vec<u8>| {
        content.reserve(OUTPUT_STEP);
        let before = inflate.total_in();
        let status = inflate
            .decompress_vec(rest, content, FlushDecompress::None)
            .map_err(|error| error.to_string())?;
        Ok(Step {
            consumed: usize::try_from(inflate.total_in() - before).unwrap_or(rest.len()),
            is_end: status == Status::StreamEnd,
        })
    };
    // Bytes may follow. RFC 1951 marks the end of the stream (3.2.3, BFINAL), and Python's writers remove only part of zlib's
    // Adler-32. Rejecting such bytes would protect nothing, because the block's count of records has to match the content.
    stream::decompress("deflated", stored, max, content, step)?;
    Ok(content)
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
