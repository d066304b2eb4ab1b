//! The done-map: what is settled beyond a commit, as text for the commit's metadata.
//!
//! Kafka keeps a string beside every committed offset, 4096 bytes at most by default (`offset.metadata.max.bytes`).
//! The map tells, for each class of records, the stretches in which its records are *not* settled; see `progress.rs`.
//! It names the topic (by its id) and the routes that it was made for, and is not believed for others. A map that is
//! lost or not believed costs repeats, never a record.
//!
//! `fd1.` topic `.` base64url of: the routes' fingerprint (8 bytes), `scanned − commit`, number of classes, and for each class the number
//! of its holes and for each hole its distance from the one before and its length; all LEB128.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::progress::Range;

const MAGIC: &str = "fd1.";

/// What was scanned beyond the commit, and the holes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneMap {
    /// Everything below was read.
    pub scanned: i64,
    /// For each class, the stretches in which none of its records is settled, in order.
    pub holes: Vec<Vec<Range>>,
}

impl DoneMap {
    /// How many offsets from the commit on and below `end` are not settled, as far as the map tells.
    pub fn unsettled_below(&self, end: i64, commit: i64) -> i64 {
        let mut holes: Vec<Range> = self.holes.iter().flatten().copied().collect();
        holes.push((self.scanned, i64::MAX));
        holes.sort_unstable();
        let (mut count, mut from) = (0, commit);
        for hole in holes {
            let (start, stop) = (hole.0.max(from), hole.1.min(end));
            count += (stop - start).max(0);
            from = from.max(stop);
        }
        count
    }
}

/// Why a commit's metadata is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbelieved {
    /// There is none.
    #[error("the commit has no metadata")]
    Absent,
    /// It is not ours, or damaged.
    #[error("the commit's metadata is not a done-map")]
    Foreign,
    /// It was made for other routes.
    #[error("the done-map was made for other routes or another schema")]
    OtherRoutes,
    /// It was made for another topic of the same name.
    #[error("the commit was made for another topic of that name, which is gone")]
    OtherTopic,
}

/// What a map is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The topic's id; empty where the broker tells none.
    pub topic: String,
    /// The fingerprint of the routes.
    pub routes: u64,
}

/// The map as text of at most `limit` bytes, for a commit at `commit`. A map that does not fit tells of fewer offsets:
/// it forgets the highest ones, whose records a next run then sends again.
pub fn encode(map: &DoneMap, commit: i64, stamp: &Stamp, limit: usize) -> String {
    let mut scanned = map.scanned;
    loop {
        let text = encode_below(map, scanned, commit, stamp);
        if text.len() <= limit || scanned <= commit {
            return text;
        }
        // Holes are what takes room: forget half of them at a time, from the highest down.
        let mut starts: Vec<i64> = map
            .holes
            .iter()
            .flatten()
            .map(|hole| hole.0)
            .filter(|start| *start > commit && *start < scanned)
            .collect();
        starts.sort_unstable();
        scanned = starts.get(starts.len() / 2).copied().unwrap_or(commit);
    }
}

fn encode_below(map: &DoneMap, scanned: i64, commit: i64, stamp: &Stamp) -> String {
    let mut bytes = stamp.routes.to_le_bytes().to_vec();
    put(&mut bytes, scanned - commit);
    put(&mut bytes, map.holes.len() as i64);
    for holes in &map.holes {
        let below: Vec<Range> = holes
            .iter()
            .filter(|hole| hole.0 < scanned)
            .map(|hole| (hole.0, hole.1.min(scanned)))
            .collect();
        put(&mut bytes, below.len() as i64);
        let mut from = commit;
        for hole in below {
            put(&mut bytes, hole.0 - from);
            put(&mut bytes, hole.1 - hole.0);
            from = hole.1;
        }
    }
    format!("{MAGIC}{}.{}", stamp.topic, URL_SAFE_NO_PAD.encode(bytes))
}

