//! The answers of route A.

use super::*;

fn answer(record: &StoredRecord, is_success: bool, key: &str) -> KeptAnswer {
    KeptAnswer {
        is_success,
        place: (0, record.offset),
        key: record.key.clone(),
        origin: (record.partition, record.offset),
        idempotency_key: key.to_owned(),
        status: if is_success { 200 } else { 422 },
    }
}

/// Evidence with an answer to the accepted and to the rejected record of A.
fn answered() -> Evidence {
    let evidence = valid_evidence();
    let answers = vec![
        answer(&evidence.topic[0], true, "c/t/0/0"),
        answer(&evidence.topic[4], false, "c/t/0/4"),
    ];
    Evidence {
        answers,
        keeps_answers: true,
        ..evidence
    }
}

#[test]
fn passes_if_each_committed_record_has_its_answer() {
    let verdict = check(&answered());
    assert!(verdict.is_pass(), "{verdict:?}");
    assert_eq!(verdict.answers, 2);
}

#[test]
fn reports_a_committed_record_without_an_answer() {
    for missing in 0..2 {
        let mut evidence = answered();
        evidence.answers.remove(missing);
        assert_eq!(check(&evidence).missing_answers.count, 1, "{missing}");
        evidence.committed = [(0, 0)].into();
        assert_eq!(check(&evidence).missing_answers.count, 0);
    }
    let mut evidence = answered();
    evidence.answers[0].is_success = false;
    assert_eq!(check(&evidence).missing_answers.count, 1);
}

#[test]
fn reports_an_answer_that_does_not_belong_to_its_record() {
    let changes: [fn(&mut KeptAnswer); 4] = [
        |answer| answer.key = None,
        |answer| answer.idempotency_key = "c/t/0/1".to_owned(),
        |answer| answer.status = 422,
        |answer| answer.origin = (-1, -1),
    ];
    for change in changes {
        let mut evidence = answered();
        change(&mut evidence.answers[0]);
        assert_eq!(check(&evidence).wrong_answers.count, 1);
    }
}
