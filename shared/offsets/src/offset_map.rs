//! The done-map: what is completed beyond a commit, as text for the commit's metadata.
//!
//! Kafka keeps a string beside every committed offset, 4096 bytes at most by default (`offset.metadata.max.bytes`).
//! The map tells, for each class of records, the stretches in which its records are *not* completed; see `progress.rs`.
//! It names the topic (by its id) and the routes that it was made for, and is not believed for others. A map that is
//! lost or not believed costs repeats, never a record.
//!
//! `fd1.` topic `.` base64url of: the routes' fingerprint (8 bytes), `scanned − commit`, number of classes, and for each class the number
//! of its gaps and for each gap its distance from the one before and its length; all LEB128.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::progress::{Class, Range};

const MAGIC: &str = "fd1.";

/// What was scanned beyond the commit, and the gaps in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetMap {
    /// Everything below was read.
    pub scanned: i64,
    /// For each class, the stretches in which none of its records is completed, in order.
    pub gaps: Vec<Vec<Range>>,
}

impl OffsetMap {
    /// The first offset from which a class has something completed that `told`, a map that says less, does not tell of.
    pub fn first_not_encoded(&self, told: &Self, class: Class) -> Option<i64> {
        let gaps = self.gaps.get(class)?;
        let untold = told.gaps.get(class)?.iter().copied();
        for (mut from, end) in untold.chain([(told.scanned, self.scanned)]) {
            while from < end {
                let next = gaps.partition_point(|gap| gap.1 <= from);
                match gaps.get(next).filter(|gap| gap.0 <= from) {
                    Some(gap) => from = gap.1,
                    None => return Some(from),
                }
            }
        }
        None
    }

    /// How many offsets from the commit on and below `end` are not completed, as far as the map tells.
    pub fn incomplete_below(&self, end: i64, commit: i64) -> i64 {
        let mut gaps: Vec<Range> = self.gaps.iter().flatten().copied().collect();
        gaps.push((self.scanned, i64::MAX));
        gaps.sort_unstable();
        let (mut count, mut from) = (0, commit);
        for gap in gaps {
            let (start, stop) = (gap.0.max(from), gap.1.min(end));
            count += (stop - start).max(0);
            from = from.max(stop);
        }
        count
    }
}

/// Why a commit's metadata is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// There is none.
    #[error("the commit has no metadata")]
    Missing,
    /// It is not ours, or damaged.
    #[error("the commit's metadata is not a done-map")]
    Unrecognized,
    /// It was made for other routes.
    #[error("the done-map was made for other routes or another schema")]
    RouteMismatch,
    /// It was made for another topic of the same name.
    #[error("the commit was made for another topic of that name, which is gone")]
    TopicMismatch,
}

/// What a map is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The topic's id; empty where the broker tells none.
    pub topic: String,
    /// The fingerprint of the routes.
    pub routes: u64,
}

/// The map as text of at most `limit` bytes, for a commit at `commit`. A map that does not fit tells less: the class with
/// the most gaps has those joined that lie nearest, so that a next run sends the records between them again, and no
/// other class's. Only where so many classes have gaps that one for each is too much, the highest offsets are forgotten.
pub fn encode(map: &OffsetMap, commit: i64, scope: &Scope, limit: usize) -> String {
    let mut map = map.clone();
    loop {
        let text = encode_below(&map, map.scanned, commit, scope);
        if text.len() <= limit {
            return text;
        }
        match map.gaps.iter_mut().max_by_key(|gaps| gaps.len()) {
            Some(gaps) if gaps.len() > 1 => *gaps = join(gaps),
            _ => return encode_lowest(&map, commit, scope, limit),
        }
    }
}

/// Half as many gaps: the nearest are joined, and of those that lie equally near the highest.
fn join(gaps: &[Range]) -> Vec<Range> {
    let distance = |pair: &[Range]| pair[1].0 - pair[0].1;
    let mut distances: Vec<i64> = gaps.windows(2).map(distance).collect();
    let most = distances.len() / 2;
    let (nearer, far, _) = distances.select_nth_unstable(most);
    let far = *far;
    let mut as_far = most + 1 - nearer.iter().filter(|distance| **distance < far).count();
    let mut joined: Vec<Range> = Vec::new();
    for gap in gaps.iter().rev() {
        match joined.last_mut() {
            Some(above) if above.0 - gap.1 < far => above.0 = gap.0,
            Some(above) if above.0 - gap.1 == far && as_far > 0 => {
                as_far -= 1;
                above.0 = gap.0;
            }
            _ => joined.push(*gap),
        }
    }
    joined.reverse();
    joined
}

