//! Pauses: which endpoints the next run should not ask yet.
//!
//! # Format
//!
//! Base64url without padding of 12 bytes for each pause: the key of the route, 8 bytes, and the end in seconds since 1970,
//! 4 bytes, both little-endian.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The most pauses of a record. More are left out, those that end first.
pub const MAX_PAUSES: usize = 128;

/// The bytes of an encoded pause.
const LENGTH: usize = 12;

/// The pause of one route's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The key of the route: [`route_key`].
    pub route: u64,
    /// The end, in seconds since 1970.
    pub until: u32,
}

/// The key of a route: FNV-1a of its name and its endpoint. A route whose endpoint is changed has another key, so the pause
/// of the old endpoint does not apply.
pub fn route_key(name: &str, endpoint: &str) -> u64 {
    let bytes = name.bytes().chain([0]).chain(endpoint.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Encodes pauses, at most [`MAX_PAUSES`]: 2,048 characters.
pub(crate) fn encode(pauses: &[Pause]) -> String {
    let mut longest: Vec<&Pause> = pauses.iter().collect();
    longest.sort_by_key(|pause| std::cmp::Reverse(pause.until));
    let mut bytes = Vec::new();
    for pause in longest.into_iter().take(MAX_PAUSES) {
        bytes.extend(pause.route.to_le_bytes());
        bytes.extend(pause.until.to_le_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes pauses. Empty if the text is malformed or too long.
pub(crate) fn decode(text: &str) -> Vec<Pause> {
    if text.len() > MAX_PAUSES * LENGTH / 3 * 4 {
        return Vec::new();
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let (pauses, rest) = bytes.as_chunks::<LENGTH>();
    if !rest.is_empty() {
        return Vec::new();
    }
    let pause = |bytes: &[u8; LENGTH]| {
        let (route, until) = (bytes.first_chunk()?, bytes.last_chunk()?);
        Some(Pause {
            route: u64::from_le_bytes(*route),
            until: u32::from_le_bytes(*until),
        })
    };
    pauses.iter().filter_map(pause).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_pauses_are_kept_if_there_are_too_many() {
        let pauses: Vec<Pause> = (0..200).map(|until| Pause { route: 1, until }).collect();
        let text = encode(&pauses);
        assert_eq!(text.len(), 2048);
        let decoded = decode(&text);
        assert_eq!(decoded.len(), MAX_PAUSES);
        assert!(decoded.iter().all(|pause| pause.until >= 72));
        assert!(decode(&(text + "AAAAAAAAAAAAAAAA")).is_empty());
    }

    #[test]
    fn keys_of_routes_differ() {
        let keys = [("a", "b"), ("ab", ""), ("", "ab"), ("b", "a")];
        let mut keys = keys
            .map(|(name, endpoint)| route_key(name, endpoint))
            .to_vec();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 4);
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes_and_no_text_causes_a_panic(
            pauses in prop::collection::vec((any::<u64>(), any::<u32>()), 0..20),
            text in "\\PC{0,60}",
        ) {
            let mut pauses: Vec<Pause> =
                pauses.into_iter().map(|(route, until)| Pause { route, until }).collect();
            pauses.sort_by_key(|pause| std::cmp::Reverse(pause.until));
            prop_assert_eq!(decode(&encode(&pauses)), pauses);
            decode(&text);
        }
    }
}
