use super::*;
use serde_json::json;

fn stored(offset: i64, value: Option<Vec<u8>>) -> Stored {
    Stored {
        partition: 0,
        offset,
        timestamp: None,
        key: Some(b"k".to_vec()),
        value,
        headers: Vec::new(),
    }
}

fn received(route: &'static str, datum: Vec<u8>, key: &str) -> Received {
    Received {
        route,
        datum,
        key: key.to_owned(),
        window: 0,
        taken: true,
        refused: false,
        cut_short: false,
    }
}

/// A run in which every promise was kept: one record for each endpoint, a tombstone, poison, one that is refused.
fn good() -> Evidence {
    let a = User::new(1010, "a").encode();
    let b = User::new(1020, "b").encode();
    let refused = User::new(1010, "refused").encode();
    let poison = vec![0xff; 20];
    let mut turned_away = received("A", refused.clone(), "c/t/0/4");
    (turned_away.taken, turned_away.refused) = (false, true);
    let counts = json!({"planned": 5, "delivered": 2, "skipped": 1, "dead_lettered": 2,
                        "already_completed": 0, "deferred": 0, "empty_offsets": 0});
    let mut partition = counts.clone();
    partition["partition"] = json!(0);
    partition["start"] = json!(0);
    partition["end"] = json!(5);
    Evidence {
        topic: vec![
            stored(0, Some(a.clone())),
            stored(1, Some(b.clone())),
            stored(2, None),
            stored(3, Some(poison.clone())),
            stored(4, Some(refused.clone())),
        ],
        acknowledged: (0..5).map(|offset| (0, offset)).collect(),
        dead_letters: vec![stored(0, Some(poison)), stored(1, Some(refused))],
        received: vec![
            received("A", a, "c/t/0/0"),
            received("B", b, "c/t/0/1"),
            turned_away,
        ],
        reports: vec![json!({"totals": counts, "balanced": true, "partitions": [partition]})],
        committed: [(0, 5)].into(),
        repeats_allowed: vec![0, 0],
    }
}

#[test]
fn kept_promises_are_found_kept() {
    let verdict = check(&good());
    assert!(verdict.holds(), "{verdict:?}");
    assert_eq!(verdict.records["dead_letter_threshold"], 1);
}

#[test]
fn a_record_that_reached_nobody_is_lost() {
    let mut evidence = good();
    evidence.received.remove(0);
    assert_eq!(check(&evidence).lost.count, 1);
    let mut evidence = good();
    evidence.received[0].taken = false;
    assert_eq!(check(&evidence).lost.count, 1);
    let mut evidence = good();
    evidence.received[0].route = "B";
    let verdict = check(&evidence);
    assert_eq!((verdict.lost.count, verdict.undecoded.count), (1, 1));
}

#[test]
fn poison_and_refused_records_that_are_no_dead_letters_are_lost() {
    for missing in 0..2 {
        let mut evidence = good();
        evidence.dead_letters.remove(missing);
        assert_eq!(check(&evidence).lost.count, 1);
    }
}

#[test]
fn an_acknowledged_record_that_the_topic_does_not_hold_is_lost() {
    let mut evidence = good();
    evidence.acknowledged.push((0, 5));
    assert_eq!(check(&evidence).lost.count, 1);
}

#[test]
fn undecoded_bytes_at_an_endpoint_are_found() {
    let mut evidence = good();
    evidence
        .received
        .push(received("A", vec![0xff; 20], "c/t/0/3"));
    assert_eq!(check(&evidence).undecoded.count, 1);
}

#[test]
fn another_key_and_a_shared_key_are_found() {
    let mut evidence = good();
    let again = evidence.received[0].datum.clone();
    evidence.received.push(received("A", again, "other"));
    assert_eq!(check(&evidence).keys.count, 1);
    let mut evidence = good();
    evidence.received[1].key = "c/t/0/0".to_owned();
    assert_eq!(check(&evidence).keys.count, 1);
}

#[test]
fn a_repeat_is_owed_to_the_window_that_was_cut_off_or_to_a_cut_answer() {
    let mut evidence = good();
    let mut again = evidence.received[0].clone();
    again.window = 1;
    evidence.received.push(again);
    let verdict = check(&evidence);
    assert_eq!((verdict.repeats, verdict.repeated.count), (1, 1));
    assert!(!verdict.holds());
    evidence.repeats_allowed = vec![0, 1];
    assert!(
        !check(&evidence).holds(),
        "the second window forgot nothing"
    );
    evidence.repeats_allowed = vec![1, 0];
    assert!(check(&evidence).holds());
    evidence.repeats_allowed = vec![0, 0];
    evidence.received[0].cut_short = true;
    assert!(check(&evidence).holds());
}

#[test]
fn a_record_of_an_aborted_transaction_at_an_endpoint_is_found() {
    let mut evidence = good();
    let aborted = User::new(1010, "aborted").encode();
    evidence.received.push(received("A", aborted, "c/t/0/9"));
    assert_eq!(check(&evidence).unheld.count, 1);
    assert!(!check(&evidence).holds());
}

#[test]
fn a_dead_letter_with_other_bytes_another_key_or_no_fault_is_found() {
    let mut evidence = good();
    evidence
        .dead_letters
        .push(stored(2, Some(b"other".to_vec())));
    assert_eq!(check(&evidence).dead_letters.count, 1);
    let mut evidence = good();
    evidence.dead_letters[0].key = None;
    assert_eq!(check(&evidence).dead_letters.count, 1);
    let mut evidence = good();
    let nobodys = Some(User::new(999, "n").encode());
    evidence.topic.push(stored(5, nobodys.clone()));
    evidence.committed = [(0, 6)].into();
    assert!(check(&evidence).holds());
    evidence.dead_letters.push(stored(2, nobodys));
    assert_eq!(check(&evidence).dead_letters.count, 1);
    let mut evidence = good();
    evidence.dead_letters.push(evidence.topic[0].clone());
    assert_eq!(check(&evidence).dead_letters.count, 1);
    evidence.received[0].refused = true;
    assert!(check(&evidence).holds());
}

#[test]
fn a_commit_short_of_the_end_is_found() {
    for committed in [BTreeMap::new(), [(0, 4)].into()] {
        let evidence = Evidence {
            committed,
            ..good()
        };
        assert_eq!(check(&evidence).uncommitted.count, 1);
    }
}

#[test]
fn a_report_that_does_not_add_up_is_found() {
    let spoil: [fn(&mut Value); 4] = [
        |report| report["partitions"][0]["deferred"] = json!(1),
        |report| report["totals"]["delivered"] = json!(3),
        |report| report["balanced"] = json!(false),
        |report| report["partitions"][0]["end"] = json!(6),
    ];
    for spoil in spoil {
        let mut evidence = good();
        spoil(&mut evidence.reports[0]);
        assert_eq!(check(&evidence).unbalanced.count, 1);
    }
}