/// The map in a commit's metadata.
///
/// # Errors
/// It is absent, foreign or damaged, or was made for another topic or other routes.
pub fn decode(metadata: &str, commit: i64, stamp: &Stamp) -> Result<DoneMap, Unbelieved> {
    if metadata.is_empty() {
        return Err(Unbelieved::Absent);
    }
    let (topic, text) = metadata
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.rsplit_once('.'))
        .ok_or(Unbelieved::Foreign)?;
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Unbelieved::Foreign)?;
    let (head, mut rest) = bytes.split_first_chunk::<8>().ok_or(Unbelieved::Foreign)?;
    // A broker that told no id then or tells none now has not made the topic anew for that.
    if topic != stamp.topic && !topic.is_empty() && !stamp.topic.is_empty() {
        return Err(Unbelieved::OtherTopic);
    }
    if u64::from_le_bytes(*head) != stamp.routes {
        return Err(Unbelieved::OtherRoutes);
    }
    parse(&mut rest, commit)
        .filter(|_| rest.is_empty())
        .ok_or(Unbelieved::Foreign)
}

/// The topic that a commit's metadata names, if it is ours and names one.
pub fn topic_of(metadata: &str) -> Option<&str> {
    let (topic, _) = metadata.strip_prefix(MAGIC)?.rsplit_once('.')?;
    (!topic.is_empty()).then_some(topic)
}

fn parse(bytes: &mut &[u8], commit: i64) -> Option<DoneMap> {
    let scanned = commit.checked_add(take(bytes)?)?;
    let classes = take(bytes)?;
    let mut map = DoneMap {
        scanned,
        holes: Vec::new(),
    };
    for _ in 0..classes {
        let count = take(bytes)?;
        let (mut holes, mut from) = (Vec::new(), commit);
        for _ in 0..count {
            let start = from.checked_add(take(bytes)?)?;
            let end = start.checked_add(take(bytes)?)?;
            if end <= start || end > scanned {
                return None;
            }
            holes.push((start, end));
            from = end;
        }
        map.holes.push(holes);
    }
    Some(map)
}

fn put(bytes: &mut Vec<u8>, value: i64) {
    // Never negative: offsets here are at or above the commit and in order.
    let mut value = value.max(0) as u64;
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return i64::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(routes: u64) -> Stamp {
        Stamp {
            topic: "Xy-3_topic".into(),
            routes,
        }
    }

    fn map() -> DoneMap {
        DoneMap {
            scanned: 1_000_000,
            holes: vec![
                vec![(100, 101), (500, 900_000)],
                vec![],
                vec![(100, 1_000_000)],
            ],
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let text = encode(&map(), 100, &stamp(42), 4096);
        assert_eq!(decode(&text, 100, &stamp(42)), Ok(map()));
        assert!(text.len() < 60, "{text}");
    }

    #[test]
    fn is_not_believed_for_other_routes_or_when_it_is_not_ours() {
        let text = encode(&map(), 100, &stamp(42), 4096);
        assert_eq!(decode(&text, 100, &stamp(43)), Err(Unbelieved::OtherRoutes));
        let anew = Stamp {
            topic: "other".into(),
            ..stamp(42)
        };
        assert_eq!(decode(&text, 100, &anew), Err(Unbelieved::OtherTopic));
        let untold = Stamp {
            topic: String::new(),
            ..stamp(42)
        };
        assert_eq!(decode(&text, 100, &untold), Ok(map()));
        assert_eq!(topic_of(&text), Some("Xy-3_topic"));
        assert_eq!(decode("", 100, &stamp(42)), Err(Unbelieved::Absent));
        assert_eq!(
            decode("some other tool's words", 100, &stamp(42)),
            Err(Unbelieved::Foreign)
        );
        for length in 1..text.len() {
            assert!(
                decode(&text[..length], 100, &stamp(42)).is_err(),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn a_map_that_does_not_fit_forgets_its_highest_offsets_only() {
        let holes: Vec<Range> = (0..5000).map(|n| (n * 10, n * 10 + 1)).collect();
        let map = DoneMap {
            scanned: 50_000,
            holes: vec![holes.clone(), vec![]],
        };
        let text = encode(&map, 0, &stamp(42), 3000);
        assert!(text.len() <= 3000);
        let kept = decode(&text, 0, &stamp(42)).unwrap();
        assert!(kept.scanned > 5_000, "{}", kept.scanned);
        let expected: Vec<Range> = holes
            .into_iter()
            .filter(|hole| hole.0 < kept.scanned)
            .collect();
        assert_eq!(kept.holes[0], expected);
    }

    proptest! {
        #[test]
        fn hostile_metadata_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), commit in 0i64..i64::MAX) {
            let mut text = 42u64.to_le_bytes().to_vec();
            text.extend(bytes);
            let _ = decode(&format!("{MAGIC}Xy-3_topic.{}", URL_SAFE_NO_PAD.encode(text)), commit, &stamp(42));
        }
    }
}
