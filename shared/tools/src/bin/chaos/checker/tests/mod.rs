mod answers;
mod faults;
mod framed;
mod replay;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::records::StoredRecord;
use testkit::user::User;

use super::*;
use crate::form::Form;

fn stored(offset: i64, value: Option<Vec<u8>>) -> StoredRecord {
    StoredRecord {
        partition: 0,
        offset,
        timestamp: None,
        key: Some(b"k".to_vec()),
        value,
        headers: Vec::new(),
    }
}

fn letter(record: &StoredRecord, cause: &str) -> DeadLetter {
    DeadLetter {
        place: (0, record.offset),
        origin: (record.partition, record.offset),
        run: None,
        cause: cause.to_owned(),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    }
}

fn received(route: &'static str, datum: Vec<u8>, key: &str) -> Received {
    Received {
        route,
        form: Some(Form::Datum),
        datum,
        key: key.to_owned(),
        place: None,
        run: 0,
        accepted: true,
        rejected: false,
        names_schema: true,
        cut_short: false,
    }
}

/// The evidence of a run that keeps every promise: one record for each endpoint, a tombstone, an invalid record, and one
/// that the endpoint rejects.
fn valid_evidence() -> Evidence {
    let a = User::new(1010, "a").encode();
    let b = User::new(1020, "b").encode();
    let rejected = User::new(1010, "rejected").encode();
    let invalid = vec![0xff; 20];
    let mut rejected_request = received("A", rejected.clone(), "c/t/0/4");
    (rejected_request.accepted, rejected_request.rejected) = (false, true);
    let counts = json!({"planned": 5, "delivered": 2, "skipped": 1, "dead_lettered": 2,
                        "already_completed": 0, "deferred": 0, "empty_offsets": 0});
    let mut partition = counts.clone();
    partition["partition"] = json!(0);
    partition["start"] = json!(0);
    partition["end"] = json!(5);
    let topic = vec![
        stored(0, Some(a.clone())),
        stored(1, Some(b.clone())),
        stored(2, None),
        stored(3, Some(invalid)),
        stored(4, Some(rejected)),
    ];
    Evidence {
        acknowledged: (0..5).map(|offset| (0, offset)).collect(),
        dead_letters: vec![
            letter(&topic[3], "undecodable"),
            letter(&topic[4], "refused"),
        ],
        topic,
        received: vec![
            received("A", a, "c/t/0/0"),
            received("B", b, "c/t/0/1"),
            rejected_request,
        ],
        reports: vec![
            json!({"totals": counts, "balanced": true, "partitions": [partition], "routes": []}),
        ],
        committed: [(0, 5)].into(),
        runs: vec![Run::default(); 2],
        ..Evidence::default()
    }
}

#[test]
fn passes_valid_evidence() {
    let verdict = check(&valid_evidence());
    assert!(verdict.is_pass(), "{verdict:?}");
    assert_eq!(verdict.records["invalid"], 1);
}

#[test]
fn reports_an_undelivered_record_as_lost() {
    let mut evidence = valid_evidence();
    evidence.received.remove(0);
    assert_eq!(check(&evidence).lost.count, 1);
    let mut evidence = valid_evidence();
    evidence.received[0].accepted = false;
    assert_eq!(check(&evidence).lost.count, 1);
    let mut evidence = valid_evidence();
    evidence.received[0].route = "B";
    let verdict = check(&evidence);
    assert_eq!((verdict.lost.count, verdict.unvalidated.count), (1, 1));
}

#[test]
fn reports_missing_dead_letters_as_lost() {
    for missing in 0..2 {
        let mut evidence = valid_evidence();
        evidence.dead_letters.remove(missing);
        assert_eq!(check(&evidence).lost.count, 1);
    }
}

#[test]
fn reports_an_acknowledged_record_missing_from_the_topic_as_lost() {
    let mut evidence = valid_evidence();
    evidence.acknowledged.push((0, 5));
    assert_eq!(check(&evidence).lost.count, 1);
}

#[test]
fn reports_an_invalid_record_at_an_endpoint() {
    let mut evidence = valid_evidence();
    evidence
        .received
        .push(received("A", vec![0xff; 20], "c/t/0/3"));
    assert_eq!(check(&evidence).unvalidated.count, 1);
}

