//! The codecs of a container's blocks, with a limit for the decompressed content.
//!
//! Lengths in the compressed bytes do not decide how much memory is allocated: the output grows as it is produced, up to the
//! limit.

mod bzip2;
mod deflate;
mod snappy;
mod stream;
mod xz;
mod zstandard;

use std::io;

/// The codec of a container's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// No compression.
    Null,
    /// Deflate (RFC 1951), without zlib's header and checksum.
    Deflate,
    /// A bzip2 stream.
    Bzip2,
    /// Snappy's block format, then the content's CRC-32, big-endian.
    Snappy,
    /// An xz stream.
    Xz,
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
    pub const ALL: [Codec; 6] = [
        Codec::Null,
        Codec::Deflate,
        Codec::Bzip2,
        Codec::Snappy,
        Codec::Xz,
        Codec::Zstandard,
    ];

    /// The name in the file's metadata.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Null => "null",
            Codec::Deflate => "deflate",
            Codec::Bzip2 => "bzip2",
            Codec::Snappy => "snappy",
            Codec::Xz => "xz",
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
            Codec::Deflate => deflate::compress(content),
            Codec::Bzip2 => bzip2::compress(content),
            Codec::Snappy => snappy::compress(content),
            Codec::Xz => xz::compress(content),
            Codec::Zstandard => zstandard::compress(content),
        }
    }

    /// Decompresses a block's content of at most `max` bytes. Returns it from `stored` or in `buffer`, whose previous
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
            Codec::Deflate => deflate::decompress(stored, max, buffer)?,
            Codec::Bzip2 => bzip2::decompress(stored, max, buffer)?,
            Codec::Snappy => snappy::decompress(stored, max, buffer)?,
            Codec::Xz => xz::decompress(stored, max, buffer)?,
            Codec::Zstandard => zstandard::decompress(stored, max, buffer)?,
        };
        match content.len() > max {
            true => Err(CodecError::TooLong),
            false => Ok(content),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) fn decompress(
        codec: Codec,
        stored: &[u8],
        max: usize,
    ) -> Result<Vec<u8>, CodecError> {
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
        for codec in Codec::ALL.into_iter().skip(1) {
            let content = b"some text, some more text, and some more text".repeat(9);
            let stored = codec.compress(&content).unwrap();
            for cut in 0..stored.len() {
                let found = decompress(codec, &stored[..cut], 1_000_000);
                assert!(found.is_err(), "{codec:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn rejects_bytes_after_content_that_is_not_deflated() {
        for codec in Codec::ALL.into_iter().skip(2) {
            let mut stored = codec.compress(b"some text").unwrap();
            stored.push(1);
            assert!(decompress(codec, &stored, 1_000_000).is_err(), "{codec:?}");
        }
    }
}
