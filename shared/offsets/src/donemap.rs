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

use crate::progress::{Class, Range};

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
    /// The first offset from which a class has something settled that `told`, a map that says less, does not tell of.
    pub fn first_untold(&self, told: &Self, class: Class) -> Option<i64> {
        let holes = self.holes.get(class)?;
        let untold = told.holes.get(class)?.iter().copied();
        for (mut from, end) in untold.chain([(told.scanned, self.scanned)]) {
            while from < end {
                let next = holes.partition_point(|hole| hole.1 <= from);
                match holes.get(next).filter(|hole| hole.0 <= from) {
                    Some(hole) => from = hole.1,
                    None => return Some(from),
                }
            }
        }
        None
    }

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

/// The map as text of at most `limit` bytes, for a commit at `commit`. A map that does not fit tells less: the class with
/// the most holes has those joined that lie nearest, so that a next run sends the records between them again, and no
/// other class's. Only where so many classes have holes that one for each is too much, the highest offsets are forgotten.
pub fn encode(map: &DoneMap, commit: i64, stamp: &Stamp, limit: usize) -> String {
    let mut map = map.clone();
    loop {
        let text = encode_below(&map, map.scanned, commit, stamp);
        if text.len() <= limit {
            return text;
        }
        match map.holes.iter_mut().max_by_key(|holes| holes.len()) {
            Some(holes) if holes.len() > 1 => *holes = join(holes),
            _ => return encode_lowest(&map, commit, stamp, limit),
        }
    }
}

/// Half as many holes: the nearest are joined, and of those that lie equally near the highest.
fn join(holes: &[Range]) -> Vec<Range> {
    let gap = |pair: &[Range]| pair[1].0 - pair[0].1;
    let mut gaps: Vec<i64> = holes.windows(2).map(gap).collect();
    let most = gaps.len() / 2;
    let (nearer, far, _) = gaps.select_nth_unstable(most);
    let far = *far;
    let mut as_far = most + 1 - nearer.iter().filter(|gap| **gap < far).count();
    let mut joined: Vec<Range> = Vec::new();
    for hole in holes.iter().rev() {
        match joined.last_mut() {
            Some(above) if above.0 - hole.1 < far => above.0 = hole.0,
            Some(above) if above.0 - hole.1 == far && as_far > 0 => {
                as_far -= 1;
                above.0 = hole.0;
            }
            _ => joined.push(*hole),
        }
    }
    joined.reverse();
    joined
}

/// The map up to where it fits.
fn encode_lowest(map: &DoneMap, commit: i64, stamp: &Stamp, limit: usize) -> String {
    let mut scanned = map.scanned;
    loop {
        let text = encode_below(map, scanned, commit, stamp);
        if text.len() <= limit || scanned <= commit {
            return text;
        }
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
    fn a_map_that_does_not_fit_joins_the_nearest_holes_of_the_class_with_the_most() {
        let even: Vec<Range> = (0..5000).map(|n| (n * 10, n * 10 + 1)).collect();
        let mut uneven = even.clone();
        // Two of them lie far from all others.
        uneven.extend([(90_000, 90_001), (99_990, 99_991)]);
        for holes in [even, uneven] {
            let other = vec![(7, 8), (80, 90)];
            let map = DoneMap {
                scanned: 100_000,
                holes: vec![holes.clone(), other.clone()],
            };
            let text = encode(&map, 0, &stamp(42), 3000);
            assert!((1500..=3000).contains(&text.len()), "{}", text.len());
            let kept = decode(&text, 0, &stamp(42)).unwrap();
            assert_eq!((kept.scanned, &kept.holes[1]), (100_000, &other));
            // The lowest are told one by one, and the last not at all or one by one as well.
            let (all, told) = (&holes, &kept.holes[0]);
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
        let done = DoneMap {
            scanned: 100,
            holes: vec![vec![(10, 12), (20, 30)], vec![]],
        };
        assert_eq!(done.first_untold(&done, 0), None);
        let joined = DoneMap {
            scanned: 100,
            holes: vec![vec![(10, 30)], vec![]],
        };
        assert_eq!(done.first_untold(&joined, 0), Some(12));
        assert_eq!(done.first_untold(&joined, 1), None);
        let cut = DoneMap {
            scanned: 25,
            holes: vec![vec![(10, 12), (20, 25)], vec![]],
        };
        assert_eq!(done.first_untold(&cut, 0), Some(30));
        assert_eq!(done.first_untold(&cut, 1), Some(25));
        assert_eq!(done.first_untold(&cut, 2), None, "no such class");
    }

    #[test]
    fn where_each_of_many_classes_has_a_hole_the_highest_are_forgotten() {
        let map = DoneMap {
            scanned: 1_000_000,
            holes: (0..1000).map(|n| vec![(n * 900, n * 900 + 500)]).collect(),
        };
        let text = encode(&map, 0, &stamp(42), 3000);
        let kept = decode(&text, 0, &stamp(42)).unwrap();
        assert!(
            (100_000..900_000).contains(&kept.scanned),
            "{}",
            kept.scanned
        );
        assert_eq!(kept.holes[..100], map.holes[..100]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_not_settled_is_ever_called_so_whatever_room_there_is(
            lengths in proptest::collection::vec(proptest::collection::vec((0i64..50, 1i64..50), 0..60), 1..5),
            limit in 30usize..400,
        ) {
            let holes: Vec<Vec<Range>> = lengths.iter().map(|lengths| {
                let mut at = 100;
                lengths.iter().enumerate().map(|(index, (gap, length))| {
                    let start = at + gap + i64::from(index > 0);
                    at = start + length;
                    (start, at)
                }).collect()
            }).collect();
            let map = DoneMap { scanned: 10_000, holes };
            let text = encode(&map, 100, &stamp(42), limit);
            let kept = decode(&text, 100, &stamp(42)).unwrap();
            prop_assert!(text.len() <= limit || kept.scanned == 100);
            for (all, told) in map.holes.iter().zip(&kept.holes) {
                for offset in all.iter().flat_map(|hole| hole.0..hole.1) {
                    let open = |hole: &Range| hole.0 <= offset && offset < hole.1;
                    prop_assert!(offset >= kept.scanned || told.iter().any(open), "{}", offset);
                }
            }
        }

        #[test]
        fn hostile_metadata_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), commit in 0i64..i64::MAX) {
            let mut text = 42u64.to_le_bytes().to_vec();
            text.extend(bytes);
            let _ = decode(&format!("{MAGIC}Xy-3_topic.{}", URL_SAFE_NO_PAD.encode(text)), commit, &stamp(42));
        }
    }
}
