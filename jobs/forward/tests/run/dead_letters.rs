//! `forward dead-letters` as a process.

use super::*;

/// Routes A and B with endpoints that answer by the name of the user: the ones named `bad` are rejected.
pub(super) fn rejecting() -> Endpoint {
    Endpoint::start(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        match body.contains("bad") {
            true => Answer::status(422).body("no such customer"),
            false => Answer::ok(),
        }
    })
    .unwrap()
}

impl Stage {
    fn letters(&self, arguments: &[&str]) -> (i32, String, String) {
        self.show(&[], &[&["dead-letters"], arguments].concat())
    }

    fn letters_json(&self, arguments: &[&str], code: i32) -> Value {
        let (exit, out, log) = self.letters(&[arguments, &["--output", "json"]].concat());
        assert_eq!(exit, code, "{out}{log}");
        serde_json::from_str(&out).unwrap()
    }
}

#[test]
fn dead_letters_are_counted_listed_and_shown() {
    let stage = Stage::new(rejecting(), Endpoint::always(Answer::ok()).unwrap());
    let user = |id, name: &str| User::new(id, name).encode();
    stage.write_to(
        0,
        vec![
            user(1010, "good"),
            user(1010, "bad-0"),
            user(1010, "bad-1"),
            b"\xff no datum".to_vec(),
        ],
    );
    let run = stage.run(&[]);
    assert_eq!(
        (run.code, run.total("dead_lettered")),
        (10, 3),
        "{}",
        run.log
    );
    let list = stage.letters_json(&["list"], 0);
    assert_eq!(list["total"], 3);
    assert_eq!(list["groups"][0]["cause"], "refused");
    assert_eq!(list["groups"][0]["route"], "A");
    assert_eq!(list["groups"][0]["count"], 2);
    assert_eq!(list["letters"].as_array().unwrap().len(), 3);
    let undecodable = stage.letters_json(&["list", "--cause", "undecodable"], 0);
    assert_eq!(undecodable["total"], 1);
    let at = undecodable["letters"][0]["coordinates"].as_str().unwrap();
    assert_eq!(stage.letters_json(&["list", "--route", "B"], 1)["total"], 0);
    let newest = stage.letters_json(&["list", "--limit", "1"], 0);
    assert_eq!(newest["letters"].as_array().unwrap().len(), 1);

    let (code, out, log) = stage.letters(&["show", at]);
    assert_eq!(code, 0, "{out}{log}");
    assert!(
        out.contains("undecodable") && out.contains("ff206e6f"),
        "{out}"
    );
    let refused = list["letters"].as_array().unwrap().iter();
    let refused = refused.clone().find(|letter| letter["cause"] == "refused");
    let at = refused.unwrap()["coordinates"].as_str().unwrap();
    let shown = stage.letters_json(&["show", at], 0);
    let reason = shown["letter"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("422") && reason.contains("no such customer"),
        "{reason}"
    );
    assert_eq!(shown["record"]["value"]["name"], "bad-0");
    let key = shown["idempotency_key"].as_str().unwrap();
    assert!(key.ends_with("/0/1"), "{key}");
    // The headers of the record only.
    let headers = shown["record"]["headers"].to_string();
    assert!(!headers.contains("errors."), "{headers}");

    for (arguments, code, expected) in [
        (&["show", "0@99"][..], 1, "99"),
        (&["show", "9@0"], 1, "has partitions 0 to 0"),
        (&["show", "FrontDoorTopic/0@0"], 78, "same topic"),
        (&["show", "x"], 64, "expected TOPIC/PARTITION@OFFSET"),
        (
            &["list", "--offsets", "9-1", "--partition", "0"],
            64,
            "FIRST-LAST",
        ),
        (&["list", "no-such-topic/0@1"], 1, "0 dead letters"),
    ] {
        let (exit, out, log) = stage.letters(arguments);
        assert_eq!(exit, code, "{out}{log}");
        assert!(format!("{out}{log}").contains(expected), "{out}{log}");
    }
}

/// Each request's idempotency key and body.
fn received(endpoint: &Endpoint) -> Vec<(String, Vec<u8>)> {
    let requests = endpoint.requests().into_iter();
    requests
        .map(|request| {
            let key = request.header("idempotency-key").unwrap().to_owned();
            (key, request.body.to_vec())
        })
        .collect()
}

fn dead_letters(stage: &Stage) -> usize {
    records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC)
        .unwrap()
        .len()
}

impl Stage {
    fn replay(&self, arguments: &[&str]) -> Run {
        let environment = [("BACKOFF_INITIAL", "20ms"), ("UNMATCHED", "skip")];
        let arguments = [&["dead-letters", "replay", "--output", "json"], arguments].concat();
        let (code, out, log) = self.show(&environment, &arguments);
        Run {
            code,
            report: serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {log}")),
            log,
        }
    }
}

