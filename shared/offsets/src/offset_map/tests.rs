//! Tests of encoding and decoding.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::scope::MAGIC;
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
fn decodes_to_the_encoded_map() {
    let text = encode(&map(), 100, &scope(42), 4096);
    assert_eq!(decode(&text, 100, &scope(42)), Ok(map()));
    assert!(text.len() < 60, "{text}");
}

#[test]
fn rejects_metadata_of_another_scope_or_origin() {
    let text = encode(&map(), 100, &scope(42), 4096);
    assert_eq!(
        decode(&text, 100, &scope(43)),
        Err(InvalidMetadata::RouteMismatch)
    );
    let other_topic = Scope {
        topic: "other".into(),
        ..scope(42)
    };
    assert_eq!(
        decode(&text, 100, &other_topic),
        Err(InvalidMetadata::TopicMismatch)
    );
    let unknown_topic = Scope {
        topic: String::new(),
        ..scope(42)
    };
    assert_eq!(decode(&text, 100, &unknown_topic), Ok(map()));
    assert_eq!(topic_of(&text), Some("Xy-3_topic"));
    assert_eq!(decode("", 100, &scope(42)), Err(InvalidMetadata::Missing));
    assert_eq!(
        decode("metadata of another tool", 100, &scope(42)),
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
fn a_map_that_does_not_fit_merges_the_nearest_gaps_of_the_class_with_the_most() {
    let even: Vec<Gap> = (0..5000).map(|n| (n * 10, n * 10 + 1)).collect();
    let mut uneven = even.clone();
    // Two of them are far from all others.
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
        // The lowest gaps are not merged, and the end of the last gap is the same.
        let (all, encoded) = (&gaps, &kept.gaps[0]);
        assert_eq!(encoded[..500], all[..500]);
        assert_eq!(encoded.last().unwrap().1, all.last().unwrap().1);
        assert_eq!(
            encoded.contains(&(90_000, 90_001)),
            all.contains(&(90_000, 90_001))
        );
    }
}

#[test]
fn finds_the_first_completed_offset_that_is_not_encoded() {
    let map = OffsetMap {
        scanned: 100,
        gaps: vec![vec![(10, 12), (20, 30)], vec![]],
    };
    assert_eq!(map.first_not_encoded(&map, 0), None);
    let merged = OffsetMap {
        scanned: 100,
        gaps: vec![vec![(10, 30)], vec![]],
    };
    assert_eq!(map.first_not_encoded(&merged, 0), Some(12));
    assert_eq!(map.first_not_encoded(&merged, 1), None);
    let truncated = OffsetMap {
        scanned: 25,
        gaps: vec![vec![(10, 12), (20, 25)], vec![]],
    };
    assert_eq!(map.first_not_encoded(&truncated, 0), Some(30));
    assert_eq!(map.first_not_encoded(&truncated, 1), Some(25));
    assert_eq!(map.first_not_encoded(&truncated, 2), None, "no such class");
}

#[test]
fn a_map_with_many_classes_omits_the_highest_offsets() {
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
    fn incomplete_records_stay_incomplete_with_any_limit(
        lengths in proptest::collection::vec(proptest::collection::vec((0i64..50, 1i64..50), 0..60), 1..5),
        limit in 30usize..400,
    ) {
        let gaps: Vec<Vec<Gap>> = lengths.iter().map(|lengths| {
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
        for (all, encoded) in map.gaps.iter().zip(&kept.gaps) {
            for offset in all.iter().flat_map(|gap| gap.0..gap.1) {
                let contains = |gap: &Gap| gap.0 <= offset && offset < gap.1;
                prop_assert!(offset >= kept.scanned || encoded.iter().any(contains), "{}", offset);
            }
        }
    }

    #[test]
    fn hostile_metadata_causes_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), commit in 0i64..i64::MAX) {
        let mut text = 42u64.to_le_bytes().to_vec();
        text.extend(bytes);
        let _ = decode(&format!("{MAGIC}Xy-3_topic.{}", URL_SAFE_NO_PAD.encode(text)), commit, &scope(42));
    }
}

#[test]
fn a_record_is_completed_if_it_was_read_and_is_in_no_gap_of_its_class() {
    let map = OffsetMap {
        scanned: 10,
        gaps: vec![vec![(5, 6), (8, 10)], vec![]],
    };
    let completed = |class| {
        let offsets = 4..12;
        let completed = offsets.filter(|offset| map.is_completed(class, *offset));
        completed.collect::<Vec<i64>>()
    };
    assert_eq!(completed(0), [4, 6, 7]);
    assert_eq!(completed(1), [4, 5, 6, 7, 8, 9]);
    assert!(completed(2).is_empty());
}

#[test]
fn completed_ranges_are_those_between_the_gaps_of_all_classes() {
    let map = OffsetMap {
        scanned: 30,
        gaps: vec![vec![(10, 12), (20, 25)], vec![(11, 15)], Vec::new()],
    };
    assert_eq!(map.completed_ranges(10, 100), [(15, 20), (25, 30)]);
    assert_eq!(map.completed_ranges(10, 18), [(15, 18)]);
    assert_eq!(map.completed_ranges(10, 10), []);
    let ends = [5, 10, 13, 18, 22, 27, 100];
    let incomplete = ends.map(|end| map.incomplete_below(end, 10));
    assert_eq!(incomplete, [0, 0, 3, 5, 7, 10, 80]);
}