/// The map up to where it fits.
fn encode_lowest(map: &OffsetMap, commit: i64, scope: &Scope, limit: usize) -> String {
    let mut scanned = map.scanned;
    loop {
        let text = encode_below(map, scanned, commit, scope);
        if text.len() <= limit || scanned <= commit {
            return text;
        }
        let mut starts: Vec<i64> = map
            .gaps
            .iter()
            .flatten()
            .map(|gap| gap.0)
            .filter(|start| *start > commit && *start < scanned)
            .collect();
        starts.sort_unstable();
        scanned = starts.get(starts.len() / 2).copied().unwrap_or(commit);
    }
}

fn encode_below(map: &OffsetMap, scanned: i64, commit: i64, scope: &Scope) -> String {
    let mut bytes = scope.routes.to_le_bytes().to_vec();
    put(&mut bytes, scanned - commit);
    put(&mut bytes, map.gaps.len() as i64);
    for gaps in &map.gaps {
        let below: Vec<Range> = gaps
            .iter()
            .filter(|gap| gap.0 < scanned)
            .map(|gap| (gap.0, gap.1.min(scanned)))
            .collect();
        put(&mut bytes, below.len() as i64);
        let mut from = commit;
        for gap in below {
            put(&mut bytes, gap.0 - from);
            put(&mut bytes, gap.1 - gap.0);
            from = gap.1;
        }
    }
    format!("{MAGIC}{}.{}", scope.topic, URL_SAFE_NO_PAD.encode(bytes))
}

/// The map in a commit's metadata.
///
/// # Errors
/// It is absent, foreign or damaged, or was made for another topic or other routes.
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
    // A broker that told no id then or tells none now has not made the topic anew for that.
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

/// The topic that a commit's metadata names, if it is ours and names one.
pub fn topic_of(metadata: &str) -> Option<&str> {
    let (topic, _) = metadata.strip_prefix(MAGIC)?.rsplit_once('.')?;
    (!topic.is_empty()).then_some(topic)
}

