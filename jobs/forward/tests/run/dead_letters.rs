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
