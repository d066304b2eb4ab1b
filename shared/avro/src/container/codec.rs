//! The codecs of a container's blocks, with a bound on what comes out.
//!
//! A length in the compressed bytes never decides how much memory is taken: output grows as it is produced, and
//! stops at the bound.

use std::io::{self, Read, Write};

use flate2::{Compression, Decompress, FlushDecompress, Status};

/// How a container's blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Null,
    /// RFC 1951, without zlib's header or checksum.
    Deflate,
    /// Snappy's block format, then the content's CRC-32, big-endian.
    Snappy,
    /// Zstandard frames.
    Zstandard,
}

/// Why a block's content cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It would be more than the bound.
    TooMuch,
    /// It is not what the codec's compressor makes.
    Broken(String),
}

impl Codec {
    /// All of them, in the specification's order.
    pub const ALL: [Codec; 4] = [Codec::Null, Codec::Deflate, Codec::Snappy, Codec::Zstandard];

    /// The name in a file's metadata.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Null => "null",
            Codec::Deflate => "deflate",
            Codec::Snappy => "snappy",
            Codec::Zstandard => "zstandard",
        }
    }

    /// The codec of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// A block's content as it is stored.
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

    /// A block's content, at most `most` bytes of it: as it is stored, or in `room`, whatever was there before.
    pub(super) fn expand<'b>(
        self,
        stored: &'b [u8],
        most: usize,
        room: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Refusal> {
        room.clear();
        let content = match self {
            Codec::Null => stored,
            Codec::Deflate => inflate(stored, most, room)?,
            Codec::Snappy => unsnap(stored, most, room)?,
            Codec::Zstandard => unzstd(stored, most, room)?,
        };
        match content.len() > most {
            true => Err(Refusal::TooMuch),
            false => Ok(content),
        }
    }
}

/// How much more room the output gets at a time.
const STEP: usize = 32 * 1024;

fn inflate<'b>(stored: &[u8], most: usize, content: &'b mut Vec<u8>) -> Result<&'b [u8], Refusal> {
    let broken = |reason: &str| Refusal::Broken(format!("the deflated content {reason}"));
    let mut inflate = Decompress::new(false);
    let mut rest = stored;
    loop {
        content.reserve(STEP);
        let before = (inflate.total_in(), content.len());
        let status = inflate
            .decompress_vec(rest, content, FlushDecompress::None)
            .map_err(|error| broken(&format!("is damaged: {error}")))?;
        let eaten = usize::try_from(inflate.total_in() - before.0).unwrap_or(rest.len());
        rest = rest.get(eaten..).unwrap_or_default();
        match status {
            _ if content.len() > most => return Err(Refusal::TooMuch),
            // Bytes may follow: RFC 1951 marks the end of the stream itself (3.2.3, BFINAL), and Python's writers cut
            // only part of zlib's Adler-32 off. Refusing them would protect nothing: the block's count of records has
            // to match the content.
            Status::StreamEnd => return Ok(content),
            _ if before == (inflate.total_in(), content.len()) => return Err(broken("is cut off")),
            _ => {}
        }
    }
}

fn unsnap<'b>(stored: &[u8], most: usize, content: &'b mut Vec<u8>) -> Result<&'b [u8], Refusal> {
    let broken = |reason: String| Refusal::Broken(format!("the snappy content {reason}"));
    let Some((compressed, checksum)) = stored.split_last_chunk::<4>() else {
        return Err(broken("has no checksum".to_owned()));
    };
    let size = snap::raw::decompress_len(compressed)
        .map_err(|error| broken(format!("is damaged: {error}")))?;
    // The longest copy gives 64 bytes for 3, so a length beyond that is a lie, and is not allocated.
    if size / 22 > compressed.len() {
        return Err(broken(format!("says it has {size} bytes")));
    }
    if size > most {
        return Err(Refusal::TooMuch);
    }
    content.resize(size, 0);
    let written = snap::raw::Decoder::new()
        .decompress(compressed, content)
        .map_err(|error| broken(format!("is damaged: {error}")))?;
    content.truncate(written);
    match crc32fast::hash(content).to_be_bytes() == *checksum {
        true => Ok(content),
        false => Err(broken("does not have its checksum".to_owned())),
    }
}

