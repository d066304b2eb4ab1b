//! Framed records, and runs without the schema registry.

use super::*;
use crate::framed::Writer;

/// Evidence with a framed record of this schema at offset 5, which is delivered unless the registry does not have the schema.
fn framed_evidence(writer: Writer) -> Evidence {
    let mut evidence = valid_evidence();
    let user = User::new(1020, "framed");
    let mut framed = stored(5, Some(writer.encode(&user)));
    // The id in the value takes precedence.
    let header = "avro-schema-fingerprint".to_owned();
    framed.headers = vec![(header, Some(b"8f5c393f1ad57572".to_vec()))];
    match writer {
        Writer::Unknown => evidence
            .dead_letters
            .push(letter(&framed, "unknown-schema")),
        _ => evidence
            .received
            .push(received("B", user.encode(), "c/t/0/5")),
    }
    evidence.topic.push(framed);
    evidence.acknowledged.push((0, 5));
    evidence.committed = [(0, 6)].into();
    evidence
}

#[test]
fn a_framed_record_is_delivered_as_a_datum_of_the_jobs_schema() {
    for writer in [Writer::Same, Writer::Added, Writer::Reordered] {
        let mut evidence = framed_evidence(writer);
        let verdict = check(&evidence);
        assert!(verdict.is_pass(), "{verdict:?}");
        assert_eq!(verdict.framed[writer.name()], 1);
        let value = evidence.topic[5].value.clone().unwrap();
        // The value as it is, and the datum as it was written.
        for wrong in [&value[..], &value[5..]] {
            evidence.received[3].datum = wrong.to_vec();
            let verdict = check(&evidence);
            let is_right = writer == Writer::Same && wrong.len() < value.len();
            assert_eq!(verdict.is_pass(), is_right, "{writer:?}");
            assert_eq!(verdict.lost.count, usize::from(!is_right));
            assert_eq!(verdict.not_in_topic.count, usize::from(!is_right));
        }
        evidence.received.pop();
        assert_eq!(check(&evidence).lost.count, 1);
        evidence
            .dead_letters
            .push(letter(&evidence.topic[5], "unknown-schema"));
        assert_eq!(check(&evidence).dead_letters.count, 1);
    }
}

#[test]
fn a_request_names_the_schema_of_the_job() {
    let mut evidence = framed_evidence(Writer::Added);
    evidence.received[3].names_schema = false;
    assert_eq!(check(&evidence).unvalidated.count, 1);
}

#[test]
fn a_record_framed_with_an_unknown_id_is_a_dead_letter_and_is_not_delivered() {
    let mut evidence = framed_evidence(Writer::Unknown);
    assert!(check(&evidence).is_pass());
    let datum = User::new(1020, "framed").encode();
    evidence.received.push(received("B", datum, "c/t/0/5"));
    assert_eq!(check(&evidence).unvalidated.count, 1);
    evidence.dead_letters.pop();
    assert_eq!(check(&evidence).lost.count, 1);
}

#[test]
fn a_framed_value_that_is_not_valid_is_undecodable() {
    let mut evidence = framed_evidence(Writer::Same);
    evidence.received.pop();
    evidence.topic[5].value.as_mut().unwrap().pop();
    assert_eq!(check(&evidence).lost.count, 1);
    evidence
        .dead_letters
        .push(letter(&evidence.topic[5], "undecodable"));
    assert!(check(&evidence).is_pass());
}

/// The second run has no registry; the third delivers the framed record.
fn outage_evidence() -> Evidence {
    let mut evidence = framed_evidence(Writer::Same);
    let fair = Run {
        acknowledged: 6,
        fair_routes: vec!["A", "B"],
        independent: true,
        ..Run::default()
    };
    evidence.runs = vec![fair; 3];
    evidence.received[3].run = 2;
    evidence.runs[1].outage = Some(Outage {
        committed: [(0, 5)].into(),
        code: Some(74),
        run: Some("1-2".to_owned()),
    });
    evidence
}

#[test]
fn without_the_registry_a_run_ends_with_74_if_and_only_if_it_needs_a_schema() {
    let mut evidence = outage_evidence();
    let verdict = check(&evidence);
    assert!(verdict.is_pass(), "{verdict:?}");
    let committed = |evidence: &mut Evidence, code, offset| {
        let outage = evidence.runs[1].outage.as_mut().unwrap();
        (outage.code, outage.committed) = (code, [(0, offset)].into());
    };
    for (code, offset, count) in [
        (Some(10), 5, 1),
        (Some(74), 6, 1),
        (Some(0), 6, 0),
        (None, 5, 0),
        (None, 6, 0),
    ] {
        committed(&mut evidence, code, offset);
        assert_eq!(check(&evidence).outages.count, count, "{code:?} {offset}");
    }
    committed(&mut evidence, Some(74), 5);
    // The record was written after the run had started.
    evidence.runs[1].acknowledged = 5;
    assert_eq!(check(&evidence).outages.count, 1);
}

#[test]
fn without_the_registry_no_framed_record_is_sent_or_dead_lettered() {
    let mut evidence = outage_evidence();
    evidence.received[3].run = 1;
    assert_eq!(check(&evidence).outages.count, 1);
    let mut evidence = framed_evidence(Writer::Unknown);
    evidence.runs[1] = outage_evidence().runs.remove(1);
    evidence.runs[1].fair_routes.clear();
    evidence.dead_letters[2].run = Some("2-2".to_owned());
    assert!(check(&evidence).is_pass());
    evidence.dead_letters[2].run = Some("1-2".to_owned());
    assert_eq!(check(&evidence).outages.count, 1);
}

#[test]
fn without_the_registry_the_records_before_the_first_framed_one_progress() {
    let mut evidence = outage_evidence();
    let outage = evidence.runs[1].outage.clone();
    evidence.runs.insert(2, evidence.runs[1].clone());
    evidence.received[3].run = 3;
    let verdict = check(&evidence);
    assert!(verdict.is_pass(), "{verdict:?}");
    assert_eq!(verdict.outage_checks, 0, "only a framed record is left");
    evidence.received[1].run = 3;
    evidence.runs[0].fair_routes.clear();
    let verdict = check(&evidence);
    // Route B, and partition 0 of route B, in two runs.
    assert_eq!((verdict.starved.count, verdict.outage_checks), (2, 4));
    evidence.runs[1].outage = None;
    evidence.runs[2].outage = outage;
    evidence.received[1].run = 1;
    assert_eq!(check(&evidence).starved.count, 0);
}