#[test]
fn a_replay_sends_the_same_bytes_with_the_same_key_once() {
    for envelope in [false, true] {
        let mut stage = Stage::new(rejecting(), Endpoint::always(Answer::ok()).unwrap());
        let user = |name: &str| User::new(1010, name).encode();
        let bad = ["bad-0", "bad-1"].map(user);
        let others = [b"\xff no datum".to_vec(), user("good")];
        stage.write_to(0, [&bad[..], &others].concat());
        let setting = envelope.to_string();
        let run = stage.run(&["--dead-letter-envelope", &setting]);
        assert_eq!(
            (run.code, run.total("dead_lettered")),
            (10, 3),
            "{}",
            run.log
        );
        let mut first = received(&stage.a);
        first.retain(|(_, body)| bad.contains(body));

        stage.a = Endpoint::always(Answer::ok()).unwrap();
        let dry_run = stage.replay(&["--cause", "refused", "--dry-run"]);
        dry_run.assert(0, &json!({"delivered": 0, "skipped": 1, "deferred": 2}));
        assert_eq!(stage.a.count(), 0);
        let replay = stage.replay(&["--cause", "refused"]);
        replay.assert(0, &json!({"delivered": 2, "skipped": 1}));
        assert_eq!(received(&stage.a), first);
        let again = stage.replay(&["--cause", "refused"]);
        again.assert(0, &json!({"delivered": 0}));
        assert_eq!(stage.a.count(), 2);
        // Another selection has progress of its own. What is rejected again is not written again.
        let undecodable = stage.replay(&["--cause", "undecodable"]);
        undecodable.assert(
            10,
            &json!({"dead_lettered": 1, "skipped": 2, "deferred": 0}),
        );
        assert_eq!((stage.a.count(), dead_letters(&stage)), (2, 3));
    }
}

#[test]
fn what_is_rejected_again_is_sent_by_the_next_replay_alone() {
    let mut stage = Stage::new(rejecting(), Endpoint::always(Answer::ok()).unwrap());
    let user = |name: &str| User::new(1010, name).encode();
    stage.write_to(0, ["bad-0", "bad-1", "bad-2"].map(user).to_vec());
    assert_eq!(stage.run(&["--dead-letter-min-count", "100"]).code, 10);
    stage.a =
        Endpoint::start(
            |request| match String::from_utf8_lossy(&request.body).contains("bad-1") {
                true => Answer::status(422),
                false => Answer::ok(),
            },
        )
        .unwrap();
    let replay = stage.replay(&[]);
    replay.assert(
        10,
        &json!({"delivered": 2, "dead_lettered": 1, "deferred": 0}),
    );
    assert_eq!(stage.a.count(), 3);
    assert!(
        replay.report["notes"]
            .to_string()
            .contains("rejected again")
    );
    let again = stage.replay(&[]);
    again.assert(10, &json!({"already_completed": 1, "dead_lettered": 1}));
    assert_eq!(stage.a.count(), 4);
    let user = |name: &str| User::new(1010, name).encode();
    let requests = stage.a.requests();
    assert_eq!(requests.last().unwrap().body, user("bad-1"));
    assert_eq!(dead_letters(&stage), 3);
}

