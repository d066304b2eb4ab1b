//! The answers that completions carry.

use std::time::Duration;

use delivery::{AnswerConfig, Completion, DeliveryConfig, Limits, StatusRule};
use http::HeaderName;
use runtime::redact;
use runtime::secret::Secret;
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, message};

fn keeping(max_body: usize) -> impl FnOnce(&mut DeliveryConfig) {
    move |config| {
        config.endpoints[0].answers = Some(AnswerConfig {
            keeps_success: true,
            keeps_error: true,
            headers: ["location", "x-request-id"]
                .map(HeaderName::from_static)
                .into(),
            max_body,
        });
    }
}

/// The completion of one record that the endpoint answers so.
fn completion(answer: Answer, max_body: usize) -> Completion {
    let endpoint = Endpoint::always(answer).expect("a value");
    let harness = Harness::to(&endpoint, keeping(max_body));
    harness.offer([message(0, 0)]);
    harness.completions(1).remove(0)
}

#[test]
fn a_route_that_keeps_answers_gets_status_headers_and_body() {
    let answer = Answer::status(201)
        .header("location", "/orders/7")
        .header("x-other", "1")
        .body("stored");
    let completion = completion(answer, 100);
    let record = completion.answer.expect("a value");
    let answer = record.answer();
    assert_eq!((answer.status, record.attempts), (201, 1));
    let location = HeaderName::from_static("location");
    assert_eq!(answer.headers, [(location, "/orders/7".to_owned())]);
    assert_eq!(answer.body, b"stored");
    assert_eq!((answer.is_truncated, answer.body_length), (false, Some(6)));
}

#[test]
fn a_route_without_answers_gets_none() {
    let endpoint = Endpoint::always(Answer::status(200).body("stored")).expect("a value");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([message(0, 0)]);
    assert!(harness.completions(1)[0].answer.is_none());
}

#[test]
fn only_the_wanted_answers_are_kept() {
    for (status, keeps_success, expected) in [
        (200, true, true),
        (200, false, false),
        (422, true, false),
        (422, false, true),
    ] {
        let endpoint = Endpoint::always(Answer::status(status)).expect("a value");
        let harness = Harness::to(&endpoint, |config| {
            keeping(10)(config);
            if let Some(answers) = &mut config.endpoints[0].answers {
                (answers.keeps_success, answers.keeps_error) = (keeps_success, !keeps_success);
            }
        });
        harness.offer([message(0, 0)]);
        let is_kept = harness.completions(1)[0].answer.is_some();
        assert_eq!(is_kept, expected, "{status} {keeps_success}");
    }
}

#[test]
fn a_status_that_a_rule_accepts_is_a_success() {
    let endpoint = Endpoint::always(Answer::status(409).body("known")).expect("a value");
    let harness = Harness::to(&endpoint, |config| {
        keeping(10)(config);
        let route = &mut config.endpoints[0];
        assert!(route.statuses.add(409..=409, StatusRule::Success));
        route.answers.as_mut().expect("a value").keeps_error = false;
    });
    harness.offer([message(0, 0)]);
    let record = harness.completions(1).remove(0).answer.expect("a value");
    assert_eq!(
        (record.answer().status, &*record.answer().body),
        (409, &b"known"[..])
    );
}

#[test]
fn a_long_body_is_cut_and_its_length_is_known_if_it_was_declared_or_read() {
    let completed = completion(Answer::status(200).body(vec![b'x'; 50_000]), 1000);
    let record = completed.answer.expect("a value");
    let answer = record.answer();
    assert_eq!((answer.body.len(), answer.is_truncated), (1000, true));
    assert_eq!(answer.body_length, Some(50_000));
    // More than is read of any body.
    let completed = completion(Answer::status(422).body(vec![b'x'; 400_000]), 262_144);
    let record = completed.answer.expect("a value");
    let answer = record.answer();
    assert_eq!((answer.body.len(), answer.is_truncated), (262_144, true));
    assert_eq!(answer.body_length, Some(400_000));
    let completed = completion(Answer::status(200).body("body"), 0);
    let record = completed.answer.expect("a value");
    assert_eq!(
        (record.answer().body.len(), record.answer().is_truncated),
        (0, true)
    );
    let completed = completion(Answer::status(200).body("body"), 4);
    let record = completed.answer.expect("a value");
    assert_eq!(
        (record.answer().body.len(), record.answer().is_truncated),
        (4, false)
    );
}

#[test]
fn a_body_that_ends_early_is_truncated() {
    let completed = completion(
        Answer::status(200).body(vec![b'x'; 4096]).reset_in_body(),
        10_000,
    );
    let record = completed.answer.expect("a value");
    assert!(record.answer().is_truncated);
    assert_eq!(record.answer().body_length, Some(4096));
}

#[test]
fn secrets_in_body_and_headers_are_masked() {
    redact::protect("answers test", [Secret::new("tok-en-4711-secret")]);
    let answer = Answer::status(200)
        .header("x-request-id", "tok-en-4711-secret")
        .body([&b"\xff got tok-en-4711-secret"[..], b" and more"].concat());
    let completion = completion(answer, 100);
    let record = completion.answer.expect("a value");
    assert_eq!(record.answer().headers[0].1, "[redacted]");
    assert_eq!(record.answer().body, b"\xff got [redacted] and more");
}

#[test]
fn only_the_last_answer_of_a_record_is_kept() {
    let endpoint = Endpoint::sequence(vec![
        Answer::status(503).body("busy"),
        Answer::status(500),
        Answer::status(200).body("stored"),
    ])
    .expect("a value");
    let harness = Harness::to(&endpoint, keeping(100));
    harness.offer([message(0, 0)]);
    let record = harness.completions(1).remove(0).answer.expect("a value");
    assert_eq!((record.answer().status, record.attempts), (200, 3));
    assert_eq!(record.answer().body, b"stored");
}

#[test]
fn a_record_whose_last_attempt_has_no_answer_has_none() {
    let endpoint = Endpoint::sequence(vec![Answer::status(503), Answer::reset()]).expect("a value");
    let harness = Harness::to(&endpoint, |config| {
        keeping(100)(config);
        config.endpoints[0].limits.max_attempts = 2;
    });
    harness.offer([message(0, 0)]);
    assert!(harness.completions(1)[0].answer.is_none());
}

#[test]
fn requests_wait_while_too_much_is_kept() {
    let endpoint = Endpoint::always(Answer::status(200).body(vec![b'x'; 10_000])).expect("a value");
    let harness = Harness::to(&endpoint, |config| {
        keeping(10_000)(config);
        config.endpoints[0].limits = Limits {
            max_in_flight: 2,
            ..config.endpoints[0].limits
        };
    });
    harness.offer((0..20).map(|offset| message(0, offset)));
    let mut kept = harness.next_group();
    while kept.len() < 2 {
        kept.extend(harness.next_group());
    }
    std::thread::sleep(Duration::from_millis(100));
    kept.extend(harness.received_completions());
    // As many as may be kept, and as many as were in flight then.
    assert!((2..=4).contains(&endpoint.count()), "{}", endpoint.count());
    let rest = 20 - kept.len();
    drop(kept);
    let mut done = 0;
    while done < rest {
        done += harness.next_group().len();
    }
}
