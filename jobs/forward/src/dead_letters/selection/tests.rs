use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::dead_letter::Family;

fn letter(offset: i64, cause: &str, route: Option<&str>) -> StoredDeadLetter {
    StoredDeadLetter {
        at: Coordinates {
            topic: "letters".into(),
            partition: 1,
            offset,
        },
        written: Some(offset * 1000),
        family: Family::Frontdoor,
        cause: cause.to_owned(),
        reason: String::new(),
        route: route.map(str::to_owned),
        run: None,
        origin: None,
        record: None,
    }
}

fn selected(selection: &Selection) -> Vec<i64> {
    let now = UNIX_EPOCH + Duration::from_secs(10);
    let filter = selection.filter("letters", now).unwrap();
    let letters = [
        letter(1, "refused", Some("A")),
        letter(2, "refused", Some("B")),
        letter(3, "undecodable", None),
    ];
    let selected = letters.iter().filter(|letter| filter.selects(letter));
    selected.map(|letter| letter.at.offset).collect()
}

#[test]
fn each_member_narrows_the_selection() {
    let all = Selection::default();
    assert_eq!(selected(&all), [1, 2, 3]);
    let of = |change: fn(&mut Selection)| {
        let mut selection = Selection::default();
        change(&mut selection);
        selected(&selection)
    };
    let text = |text: &str| Some(text.to_owned());
    let refused = Selection {
        cause: text("refused"),
        ..all.clone()
    };
    assert_eq!(selected(&refused), [1, 2]);
    let of_b = Selection {
        route: text("B"),
        ..refused
    };
    assert_eq!(selected(&of_b), [2]);
    let last_eight = TimeBound::Ago(Duration::from_secs(8));
    let since = Selection {
        since: Some(last_eight),
        ..all.clone()
    };
    assert_eq!(selected(&since), [2, 3]);
    let until = Selection {
        until: Some(last_eight),
        ..all
    };
    assert_eq!(selected(&until), [1]);
    assert_eq!(of(|all| all.partition = Some(0)), [0; 0]);
    assert_eq!(of(|all| all.offsets = Some((2, 3))), [2, 3]);
    assert_eq!(
        of(|all| all.coordinates = vec!["letters/1@3".into(), "1@1".into()]),
        [1, 3]
    );
}

#[test]
fn ranges_contain_the_selected_offsets_only() {
    let at = |partition| PartitionOffsets {
        partition,
        low: 10,
        high: 100,
        committed: None,
        metadata: String::new(),
        start_time_offset: (partition == 0).then_some(50),
        end_time_offset: None,
    };
    let ranges = |selection: &Selection| {
        let filter = selection.filter("letters", UNIX_EPOCH).unwrap();
        let ranges = filter.ranges(&[at(0), at(1)]);
        let ranges = ranges.iter();
        ranges
            .map(|range| (range.partition, range.start, range.end))
            .collect::<Vec<_>>()
    };
    let all = Selection::default();
    assert_eq!(ranges(&all), [(0, 10, 100), (1, 10, 100)]);
    let since = Selection {
        since: Some(TimeBound::Ago(Duration::from_secs(1))),
        ..all.clone()
    };
    assert_eq!(ranges(&since), [(0, 50, 100)]);
    let offsets = Selection {
        partition: Some(1),
        offsets: Some((5, i64::MAX)),
        ..all.clone()
    };
    assert_eq!(ranges(&offsets), [(1, 10, 100)]);
    let named = Selection {
        coordinates: vec!["1@20".to_owned(), "1@12".to_owned(), "0@7".to_owned()],
        ..all
    };
    assert_eq!(ranges(&named), [(1, 12, 21)]);
}

#[test]
fn coordinates_are_of_the_dead_letter_topic() {
    let of = |text: &str| Selection {
        coordinates: vec![text.to_owned()],
        ..Selection::default()
    };
    let error = |text: &str| {
        let filter = of(text).filter("letters", UNIX_EPOCH);
        filter.unwrap_err().to_string()
    };
    assert!(error("orders/0@1").contains("not in the dead-letter topic letters"));
    assert!(error("x").contains("expected TOPIC/PARTITION@OFFSET"));
}

#[test]
fn equal_selections_have_equal_fingerprints() {
    let of = |cause: &str, at: &[&str]| Selection {
        cause: Some(cause.to_owned()),
        coordinates: at.iter().map(|text| (*text).to_owned()).collect(),
        ..Selection::default()
    };
    let first = of("refused", &["letters/0@1", "0@2"]).fingerprint("route");
    assert_eq!(first.len(), 16);
    assert_eq!(first, of("refused", &["0@2", "0@1"]).fingerprint("route"));
    assert_ne!(first, of("refused", &["0@2"]).fingerprint("route"));
    assert_ne!(first, of("x", &["0@1", "0@2"]).fingerprint("route"));
    assert_ne!(first, of("refused", &["0@1", "0@2"]).fingerprint("source"));
}
