//! Decodes the encodings of a body: base64 and gzip.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// Why a body could not be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EncodingError {
    /// The body does not have this encoding, for this reason.
    Malformed(String),
    /// The decoded body is larger than the limit.
    TooLarge,
}

/// Decodes base64 (RFC 4648, section 4, padded). White space is ignored (RFC 2045, section 6.8).
///
/// It needs no limit: the output is at most three quarters of the input.
pub(super) fn decode_base64(body: &[u8]) -> Result<Bytes, EncodingError> {
    let digits: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(&digits).map(Bytes::from).map_err(malformed)
}

/// Decompresses gzip (RFC 1952), of one or more members, to at most `limit` bytes.
pub(super) fn decompress_gzip(body: &[u8], limit: usize) -> Result<Bytes, EncodingError> {
    let mut decoded = Vec::with_capacity(body.len().saturating_mul(3).min(limit).min(1 << 16));
    // One byte more than the limit distinguishes output of exactly that size from larger output.
    let allowed = u64::try_from(limit).map_or(u64::MAX, |limit| limit.saturating_add(1));
    MultiGzDecoder::new(body)
        .take(allowed)
        .read_to_end(&mut decoded)
        .map_err(malformed)?;
    if decoded.len() > limit {
        return Err(EncodingError::TooLarge);
    }
    Ok(decoded.into())
}

/// Some messages of the libraries end in a full stop.
fn malformed(error: impl std::fmt::Display) -> EncodingError {
    EncodingError::Malformed(error.to_string().trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn decodes_every_byte_value() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decompress_gzip(&gzip(&bytes), 256).unwrap(), bytes);
        assert_eq!(
            decode_base64(STANDARD.encode(&bytes).as_bytes()).unwrap(),
            bytes
        );
    }

    #[test]
    fn ignores_white_space_in_base64_and_rejects_other_characters() {
        assert_eq!(
            decode_base64(b"AAEC\r\n/v8=\n").unwrap()[..],
            [0, 1, 2, 254, 255]
        );
        for invalid in [
            &b"A"[..],
            b"AAE",
            b"AA=A",
            b"AAEC_v8=",
            b"\xff\xfe",
            b"AA\0A",
        ] {
            assert!(matches!(
                decode_base64(invalid),
                Err(EncodingError::Malformed(_))
            ));
        }
    }

    #[test]
    fn stops_decompressing_at_the_limit() {
        let bomb = gzip(&vec![0; 50_000_000]);
        assert!(bomb.len() < 100_000);
        assert_eq!(
            decompress_gzip(&bomb, 1_000_000),
            Err(EncodingError::TooLarge)
        );
        assert_eq!(
            decompress_gzip(&gzip(&[7; 1000]), 1000).unwrap().len(),
            1000
        );
        assert_eq!(
            decompress_gzip(&gzip(&[7; 1001]), 1000),
            Err(EncodingError::TooLarge)
        );
    }

    #[test]
    fn rejects_gzip_that_is_truncated_or_followed_by_other_bytes() {
        let whole = gzip(b"some bytes that compress somewhat, somewhat");
        for length in 0..whole.len() {
            assert!(
                decompress_gzip(&whole[..length], 1000).is_err(),
                "truncated to {length}"
            );
        }
        let junk = [&whole[..], b"junk"].concat();
        assert!(matches!(
            decompress_gzip(&junk, 1000),
            Err(EncodingError::Malformed(_))
        ));
        let twice = [&whole[..], &whole[..]].concat();
        assert_eq!(decompress_gzip(&twice, 1000).unwrap().len(), 86);
    }
}