fn parse(bytes: &mut &[u8], commit: i64) -> Option<OffsetMap> {
    let scanned = commit.checked_add(take(bytes)?)?;
    let classes = take(bytes)?;
    let mut map = OffsetMap {
        scanned,
        gaps: Vec::new(),
    };
    for _ in 0..classes {
        let count = take(bytes)?;
        let (mut gaps, mut from) = (Vec::new(), commit);
        for _ in 0..count {
            let start = from.checked_add(take(bytes)?)?;
            let end = start.checked_add(take(bytes)?)?;
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

    fn scope(routes: u64) -> Scope {
        Scope {
            topic: "Xy-3_topic".into(),
            routes,
        }
    }

    fn map() -> OffsetMap {
        OffsetMap {
            scanned: 1_000_000,
            gaps: vec![
                vec![(100, 101), (500, 900_000)],
                vec![],
                vec![(100, 1_000_000)],
            ],
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let text = encode(&map(), 100, &scope(42), 4096);
        assert_eq!(decode(&text, 100, &scope(42)), Ok(map()));
        assert!(text.len() < 60, "{text}");
    }

    #[test]
    fn is_not_believed_for_other_routes_or_when_it_is_not_ours() {
        let text = encode(&map(), 100, &scope(42), 4096);
        assert_eq!(
            decode(&text, 100, &scope(43)),
            Err(InvalidMetadata::RouteMismatch)
        );
        let anew = Scope {
            topic: "other".into(),
            ..scope(42)
        };
        assert_eq!(
            decode(&text, 100, &anew),
            Err(InvalidMetadata::TopicMismatch)
        );
        let untold = Scope {
            topic: String::new(),
            ..scope(42)
        };
        assert_eq!(decode(&text, 100, &untold), Ok(map()));
        assert_eq!(topic_of(&text), Some("Xy-3_topic"));
        assert_eq!(decode("", 100, &scope(42)), Err(InvalidMetadata::Missing));
        assert_eq!(
            decode("some other tool's words", 100, &scope(42)),
            Err(InvalidMetadata::Unrecognized)
        );
        for length in 1..text.len() {
            assert!(
                decode(&text[..length], 100, &scope(42)).is_err(),
                "truncated at {length}"
            );
        }
    }

    #[test]
    fn a_map_that_does_not_fit_joins_the_nearest_holes_of_the_class_with_the_most() {
        let even: Vec<Range> = (0..5000).map(|n| (n * 10, n * 10 + 1)).collect();
        let mut uneven = even.clone();
        // Two of them lie far from all others.
        uneven.extend([(90_000, 90_001), (99_990, 99_991)]);
        for gaps in [even, uneven] {
            let other = vec![(7, 8), (80, 90)];
            let map = OffsetMap {
                scanned: 100_000,
                gaps: vec![gaps.clone(), other.clone()],
            };
            let text = encode(&map, 0, &scope(42), 3000);
            assert!((1500..=3000).contains(&text.len()), "{}", text.len());
            let kept = decode(&text, 0, &scope(42)).unwrap();
            assert_eq!((kept.scanned, &kept.gaps[1]), (100_000, &other));
            // The lowest are told one by one, and the last not at all or one by one as well.
            let (all, told) = (&gaps, &kept.gaps[0]);
            assert_eq!(told[..500], all[..500]);
            assert_eq!(told.last().unwrap().1, all.last().unwrap().1);
            assert_eq!(
                told.contains(&(90_000, 90_001)),
                all.contains(&(90_000, 90_001))
            );
        }
    }

    #[test]
    fn what_a_shorter_map_leaves_untold_begins_where_its_hole_covers_something_settled() {
        let done = OffsetMap {
            scanned: 100,
            gaps: vec![vec![(10, 12), (20, 30)], vec![]],
        };
        assert_eq!(done.first_not_encoded(&done, 0), None);
        let joined = OffsetMap {
            scanned: 100,
            gaps: vec![vec![(10, 30)], vec![]],
        };
        assert_eq!(done.first_not_encoded(&joined, 0), Some(12));
        assert_eq!(done.first_not_encoded(&joined, 1), None);
        let truncated = OffsetMap {
            scanned: 25,
            gaps: vec![vec![(10, 12), (20, 25)], vec![]],
        };
        assert_eq!(done.first_not_encoded(&truncated, 0), Some(30));
        assert_eq!(done.first_not_encoded(&truncated, 1), Some(25));
        assert_eq!(done.first_not_encoded(&truncated, 2), None, "no such class");
    }

    #[test]
    fn where_each_of_many_classes_has_a_hole_the_highest_are_forgotten() {
        let map = OffsetMap {
            scanned: 1_000_000,
            gaps: (0..1000).map(|n| vec![(n * 900, n * 900 + 500)]).collect(),
        };
        let text = encode(&map, 0, &scope(42), 3000);
        let kept = decode(&text, 0, &scope(42)).unwrap();
        assert!(
            (100_000..900_000).contains(&kept.scanned),
            "{}",
            kept.scanned
        );
        assert_eq!(kept.gaps[..100], map.gaps[..100]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_not_settled_is_ever_called_so_whatever_room_there_is(
            lengths in proptest::collection::vec(proptest::collection::vec((0i64..50, 1i64..50), 0..60), 1..5),
            limit in 30usize..400,
        ) {
            let gaps: Vec<Vec<Range>> = lengths.iter().map(|lengths| {
                let mut at = 100;
                lengths.iter().enumerate().map(|(index, (distance, length))| {
                    let start = at + distance + i64::from(index > 0);
                    at = start + length;
                    (start, at)
                }).collect()
            }).collect();
            let map = OffsetMap { scanned: 10_000, gaps };
            let text = encode(&map, 100, &scope(42), limit);
            let kept = decode(&text, 100, &scope(42)).unwrap();
            prop_assert!(text.len() <= limit || kept.scanned == 100);
            for (all, told) in map.gaps.iter().zip(&kept.gaps) {
                for offset in all.iter().flat_map(|gap| gap.0..gap.1) {
                    let open = |gap: &Range| gap.0 <= offset && offset < gap.1;
                    prop_assert!(offset >= kept.scanned || told.iter().any(open), "{}", offset);
                }
            }
        }

        #[test]
        fn hostile_metadata_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), commit in 0i64..i64::MAX) {
            let mut text = 42u64.to_le_bytes().to_vec();
            text.extend(bytes);
            let _ = decode(&format!("{MAGIC}Xy-3_topic.{}", URL_SAFE_NO_PAD.encode(text)), commit, &scope(42));
        }
    }
}
