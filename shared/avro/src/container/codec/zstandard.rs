//! Zstandard frames (RFC 8878).

use std::io::{self, Read};

use super::CodecError;

/// The largest window of a Zstandard frame, as a power of two: 128 MiB, which level 22 uses.
///
/// Not derived from the limit for the content: a streaming writer such as Java's states the window of its level even if the
/// content is small. The decoder reserves the window, and writes only as much of it as the content fills.
const ZSTANDARD_WINDOW_LOG: u32 = 27;

pub(super) fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    zstd::stream::encode_all(content, 0)
}

pub(super) fn decompress<'b>(
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

    use super::super::tests::decompress;
    use super::super::{Codec, CodecError};

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

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
