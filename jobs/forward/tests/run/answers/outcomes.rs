//! Which records have an answer, in which topic, and how many.

use super::*;

#[test]
fn delivered_and_dead_lettered_records_have_an_answer_each() {
    let script = |request: &testkit::endpoint::Request| {
        if has(request, "bad") {
            Answer::status(422).body("no such customer")
        } else if has(request, "dropped") {
            Answer::status(500).body("dropped")
        } else if has(request, "down") {
            Answer::status(503).body("busy")
        } else if has(request, "cut") {
            Answer::reset()
        } else {
            Answer::ok().body("stored")
        }
    };
    let endpoint = Endpoint::start(script).unwrap();
    let stage = AnswerStage::new(endpoint, BOTH, "drop_on: [500]");
    stage.write(&["a", "bad", "down", "dropped", "cut", "b"]);
    let run = stage.run(&["--max-attempts", "2"]);
    run.assert(
        11,
        &json!({"delivered": 2, "dead_lettered": 2, "deferred": 2}),
    );
    let counts = json!({"success": 2, "error": 2});
    assert_eq!(run.report["routes"][0]["answers"], counts);
    let success = stage.answers(SUCCESS);
    assert_eq!(success.keys().copied().collect::<Vec<_>>(), [0, 5]);
    let errors = stage.answers(ERROR);
    assert_eq!(errors.keys().copied().collect::<Vec<_>>(), [1, 3]);
    let error = &errors[&1];
    assert_eq!(
        (&error["status"], &error["outcome"]),
        (&json!(422), &json!("dead_lettered"))
    );
    assert_eq!(error["body"], "no such customer");
    assert_eq!(error["reason"], "422: no such customer");
    assert_eq!(
        (&errors[&3]["status"], &errors[&3]["body"]),
        (&json!(500), &json!("dropped"))
    );
}

#[test]
fn one_topic_is_enough_and_other_answers_are_not_kept() {
    for (members, success, error) in [
        ("success_topic: orders.accepted", 1, 0),
        ("error_topic: orders.refused", 0, 1),
        (
            "success_topic: orders.accepted, error_topic: orders.accepted",
            2,
            0,
        ),
    ] {
        let reject = |request: &testkit::endpoint::Request| {
            Answer::status(if has(request, "bad") { 422 } else { 200 })
        };
        let stage = AnswerStage::new(Endpoint::start(reject).unwrap(), members, "");
        stage.write(&["good", "bad"]);
        stage
            .run(&[])
            .assert(10, &json!({"delivered": 1, "dead_lettered": 1}));
        let counts = (stage.stored(SUCCESS).len(), stage.stored(ERROR).len());
        assert_eq!(counts, (success, error), "{members}");
    }
}

#[test]
fn attempts_before_the_last_have_no_answer() {
    let answers = vec![
        Answer::status(503).body("busy"),
        Answer::status(429).header("retry-after", "0"),
        Answer::ok().body("stored"),
    ];
    let endpoint = Endpoint::sequence(answers).unwrap();
    let stage = AnswerStage::new(endpoint, BOTH, "");
    stage.write(&["a"]);
    stage.run(&[]).assert(0, &json!({"delivered": 1}));
    let answers = stage.answers(SUCCESS);
    assert_eq!(answers[&0]["attempts"], 3);
    assert_eq!(answers[&0]["body"], "stored");
    assert!(stage.answers(ERROR).is_empty());
}

#[test]
fn a_status_that_a_rule_accepts_is_a_success() {
    let endpoint = Endpoint::always(Answer::status(409).body("known")).unwrap();
    let stage = AnswerStage::new(endpoint, BOTH, "success_on: [409]");
    stage.write(&["a"]);
    stage.run(&[]).assert(0, &json!({"delivered": 1}));
    assert_eq!(stage.answers(SUCCESS)[&0]["status"], 409);
}

