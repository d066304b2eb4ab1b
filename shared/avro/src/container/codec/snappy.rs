//! Snappy's block format, with a checksum.

use std::io;

use super::CodecError;

pub(super) fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut stored = snap::raw::Encoder::new().compress_vec(content)?;
    stored.extend_from_slice(&crc32fast::hash(content).to_be_bytes());
    Ok(stored)
}

pub(super) fn decompress<'b>(
    stored: &[u8],
    max: usize,
    content: &'b mut Vec<u8>,
) -> Result<&'b [u8], CodecError> {
    let malformed = |reason: String| CodecError::Malformed(format!("the snappy content {reason}"));
    let Some((compressed, checksum)) = stored.split_last_chunk::<4>() else {
        return Err(malformed("has no checksum".to_owned()));
    };
    let size = snap::raw::decompress_len(compressed)
        .map_err(|error| malformed(format!("is damaged: {error}")))?;
    // The longest copy element expands 3 bytes to 64, so a larger length is false and is not allocated.
    if size / 22 > compressed.len() {
        return Err(malformed(format!("has a false length of {size} bytes")));
    }
    if size > max {
        return Err(CodecError::TooLong);
    }
    content.resize(size, 0);
    let written = snap::raw::Decoder::new()
        .decompress(compressed, content)
        .map_err(|error| malformed(format!("is damaged: {error}")))?;
    content.truncate(written);
    match crc32fast::hash(content).to_be_bytes() == *checksum {
        true => Ok(content),
        false => Err(malformed("does not match its checksum".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::decompress;
    use super::super::{Codec, CodecError};

    #[test]
    fn rejects_lengths_that_snappy_cannot_reach() {
        let mut stored = vec![0xff, 0xff, 0xff, 0xff, 0x0f];
        stored.extend_from_slice(&[0; 8]);
        let Err(CodecError::Malformed(reason)) = decompress(Codec::Snappy, &stored, usize::MAX)
        else {
            panic!()
        };
        assert_eq!(
            reason,
            "the snappy content has a false length of 4294967295 bytes"
        );
    }
}