#[test]
fn reports_a_second_key_and_a_shared_key() {
    let mut evidence = valid_evidence();
    let again = evidence.received[0].datum.clone();
    evidence.received.push(received("A", again, "other"));
    assert_eq!(check(&evidence).key_conflicts.count, 1);
    let mut evidence = valid_evidence();
    evidence.received[1].key = "c/t/0/0".to_owned();
    assert_eq!(check(&evidence).key_conflicts.count, 1);
}

#[test]
fn reports_a_record_with_the_coordinates_of_another() {
    let mut evidence = valid_evidence();
    evidence.received[1].place = Some((0, 1));
    assert!(check(&evidence).is_pass());
    for place in [(1, 1), (0, 0)] {
        evidence.received[1].place = Some(place);
        assert_eq!(check(&evidence).coordinates.count, 1);
    }
}

#[test]
fn allows_repeats_after_an_interrupted_run_or_a_cut_response() {
    let mut evidence = valid_evidence();
    let mut again = evidence.received[0].clone();
    again.run = 1;
    evidence.received.push(again);
    let verdict = check(&evidence);
    assert_eq!((verdict.repeats, verdict.excess_repeats.count), (1, 1));
    assert!(!verdict.is_pass());
    evidence.runs[1].allowed_repeats = 1;
    assert!(
        !check(&evidence).is_pass(),
        "the second run was not interrupted"
    );
    evidence.runs[0].allowed_repeats = 1;
    assert!(check(&evidence).is_pass());
    evidence.runs = vec![Run::default(); 2];
    evidence.received[0].cut_short = true;
    assert!(check(&evidence).is_pass());
}

#[test]
fn reports_a_record_of_an_aborted_transaction_at_an_endpoint() {
    let mut evidence = valid_evidence();
    let aborted = User::new(1010, "aborted").encode();
    evidence.received.push(received("A", aborted, "c/t/0/9"));
    assert_eq!(check(&evidence).not_in_topic.count, 1);
    assert!(!check(&evidence).is_pass());
}

#[test]
fn reports_dead_letters_that_differ_from_their_record_or_have_no_cause() {
    let falsify: [fn(&mut DeadLetter); 4] = [
        |letter| letter.value = Some(b"other".to_vec()),
        |letter| letter.key = None,
        |letter| letter.origin = (0, 9),
        |letter| letter.cause = "unknown-schema".to_owned(),
    ];
    for falsify in falsify {
        let mut evidence = valid_evidence();
        let mut second = evidence.dead_letters[0].clone();
        falsify(&mut second);
        evidence.dead_letters.push(second);
        assert_eq!(check(&evidence).dead_letters.count, 1);
    }
    let mut evidence = valid_evidence();
    let without_route = stored(5, Some(User::new(999, "n").encode()));
    evidence.topic.push(without_route.clone());
    evidence.committed = [(0, 6)].into();
    assert!(check(&evidence).is_pass());
    evidence
        .dead_letters
        .push(letter(&without_route, "refused"));
    assert_eq!(check(&evidence).dead_letters.count, 1);
    let mut evidence = valid_evidence();
    evidence
        .dead_letters
        .push(letter(&evidence.topic[0], "refused"));
    assert_eq!(check(&evidence).dead_letters.count, 1);
    evidence.received[0].rejected = true;
    assert!(check(&evidence).is_pass());
}

#[test]
fn reports_a_dead_letter_without_the_headers_of_its_record() {
    let mut evidence = valid_evidence();
    evidence.topic[3].headers = vec![("a".to_owned(), None)];
    assert_eq!(check(&evidence).dead_letters.count, 1);
}

#[test]
fn reports_a_commit_before_the_end() {
    for committed in [BTreeMap::new(), [(0, 4)].into()] {
        let evidence = Evidence {
            committed,
            ..valid_evidence()
        };
        assert_eq!(check(&evidence).uncommitted.count, 1);
    }
}

#[test]
fn reports_an_unbalanced_report() {
    let falsify: [fn(&mut Value); 4] = [
        |report| report["partitions"][0]["deferred"] = json!(1),
        |report| report["totals"]["delivered"] = json!(3),
        |report| report["balanced"] = json!(false),
        |report| report["partitions"][0]["end"] = json!(6),
    ];
    for falsify in falsify {
        let mut evidence = valid_evidence();
        falsify(&mut evidence.reports[0]);
        assert_eq!(check(&evidence).unbalanced.count, 1);
    }
}
