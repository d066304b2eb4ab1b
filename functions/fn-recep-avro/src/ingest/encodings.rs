//! Undoes what a transport did to the body: base64, then gzip. Pure, and bounded whatever the input claims.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// Why an encoding could not be undone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EncodingError {
    /// The bytes are not of that encoding; a phrase says why.
    Malformed(String),
    /// What came out is larger than the limit.
    TooLarge,
}

/// Undoes base64 (RFC 4648, padded); line breaks and spaces between the digits are skipped, as RFC 2045 asks.
///
/// # Errors
/// Not base64. The output is three quarters of the input at most, so it needs no limit.
pub(super) fn undo_base64(body: &[u8]) -> Result<Bytes, EncodingError> {
    let digits: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(&digits).map(Bytes::from).map_err(malformed)
}

/// Undoes gzip (RFC 1952, several members too), and stops as soon as more than `limit` bytes come out.
///
/// # Errors
/// Not gzip, cut short, followed by something else, or larger than the limit.
pub(super) fn undo_gzip(body: &[u8], limit: usize) -> Result<Bytes, EncodingError> {
    let mut plain = Vec::with_capacity(body.len().saturating_mul(3).min(limit).min(1 << 16));
    // One byte more than allowed tells "just fits" from "too large".
    let allowed = u64::try_from(limit).map_or(u64::MAX, |limit| limit.saturating_add(1));
    MultiGzDecoder::new(body)
        .take(allowed)
        .read_to_end(&mut plain)
        .map_err(malformed)?;
    if plain.len() > limit {
        return Err(EncodingError::TooLarge);
    }
    Ok(plain.into())
}

/// The library's words, without the full stop that some of them bring.
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
    fn every_byte_value_comes_back_from_both_encodings() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(undo_gzip(&gzip(&bytes), 256).unwrap(), bytes);
        assert_eq!(
            undo_base64(STANDARD.encode(&bytes).as_bytes()).unwrap(),
            bytes
        );
    }

    #[test]
    fn base64_may_be_broken_into_lines_but_not_into_junk() {
        assert_eq!(
            undo_base64(b"AAEC\r\n/v8=\n").unwrap()[..],
            [0, 1, 2, 254, 255]
        );
        for junk in [
            &b"A"[..],
            b"AAE",
            b"AA=A",
            b"AAEC_v8=",
            b"\xff\xfe",
            b"AA\0A",
        ] {
            assert!(matches!(
                undo_base64(junk),
                Err(EncodingError::Malformed(_))
            ));
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = gzip(&vec![0; 50_000_000]);
        assert!(bomb.len() < 100_000);
        assert_eq!(undo_gzip(&bomb, 1_000_000), Err(EncodingError::TooLarge));
        assert_eq!(undo_gzip(&gzip(&[7; 1000]), 1000).unwrap().len(), 1000);
        assert_eq!(
            undo_gzip(&gzip(&[7; 1001]), 1000),
            Err(EncodingError::TooLarge)
        );
    }

    #[test]
    fn gzip_cut_anywhere_or_followed_by_junk_is_malformed() {
        let whole = gzip(b"some bytes that compress somewhat, somewhat");
        for length in 0..whole.len() {
            assert!(
                undo_gzip(&whole[..length], 1000).is_err(),
                "cut at {length}"
            );
        }
        let junk = [&whole[..], b"junk"].concat();
        assert!(matches!(
            undo_gzip(&junk, 1000),
            Err(EncodingError::Malformed(_))
        ));
        let twice = [&whole[..], &whole[..]].concat();
        assert_eq!(undo_gzip(&twice, 1000).unwrap().len(), 86);
    }
}