/// The largest window of a Zstandard frame, as a power of two: 128 MiB, which level 22 uses.
///
/// Not derived from the bound on the content: a streaming writer such as Java's states the level's window however small
/// the content is. The decoder reserves the window and writes only as much of it as the content fills.
const ZSTANDARD_WINDOW_LOG: u32 = 27;

fn unzstd<'b>(stored: &[u8], most: usize, content: &'b mut Vec<u8>) -> Result<&'b [u8], Refusal> {
    let broken =
        |error: io::Error| Refusal::Broken(format!("the zstandard content is damaged: {error}"));
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stored).map_err(broken)?;
    decoder
        .window_log_max(ZSTANDARD_WINDOW_LOG)
        .map_err(broken)?;
    decoder
        .take(most as u64 + 1)
        .read_to_end(content)
        .map_err(broken)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn expand(codec: Codec, stored: &[u8], most: usize) -> Result<Vec<u8>, Refusal> {
        // What another block left there is of no consequence.
        let mut room = vec![7; 100];
        codec.expand(stored, most, &mut room).map(<[u8]>::to_vec)
    }

    fn samples() -> Vec<Vec<u8>> {
        let mut mixed: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
            .collect();
        mixed.extend_from_slice(&[7; 100_000]);
        vec![Vec::new(), b"hello".to_vec(), vec![0; 1_000_000], mixed]
    }

    #[test]
    fn content_comes_back_and_no_more_than_the_bound() {
        for codec in Codec::ALL {
            for content in samples() {
                let stored = codec.compress(&content).unwrap();
                let size = content.len();
                assert!(expand(codec, &stored, size).unwrap() == content);
                if size > 0 {
                    assert_eq!(expand(codec, &stored, size - 1), Err(Refusal::TooMuch));
                }
            }
        }
    }

    #[test]
    fn refuses_truncated_content() {
        for codec in [Codec::Deflate, Codec::Snappy, Codec::Zstandard] {
            let content = b"some text, some more text, and some more text".repeat(9);
            let stored = codec.compress(&content).unwrap();
            for cut in 0..stored.len() {
                let expanded = expand(codec, &stored[..cut], 1_000_000);
                assert!(expanded.is_err(), "{codec:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn refuses_bytes_after_snappy_and_zstandard_content() {
        for codec in [Codec::Snappy, Codec::Zstandard] {
            let mut stored = codec.compress(b"some text").unwrap();
            stored.push(1);
            assert!(expand(codec, &stored, 1_000_000).is_err(), "{codec:?}");
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
            prop_assert_eq!(expand(Codec::Deflate, &stored, content.len()), Ok(content.clone()));
            if let Some(less) = content.len().checked_sub(1) {
                prop_assert_eq!(expand(Codec::Deflate, &stored, less), Err(Refusal::TooMuch));
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
            prop_assert_eq!(expand(Codec::Zstandard, &stored, content.len()), Ok(content));
        }
    }

    #[test]
    fn a_length_that_snappy_cannot_reach_is_not_believed() {
        let mut stored = vec![0xff, 0xff, 0xff, 0xff, 0x0f];
        stored.extend_from_slice(&[0; 8]);
        let Err(Refusal::Broken(reason)) = expand(Codec::Snappy, &stored, usize::MAX) else {
            panic!()
        };
        assert_eq!(reason, "the snappy content says it has 4294967295 bytes");
    }

    #[test]
    fn accepts_zstandard_windows_up_to_those_of_level_22() {
        // Magic, a header without content size, a window of 2^log bytes, one empty last block.
        let frame = |log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, (log - 10) << 3, 1, 0, 0];
        for log in [10, 23, 24, 27] {
            let expanded = expand(Codec::Zstandard, &frame(log), 1 << 20);
            assert_eq!(expanded, Ok(Vec::new()), "2^{log}");
        }
        for log in [28, 31] {
            let Err(Refusal::Broken(reason)) = expand(Codec::Zstandard, &frame(log), 1 << 20)
            else {
                panic!("2^{log} is accepted")
            };
            assert!(reason.contains("memory"), "{reason}");
        }
    }
}
