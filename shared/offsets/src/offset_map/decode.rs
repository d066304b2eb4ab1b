//! Decodes a commit's metadata.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::leb128;
use super::map::OffsetMap;
use super::scope::{InvalidMetadata, MAGIC, Scope};

/// Decodes the map in the metadata of a commit at `commit`.
///
/// # Errors
/// The metadata is empty, is not a map, is damaged, or is a map of another scope.
pub fn decode(metadata: &str, commit: i64, scope: &Scope) -> Result<OffsetMap, InvalidMetadata> {
    if metadata.is_empty() {
        return Err(InvalidMetadata::Missing);
    }
    let (topic, text) = metadata
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.rsplit_once('.'))
        .ok_or(InvalidMetadata::Unrecognized)?;
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| InvalidMetadata::Unrecognized)?;
    let (head, mut rest) = bytes
        .split_first_chunk::<8>()
        .ok_or(InvalidMetadata::Unrecognized)?;
    // An empty id does not prove that the topic was deleted and created again.
    if topic != scope.topic && !topic.is_empty() && !scope.topic.is_empty() {
        return Err(InvalidMetadata::TopicMismatch);
    }
    if u64::from_le_bytes(*head) != scope.routes {
        return Err(InvalidMetadata::RouteMismatch);
    }
    parse(&mut rest, commit)
        .filter(|_| rest.is_empty())
        .ok_or(InvalidMetadata::Unrecognized)
}

/// The topic id in a commit's metadata. `None` if the metadata is not a map or has no topic id.
pub fn topic_of(metadata: &str) -> Option<&str> {
    let (topic, _) = metadata.strip_prefix(MAGIC)?.rsplit_once('.')?;
    (!topic.is_empty()).then_some(topic)
}

fn parse(bytes: &mut &[u8], commit: i64) -> Option<OffsetMap> {
    let scanned = commit.checked_add(leb128::take(bytes)?)?;
    let classes = leb128::take(bytes)?;
    let mut map = OffsetMap {
        scanned,
        gaps: Vec::new(),
    };
    for _ in 0..classes {
        let count = leb128::take(bytes)?;
        let (mut gaps, mut from) = (Vec::new(), commit);
        for _ in 0..count {
            let start = from.checked_add(leb128::take(bytes)?)?;
            let end = start.checked_add(leb128::take(bytes)?)?;
            if end <= start || end > scanned {
                return None;
            }
            gaps.push((start, end));
            from = end;
        }
        map.gaps.push(gaps);
    }
    Some(map)
}