#[test]
fn a_discarded_letter_is_listed_with_the_reason_and_not_replayed() {
    for envelope in ["false", "true"] {
        let mut stage = Stage::new(rejecting(), Endpoint::always(Answer::ok()).unwrap());
        let user = |name: &str| User::new(1010, name).encode();
        stage.write_to(0, ["bad-0", "bad-1"].map(user).to_vec());
        assert_eq!(stage.run(&["--dead-letter-envelope", envelope]).code, 10);
        let discard = |arguments: &[&str], code| {
            let common = [
                "discard",
                "--reason",
                "a load test",
                "--dead-letter-envelope",
            ];
            stage.letters_json(&[&common[..], &[envelope], arguments].concat(), code)
        };
        let dry_run = discard(&["0@0", "--dry-run"], 0);
        assert_eq!(
            (&dry_run["discarded"], &dry_run["dry_run"]),
            (&json!(1), &json!(true))
        );
        assert_eq!(discard(&["0@0"], 0)["already_discarded"], 0);
        let again = discard(&["0@0"], 0);
        assert_eq!(
            (&again["discarded"], &again["already_discarded"]),
            (&json!(0), &json!(1))
        );
        assert_eq!(discard(&["--cause", "no-such"], 1)["discarded"], 0);
        let list = stage.letters_json(&["list"], 0);
        assert_eq!((&list["total"], &list["discarded"]), (&json!(2), &json!(1)));
        assert_eq!(list["unrecognized"]["count"], 0);
        let reasons: Vec<&Value> = list["letters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|letter| &letter["discarded"])
            .collect();
        assert_eq!(reasons, [&json!("a load test"), &Value::Null]);
        let (_, out, _) = stage.letters(&["show", "0@0"]);
        assert!(out.contains("discarded  a load test"), "{out}");
        let (code, out, _) = stage.letters(&["show", "0@2"]);
        assert!(
            code == 1 && out.contains("It discards the dead letter"),
            "{out}"
        );

        stage.a = Endpoint::always(Answer::ok()).unwrap();
        let replay = stage.replay(&[]);
        replay.assert(0, &json!({"delivered": 1, "skipped": 2}));
        assert_eq!(stage.a.requests()[0].body, user("bad-1"));
    }
    let stage = Stage::accepting();
    for arguments in [
        &["discard", "--reason", "x"][..],
        &["discard", "0@0"],
        &["discard", "0@0", "--reason", " "],
    ] {
        assert_eq!(stage.letters(arguments).0, 64);
    }
}

#[test]
fn a_replay_to_the_source_writes_the_records_as_they_were() {
    for envelope in ["false", "true"] {
        let mut stage = Stage::new(rejecting(), Endpoint::always(Answer::ok()).unwrap());
        let user = |name: &str| User::new(1010, name).encode();
        let record = |name: &str| NewRecord {
            key: Some(name.as_bytes().to_vec()),
            headers: vec![("own".to_owned(), Some(vec![0xff]))],
            ..NewRecord::to(0, user(name))
        };
        Topics::connect(stage.broker.bootstrap())
            .unwrap()
            .write(TOPIC, &[record("bad-0"), record("bad-1")])
            .unwrap();
        assert_eq!(stage.run(&["--dead-letter-envelope", envelope]).code, 10);
        let first = received(&stage.a);
        let to_source = ["--to", "source", "--cause", "refused"];
        let dry_run = stage.replay(&[&to_source[..], &["--dry-run"]].concat());
        dry_run.assert(0, &json!({"delivered": 0, "deferred": 2}));
        let replay = stage.replay(&to_source);
        replay.assert(0, &json!({"delivered": 2, "skipped": 0}));
        assert_eq!(replay.report["routes"][0]["route"], "source");
        stage.replay(&to_source).assert(0, &json!({"delivered": 0}));
        let mut again = records::all(stage.broker.bootstrap(), TOPIC).unwrap();
        again.retain(|record| record.header("idempotency-key").is_some());
        again.sort_by_key(|record| record.key.clone());
        let names: Vec<_> = again
            .iter()
            .map(|record| record.key.clone().unwrap())
            .collect();
        assert_eq!(names, [b"bad-0", b"bad-1"]);
        for (record, (key, body)) in again.iter().zip(&first) {
            assert_eq!(record.value.as_ref(), Some(body));
            assert_eq!(record.headers.len(), 2, "{:?}", record.headers);
            let quoted = format!("\"{}\"", record.header("idempotency-key").unwrap());
            assert_eq!(quoted, *key);
        }
        // The job delivers them with the keys of the first delivery.
        stage.a = Endpoint::always(Answer::ok()).unwrap();
        assert_eq!(stage.run(&[]).code, 0);
        let mut delivered = received(&stage.a);
        delivered.sort();
        let mut first = first;
        first.sort();
        assert_eq!(delivered, first);
    }
}

#[test]
fn a_body_that_names_the_record_is_the_same_in_a_replay() {
    let mut stage = Stage::new(rejecting(), Endpoint::always(Answer::ok()).unwrap());
    let routes = |stage: &Stage| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let route = |name: &str, format: &Value, id: i32| {
            let when = format!("id == {id}");
            json!({"name": name, "when": when, "url": stage.a.url(), "format": format})
        };
        let structured = json!({"cloudevents": {"mode": "structured"}});
        let routes = [
            route("events", &structured, 1010),
            route("records", &json!("json"), 1020),
        ];
        std::fs::write(
            file.path(),
            json!({"version": 1, "routes": routes}).to_string(),
        )
        .unwrap();
        file
    };
    let user = |id, name: &str| User::new(id, name).encode();
    stage.write_to(
        0,
        vec![user(1010, "good"), user(1010, "bad-0"), user(1020, "bad-1")],
    );
    let file = routes(&stage);
    let show = |stage: &Stage, file: &tempfile::NamedTempFile, command: &[&str], code| {
        let environment = [("ROUTES", file.path().to_str().unwrap())];
        let (exit, out, log) = stage.show(&environment, &[command, &["--output", "json"]].concat());
        assert_eq!(exit, code, "{out}{log}");
    };
    show(&stage, &file, &["run"], 10);
    let mut first = received(&stage.a);
    first.retain(|(_, body)| String::from_utf8_lossy(body).contains("bad"));
    first.sort();
    stage.a = Endpoint::always(Answer::ok()).unwrap();
    let file = routes(&stage);
    show(&stage, &file, &["dead-letters", "replay"], 0);
    let mut again = received(&stage.a);
    again.sort();
    assert_eq!(again, first);
    assert!(first.iter().any(|(_, body)| {
        let text = String::from_utf8_lossy(body);
        text.contains(r#""kafkatopic":"FrontDoorTopic""#) && text.contains(r#""kafkaoffset":"1""#)
    }));
}
