//! Records that their endpoint never accepts.

use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

const HOUR_MS: i64 = 3_600_000;

/// An endpoint that answers 500 for records with this name, and 200 for all others.
fn failing_for(name: &'static str) -> Endpoint {
    Endpoint::start(move |request| {
        let is_failing = request
            .body
            .windows(name.len())
            .any(|part| part == name.as_bytes());
        if is_failing {
            Answer::status(500)
        } else {
            Answer::ok()
        }
    })
    .unwrap()
}

fn write_with_age(stage: &Stage, name: &str, hours: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let record = NewRecord {
        timestamp: Some(now.as_millis() as i64 - hours * HOUR_MS),
        ..NewRecord::to(0, user(1010, name))
    };
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, &[record]).unwrap();
}

fn stage() -> Stage {
    Stage::new(
        failing_for("never"),
        Endpoint::always(Answer::ok()).unwrap(),
    )
}

const ARGUMENTS: [&str; 2] = ["--max-attempts", "2"];

#[test]
fn a_record_that_is_never_accepted_becomes_a_dead_letter() {
    let stage = stage();
    write_with_age(&stage, "never", 10);
    write_with_age(&stage, "good", 0);
    let first = stage.run(&ARGUMENTS);
    first.assert(11, &json!({"delivered": 1, "deferred": 1}));
    let oldest = &first.report["oldest_deferred"];
    assert_eq!(
        (&oldest["offset"], &oldest["route"]),
        (&json!(0), &json!("A"))
    );
    let age = oldest["age_seconds"].as_i64().unwrap();
    assert!((36_000..36_100).contains(&age), "{age}");

    // Alone in the window, and its endpoint accepted another record of the route before: the endpoint is not down.
    stage
        .run(&ARGUMENTS)
        .assert(11, &json!({"delivered": 0, "deferred": 1}));

    write_with_age(&stage, "good", 0);
    let third = stage.run(&ARGUMENTS);
    third.assert(
        10,
        &json!({"delivered": 1, "dead_lettered": 1, "deferred": 0}),
    );
    assert_eq!(
        third.report["dead_letters"]["causes"],
        json!({"undeliverable": 1})
    );
    let letters = records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    assert_eq!(letters[0].value.as_deref(), Some(&user(1010, "never")[..]));
    // A replay of the dead letter has the key of the record.
    let requests = stage.a.requests();
    let key = requests[0]
        .header("idempotency-key")
        .unwrap()
        .trim_matches('"');
    let header = letters[0]
        .headers
        .iter()
        .find(|(name, _)| name == "idempotency-key");
    assert_eq!(header.unwrap().1.as_deref(), Some(key.as_bytes()));
    stage.run(&ARGUMENTS).assert(0, &json!({"planned": 0}));
}

#[test]
fn a_young_record_and_one_of_an_endpoint_that_is_down_stay() {
    let stage = stage();
    write_with_age(&stage, "never", 7);
    for _ in 0..2 {
        write_with_age(&stage, "good", 0);
        let run = stage.run(&ARGUMENTS);
        run.assert(
            11,
            &json!({"delivered": 1, "dead_lettered": 0, "deferred": 1}),
        );
    }
    let down = Endpoint::always(Answer::status(500)).unwrap();
    let stage = Stage::new(down, Endpoint::always(Answer::ok()).unwrap());
    write_with_age(&stage, "old", 10);
    for _ in 0..2 {
        stage.run(&ARGUMENTS).assert(75, &json!({"deferred": 1}));
    }
}

#[test]
fn a_bad_record_in_a_batch_is_found_and_given_up() {
    let stage = stage();
    for number in 0..9 {
        write_with_age(&stage, if number == 4 { "never" } else { "good" }, 10);
    }
    let routes = tempfile::NamedTempFile::new().unwrap();
    let table = json!({"version": 1, "routes": [{"name": "A", "when": "id == 1010", "url": stage.a.url(), "batch": 100}]});
    std::fs::write(&routes, table.to_string()).unwrap();
    let run = || {
        let output = stage
            .forward(&ARGUMENTS)
            .env_remove("API_TYPE_A_URL")
            .env_remove("API_TYPE_B_URL")
            .env("ROUTES", routes.path())
            .output();
        Run::from_output(&output.unwrap())
    };
    run().assert(11, &json!({"delivered": 8, "deferred": 1}));
    write_with_age(&stage, "good", 0);
    run().assert(
        10,
        &json!({"delivered": 1, "dead_lettered": 1, "deferred": 0}),
    );
}