#[test]
fn each_record_of_a_batch_has_an_answer() {
    let script = |request: &testkit::endpoint::Request| {
        if has(request, "bad") {
            return Answer::status(422).body("one is bad");
        }
        let body: Vec<Value> = serde_json::from_slice(&request.body).unwrap();
        let failed = body.iter().find(|item| item["value"]["name"] == "later");
        match failed.filter(|_| body.len() > 1) {
            Some(item) => Answer::ok()
                .header("content-type", "application/json")
                .body(
                    json!({"batchItemFailures": [{"itemIdentifier": item["idempotency_key"]}]})
                        .to_string(),
                ),
            None => Answer::ok().body(format!("{} stored", body.len())),
        }
    };
    let stage = AnswerStage::new(
        Endpoint::start(script).unwrap(),
        BOTH,
        "format: json, batch: 10",
    );
    stage.write(&["a", "b", "later", "c"]);
    stage.run(&[]).assert(0, &json!({"delivered": 4}));
    let answers = stage.answers(SUCCESS);
    assert_eq!(answers.len(), 4);
    // The record that the first answer reports as failed has that of its own request.
    assert_eq!(answers[&2]["body"], "1 stored");
    assert_eq!(answers[&2]["attempts"], 2);
    for offset in [0, 1, 3] {
        assert_eq!(answers[&offset]["attempts"], 1);
        let body = answers[&offset]["body"].as_str().unwrap();
        assert!(body.contains("batchItemFailures"), "{body}");
    }

    stage.write(&["d", "bad", "e"]);
    stage
        .run(&[])
        .assert(10, &json!({"delivered": 2, "dead_lettered": 1}));
    // A batch that is rejected is split, and the last answer to each record is kept.
    assert_eq!(stage.answers(SUCCESS).len(), 6);
    let errors = stage.answers(ERROR);
    assert_eq!(errors.keys().copied().collect::<Vec<_>>(), [5]);
    assert_eq!(errors[&5]["status"], 422);
}

#[test]
fn answers_to_records_with_a_key_have_the_order_of_the_records() {
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let stage = AnswerStage::new(endpoint, BOTH, "order: key");
    let names: Vec<&str> = (0..300).map(|n| ["x", "y", "z"][n % 3]).collect();
    stage.write(&names);
    stage.run(&[]).assert(0, &json!({"delivered": 300}));
    let mut last = BTreeMap::new();
    for stored in stage.stored(SUCCESS) {
        let offset = envelope(&stored)["offset"].as_i64().unwrap();
        let before = last.insert(stored.key.clone(), (stored.partition, offset));
        if let Some((partition, earlier)) = before {
            assert_eq!(partition, stored.partition, "a key has one partition");
            assert!(earlier < offset, "{earlier} before {offset}");
        }
    }
    assert_eq!(last.len(), 3);
}

#[test]
fn a_record_that_is_given_up_has_its_last_answer() {
    let endpoint = Endpoint::start(|request| match has(request, "never") {
        true => Answer::status(500).body("broken"),
        false => Answer::ok(),
    });
    let stage = AnswerStage::new(endpoint.unwrap(), BOTH, "");
    let arguments = ["--max-attempts", "1", "--give-up-after", "1ms"];
    stage.write(&["good", "never"]);
    stage
        .run(&arguments)
        .assert(11, &json!({"delivered": 1, "deferred": 1}));
    assert!(stage.answers(ERROR).is_empty());
    stage.write(&["good"]);
    stage
        .run(&arguments)
        .assert(10, &json!({"delivered": 1, "dead_lettered": 1}));
    let answer = &stage.answers(ERROR)[&1];
    assert_eq!(
        (&answer["status"], &answer["body"]),
        (&json!(500), &json!("broken"))
    );
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("GIVE_UP_AFTER"), "{reason}");
}

#[test]
fn a_dry_run_writes_no_answer() {
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let stage = AnswerStage::new(endpoint, BOTH, "");
    stage.write(&["a"]);
    stage.run(&["--dry-run"]).assert(0, &json!({"deferred": 1}));
    assert!(stage.answers(SUCCESS).is_empty());
}
