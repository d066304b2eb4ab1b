//! What an answer contains.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// The only answer to one delivered record.
fn answer_to_one(answer: Answer, members: &str, more: &str) -> Value {
    let stage = AnswerStage::new(
        Endpoint::always(answer).unwrap(),
        &format!("success_topic: {SUCCESS}, {members}"),
        more,
    );
    stage.write(&["Paul"]);
    stage.run(&[]).assert(0, &json!({"delivered": 1}));
    stage.answers(SUCCESS).remove(&0).unwrap()
}

#[test]
fn an_answer_has_the_key_of_its_record_and_no_headers() {
    let answer = Answer::status(201)
        .header("location", "/orders/7")
        .header("x-other", "no")
        .body("{\"stored\": true}");
    let members = format!("success_topic: {SUCCESS}, headers: [Location, X-Request-Id]");
    let stage = AnswerStage::new(Endpoint::always(answer).unwrap(), &members, "");
    stage.write(&["Paul"]);
    let run = stage.run(&[]);
    run.assert(0, &json!({"delivered": 1}));
    assert_eq!(run.report["routes"][0]["answers"], json!({"success": 1}));
    let stored = stage.stored(SUCCESS);
    assert_eq!(stored[0].key.as_deref(), Some(&b"Paul"[..]));
    assert!(stored[0].headers.is_empty());
    let mut answer = envelope(&stored[0]);
    let key = stage.stage.a.requests()[0]
        .header("idempotency-key")
        .unwrap()
        .trim_matches('"')
        .to_owned();
    let members = answer.as_object_mut().unwrap();
    assert!(members.remove("answered_at").unwrap().is_string());
    assert_eq!(members.remove("run").unwrap(), run.report["run"]);
    let expected = json!({
        "version": 1, "route": "A", "outcome": "delivered", "status": 201, "attempts": 1, "idempotency_key": key,
        "group": "frontdoor", "topic": TOPIC, "partition": 0, "offset": 0, "headers": {"location": ["/orders/7"]},
        "body": "{\"stored\": true}", "body_truncated": false, "body_length": 16,
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_record_without_a_key_has_an_answer_without_a_key() {
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let stage = AnswerStage::new(endpoint, BOTH, "");
    stage.stage.write_to(0, vec![user(1010, "Paul")]);
    stage.run(&[]).assert(0, &json!({"delivered": 1}));
    assert_eq!(stage.stored(SUCCESS)[0].key, None);
}

#[test]
fn a_long_body_is_truncated_and_its_length_is_named() {
    let body = "é".repeat(10_000);
    let answer = answer_to_one(Answer::ok().body(body), "max_body: 1001", "");
    // A character is not cut in two.
    assert_eq!(answer["body"], "é".repeat(500));
    assert_eq!(answer["body_truncated"], true);
    assert_eq!(answer["body_length"], 20_000);

    let answer = answer_to_one(
        Answer::ok().body("x".repeat(300_000)),
        "max_body: 262144",
        "",
    );
    assert_eq!(answer["body"].as_str().unwrap().len(), 262_144);
    assert_eq!(answer["body_length"], 300_000);

    let answer = answer_to_one(Answer::ok().body("body"), "max_body: 0", "");
    assert_eq!(
        (&answer["body"], &answer["body_length"]),
        (&json!(""), &json!(4))
    );
}

#[test]
fn a_binary_body_is_base64() {
    let bytes: Vec<u8> = (0..=255).collect();
    let answer = answer_to_one(Answer::ok().body(bytes.clone()), "", "");
    assert!(answer.get("body").is_none());
    let text = answer["body_base64"].as_str().unwrap();
    assert_eq!(STANDARD.decode(text).unwrap(), bytes);
    assert_eq!(answer["body_truncated"], false);
}

#[test]
fn a_secret_that_the_endpoint_repeats_is_not_in_the_topics() {
    const TOKEN: &str = "canary-of-the-token";
    let echo = |request: &testkit::endpoint::Request| {
        let header = request.header("authorization").unwrap_or_default();
        let status = if has(request, "bad") { 422 } else { 200 };
        let body = match has(request, "binary") {
            true => [b"\xff ", header.as_bytes()].concat(),
            false => format!("{{\"got\": \"{header}\"}}").into_bytes(),
        };
        Answer::status(status).header("x-got", header).body(body)
    };
    let members = format!("{BOTH}, headers: [X-Got]");
    let more = format!("auth: {{bearer: {TOKEN}}}");
    let stage = AnswerStage::new(Endpoint::start(echo).unwrap(), &members, &more);
    stage.write(&["good", "bad", "binary", "bad binary"]);
    stage
        .run(&[])
        .assert(10, &json!({"delivered": 2, "dead_lettered": 2}));
    let mut texts = 0;
    for topic in [SUCCESS, ERROR] {
        for answer in stage.answers(topic).values() {
            assert_eq!(answer["headers"]["x-got"], json!(["Bearer [redacted]"]));
            let body = match answer["body_base64"].as_str() {
                Some(text) => String::from_utf8_lossy(&STANDARD.decode(text).unwrap()).into_owned(),
                None => answer["body"].as_str().unwrap().to_owned(),
            };
            assert!(body.contains("Bearer [redacted]"), "{body}");
            assert!(!answer.to_string().contains("canary"), "{answer}");
            texts += 1;
        }
    }
    assert_eq!(texts, 4);
}

#[test]
fn a_secret_at_the_cut_of_a_body_is_not_in_the_topic() {
    const TOKEN: &str = "canary-of-the-token";
    let answer = answer_to_one(
        Answer::ok().body(format!("you sent {TOKEN}")),
        "max_body: 20",
        &format!("auth: {{bearer: {TOKEN}}}"),
    );
    assert_eq!(answer["body"], "you sent [redacted]");
}
