//! Records of another schema, records that are never accepted, progress, secrets.

use super::*;
use crate::canary::{self, Encoding};

#[test]
fn requires_a_dead_letter_for_a_record_of_another_schema() {
    let mut evidence = valid_evidence();
    let mut foreign = stored(5, Some(User::new(1010, "foreign").encode()));
    let header = "avro-schema-fingerprint".to_owned();
    foreign.headers = vec![(header, Some(b"8f5c393f1ad57572".to_vec()))];
    evidence.topic.push(foreign.clone());
    evidence.committed = [(0, 6)].into();
    assert_eq!(check(&evidence).lost.count, 1);
    evidence.dead_letters.push(letter(&foreign, "undecodable"));
    assert_eq!(check(&evidence).dead_letters.count, 1);
    evidence.dead_letters[2].cause = "unknown-schema".to_owned();
    assert!(check(&evidence).is_pass());
    let datum = foreign.value.clone().unwrap();
    evidence
        .received
        .push(received("A", datum.clone(), "c/t/0/5"));
    assert_eq!(check(&evidence).unvalidated.count, 1);
    evidence.received.pop();
    evidence.topic[5].headers[0].1 = Some(FINGERPRINT.into());
    evidence.dead_letters.pop();
    assert_eq!(check(&evidence).lost.count, 1);
    evidence.received.push(received("A", datum, "c/t/0/5"));
    assert!(check(&evidence).is_pass());
}

#[test]
fn a_record_that_is_never_accepted_is_deferred_or_undeliverable() {
    let mut evidence = valid_evidence();
    let never = stored(5, Some(User::new(1010, "never-answered").encode()));
    evidence.topic.push(never.clone());
    assert!(check(&evidence).is_pass(), "the commit is at the record");
    evidence.committed = [(0, 6)].into();
    assert_eq!(check(&evidence).lost.count, 1);
    evidence.committed = [(0, 4)].into();
    assert_eq!(check(&evidence).uncommitted.count, 1);
    evidence.gives_up = true;
    evidence.committed = [(0, 6)].into();
    assert_eq!(check(&evidence).lost.count, 1);
    evidence.dead_letters.push(letter(&never, "refused"));
    assert_eq!(check(&evidence).dead_letters.count, 1);
    evidence.dead_letters[2].cause = "undeliverable".to_owned();
    assert!(check(&evidence).is_pass());
}

#[test]
fn reports_a_key_that_the_caller_did_not_give() {
    let mut evidence = valid_evidence();
    let header = |key: &str| ("idempotency-key".to_owned(), Some(key.into()));
    evidence.topic[0].headers = vec![header("c/t/0/0")];
    assert!(check(&evidence).is_pass());
    evidence.topic[0].headers = vec![header("caller-1")];
    assert_eq!(check(&evidence).key_conflicts.count, 1);
}

#[test]
fn reports_two_consecutive_runs_without_progress() {
    let mut evidence = valid_evidence();
    let fair = Run {
        acknowledged: 5,
        fair_routes: vec!["A"],
        independent: true,
        ..Run::default()
    };
    evidence.runs = vec![fair; 3];
    let verdict = check(&evidence);
    assert_eq!((verdict.starved.count, verdict.fairness_checks), (0, 2));
    evidence.received[0].run = 1;
    assert_eq!(check(&evidence).starved.count, 0);
    evidence.received[0].run = 2;
    // Route A, and partition 0 of route A.
    assert_eq!(check(&evidence).starved.count, 2);
    evidence.runs[1].fair_routes = vec!["B"];
    assert_eq!(check(&evidence).starved.count, 0);
    evidence.runs[1].fair_routes = vec!["A"];
    evidence.runs[0].acknowledged = 0;
    assert_eq!(check(&evidence).starved.count, 0, "nothing to deliver");
}

/// A killed run has delivered the records without a commit. The next ones deliver them again before any other.
#[test]
fn a_repeated_delivery_is_progress() {
    let mut evidence = valid_evidence();
    let run = Run {
        acknowledged: 5,
        fair_routes: vec!["A"],
        independent: true,
        allowed_repeats: 1,
        ..Run::default()
    };
    evidence.runs = vec![run; 4];
    let left = Received {
        run: 3,
        ..evidence.received[0].clone()
    };
    evidence.received[0].run = 0;
    evidence
        .topic
        .push(stored(5, Some(User::new(1010, "left").encode())));
    evidence.acknowledged.push((0, 5));
    evidence
        .runs
        .iter_mut()
        .for_each(|run| run.acknowledged = 6);
    evidence.received.push(Received {
        datum: User::new(1010, "left").encode(),
        ..left.clone()
    });
    assert_eq!(check(&evidence).starved.count, 2);
    evidence.received.push(Received {
        run: 1,
        ..evidence.received[0].clone()
    });
    assert_eq!(check(&evidence).starved.count, 0);
}

#[test]
fn a_batch_with_a_record_that_is_never_accepted_need_not_progress() {
    let mut evidence = valid_evidence();
    let never = stored(5, Some(User::new(1010, "never-answered").encode()));
    evidence.topic.push(never.clone());
    evidence.acknowledged.push((0, 5));
    evidence.received[0].run = 2;
    let run = Run {
        acknowledged: 6,
        fair_routes: vec!["A"],
        ..Run::default()
    };
    evidence.runs = vec![run; 3];
    assert!(check(&evidence).is_pass());
    // The last run writes it to the dead-letter topic.
    evidence.dead_letters.push(letter(&never, "undeliverable"));
    assert_eq!(check(&evidence).starved.count, 0);
    evidence
        .runs
        .iter_mut()
        .for_each(|run| run.independent = true);
    assert_eq!(check(&evidence).starved.count, 2);
}

#[test]
fn reports_a_secret_in_every_encoding() {
    for secret in canary::SECRETS {
        for encoding in Encoding::ALL {
            let mut evidence = valid_evidence();
            evidence.outputs = vec![Output {
                name: "run-1.log".to_owned(),
                text: format!("401: {}", encoding.encode(&format!("Bearer {secret}"))),
            }];
            assert_eq!(check(&evidence).leaked.count, 1, "{encoding:?}");
        }
    }
    let mut evidence = valid_evidence();
    evidence.outputs = vec![Output {
        name: "run-1.log".to_owned(),
        text: "401: Bearer [redacted]".to_owned(),
    }];
    assert!(check(&evidence).is_pass());
}
