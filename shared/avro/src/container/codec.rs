//! The codecs of a container's blocks, with a limit for the decompressed content.
//!
//! Lengths in the compressed bytes do not decide how much memory is allocated: the output grows as it is produced, up to the
//! limit.

use std::io::{self, Read, Write};

use flate2::{Compression, Decompress, FlushDecompress, Status};

/// The codec of a container's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// No compression.
    Null,
    /// Deflate (RFC 1951), without zlib's header and checksum.
    Deflate,
    /// Snappy's block format, then the content's CRC-32, big-endian.
    Snappy,
    /// Zstandard frames.
    Zstandard,
}

/// Why a block cannot be decompressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CodecError {
    /// The content exceeds the limit.
    TooLong,
    /// The compressed bytes are malformed.
    Malformed(String),
}

impl Codec {
    /// All codecs, in the specification's order.
    pub const ALL: [Codec; 4] = [Codec::Null, Codec::Deflate, Codec::Snappy, Codec::Zstandard];

    /// The name in the file's metadata.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Null => "null",
            Codec::Deflate => "deflate",
            Codec::Snappy => "snappy",
            Codec::Zstandard => "zstandard",
        }
    }

    /// The codec of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Compresses a block's content.
    pub(super) fn compress(self, content: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Codec::Null => Ok(content.to_vec()),
            Codec::Deflate => {
                let mut encoder =
                    flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content)?;
                encoder.finish()
            }
            Codec::Snappy => {
                let mut stored = snap::raw::Encoder::new().compress_vec(content)?;
                stored.extend_from_slice(&crc32fast::hash(content).to_be_bytes());
                Ok(stored)
            }
            Codec::Zstandard => zstd::stream::encode_all(content, 0),
        }
    }

    /// Decompresses a block's content of at max `max` bytes. Returns it from `stored` or in `buffer`, whose previous
    /// content is lost.
    pub(super) fn decompress<'b>(
        self,
        stored: &'b [u8],
        max: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], CodecError> {
        buffer.clear();
        let content = match self {
            Codec::Null => stored,
            Codec::Deflate => inflate(stored, max, buffer)?,
            Codec::Snappy => decompress_snappy(stored, max, buffer)?,
            Codec::Zstandard => decompress_zstandard(stored, max, buffer)?,
        };
        match content.len() > max {
            true => Err(CodecError::TooLong),
            false => Ok(content),
        }
    }
}

/// The number of bytes by which the output grows at a time.
const OUTPUT_STEP: usize = 32 * 1024;

fn inflate<'b>(
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

fn decompress_snappy<'b>(
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

/// The largest window of a Zstandard frame, as a power of two: 128 MiB, which level 22 uses.
///
/// Not derived from the limit for the content: a streaming writer such as Java's states the window of its level even if the
/// content is small. The decoder reserves the window, and writes only as much of it as the content fills.
const ZSTANDARD_WINDOW_LOG: u32 = 27;

fn decompress_zstandard<'b>(
    stored: &[u8],
    max: usize,
    content: &'b mut Vec<u8>,
) -> Result<&'b [u8], CodecError> {
    let malformed = |error: io::Error| {
        CodecError::Malformed(format!("the zstandard content is damaged: {error}"))
    };
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stored).map_err(malformed)?;
    decoder
        .window_log_max(ZSTANDARD_WINDOW_LOG)
        .map_err(malformed)?;
    decoder
        .take(max as u64 + 1)
        .read_to_end(content)
        .map_err(malformed)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn decompress(codec: Codec, stored: &[u8], max: usize) -> Result<Vec<u8>, CodecError> {
        // The content of another block does not matter.
        let mut buffer = vec![7; 100];
        codec
            .decompress(stored, max, &mut buffer)
            .map(<[u8]>::to_vec)
    }

    fn samples() -> Vec<Vec<u8>> {
        let mut mixed: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
            .collect();
        mixed.extend_from_slice(&[7; 100_000]);
        vec![Vec::new(), b"hello".to_vec(), vec![0; 1_000_000], mixed]
    }

    #[test]
    fn decompresses_up_to_the_limit() {
        for codec in Codec::ALL {
            for content in samples() {
                let stored = codec.compress(&content).unwrap();
                let size = content.len();
                assert!(decompress(codec, &stored, size).unwrap() == content);
                if size > 0 {
                    assert_eq!(
                        decompress(codec, &stored, size - 1),
                        Err(CodecError::TooLong)
                    );
                }
            }
        }
    }

    #[test]
    fn rejects_truncated_content() {
        for codec in [Codec::Deflate, Codec::Snappy, Codec::Zstandard] {
            let content = b"some text, some more text, and some more text".repeat(9);
            let stored = codec.compress(&content).unwrap();
            for cut in 0..stored.len() {
                let found = decompress(codec, &stored[..cut], 1_000_000);
                assert!(found.is_err(), "{codec:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn rejects_bytes_after_snappy_and_zstandard_content() {
        for codec in [Codec::Snappy, Codec::Zstandard] {
            let mut stored = codec.compress(b"some text").unwrap();
            stored.push(1);
            assert!(decompress(codec, &stored, 1_000_000).is_err(), "{codec:?}");
        }
    }

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

        #[test]
        fn reads_several_zstandard_frames_and_skips_skippable_ones(
            frames in vec((any::<bool>(), vec(any::<u8>(), 0..300)), 1..6),
        ) {
            let (mut stored, mut content) = (Vec::new(), Vec::new());
            for (skippable, bytes) in &frames {
                if *skippable {
                    // RFC 8878, 3.1.2.
                    stored.extend_from_slice(&0x184d_2a53_u32.to_le_bytes());
                    stored.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    stored.extend_from_slice(bytes);
                } else {
                    stored.extend(Codec::Zstandard.compress(bytes).unwrap());
                    content.extend_from_slice(bytes);
                }
            }
            prop_assert_eq!(decompress(Codec::Zstandard, &stored, content.len()), Ok(content));
        }
    }

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

    #[test]
    fn accepts_zstandard_windows_up_to_those_of_level_22() {
        // Magic, a header without content size, a window of 2^log bytes, one empty last block.
        let frame = |log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, (log - 10) << 3, 1, 0, 0];
        for log in [10, 23, 24, 27] {
            let found = decompress(Codec::Zstandard, &frame(log), 1 << 20);
            assert_eq!(found, Ok(Vec::new()), "2^{log}");
        }
        for log in [28, 31] {
            let Err(CodecError::Malformed(reason)) =
                decompress(Codec::Zstandard, &frame(log), 1 << 20)
            else {
                panic!("2^{log} is accepted")
            };
            assert!(reason.contains("memory"), "{reason}");
        }
    }
}
