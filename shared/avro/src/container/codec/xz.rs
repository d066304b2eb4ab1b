//! An xz stream.

use std::io::{self, Write};

use lzma_rust2::{Action, Status, XzOptions, XzStream, XzWriter};

use super::CodecError;
use super::stream::{self, OUTPUT_STEP, Step};

/// The level of `xz` and of Java's writer. Its dictionary has 8 MiB.
const LEVEL: u32 = 6;

/// The maximum memory of the decoder, in KiB: the dictionary of level 9 is 64 MiB. The decoder allocates only as much of it as
/// the content fills.
const MEMORY: u32 = 65 * 1024;

pub(super) fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = XzWriter::new(Vec::new(), XzOptions::with_preset(LEVEL))?;
    encoder.write_all(content)?;
    encoder.finish()
}

pub(super) fn decompress<'b>(
    stored: &[u8],
    max: usize,
    content: &'b mut Vec<u8>,
) -> Result<&'b [u8], CodecError> {
    let mut decoder = XzStream::new_mem_limit(false, MEMORY);
    stream::decompress_all("xz", stored, max, content, |rest, content| {
        let start = content.len();
        content.resize(start + OUTPUT_STEP, 0);
        let output = content.get_mut(start..).unwrap_or_default();
        let found = decoder
            .process(rest, output, Action::Finish)
            .map_err(|error| error.to_string())?;
        content.truncate(start + found.bytes_produced);
        Ok(Step {
            consumed: found.bytes_consumed,
            is_end: found.status == Status::StreamEnd,
        })
    })
}

#[cfg(test)]
mod tests {
    use lzma_rust2::{XzOptions, XzWriter};
    use std::io::Write;

    use super::super::tests::decompress;
    use super::super::{Codec, CodecError};

    #[test]
    fn accepts_dictionaries_up_to_those_of_level_9() {
        let stored = |dictionary: u32| {
            let mut options = XzOptions::with_preset(0);
            options.lzma_options.dict_size = dictionary;
            let mut encoder = XzWriter::new(Vec::new(), options).unwrap();
            encoder.write_all(b"some text").unwrap();
            encoder.finish().unwrap()
        };
        let level_9 = decompress(Codec::Xz, &stored(64 << 20), 9);
        assert_eq!(level_9, Ok(b"some text".to_vec()));
        let Err(CodecError::Malformed(reason)) = decompress(Codec::Xz, &stored(96 << 20), 9) else {
            panic!()
        };
        assert!(reason.contains("memory"), "{reason}");
    }

    #[test]
    fn rejects_a_second_stream() {
        let stored = Codec::Xz.compress(b"some text").unwrap().repeat(2);
        assert!(decompress(Codec::Xz, &stored, 1_000).is_err());
    }
}
