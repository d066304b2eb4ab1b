//! What the commands beside `run` and `check` print.

use super::*;

#[test]
fn the_results_of_a_test_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let (routes, samples) = (folder.path().join("routes"), folder.path().join("samples"));
    let text = "version: 1
routes:
- {name: A, when: id == 1010, url: 'http://a', auth: {bearer: '${env:NOWHERE}'}, kafka_headers: [x]}
- {name: B, when: id == 1020, url: 'https://b', format: json, batch: 5}
- {name: C, when: 1 / id > 0, url: 'https://c'}
";
    std::fs::write(&routes, text).unwrap();
    let value = |id: i32| json!({"id": id, "name": "n", "email": "e"});
    let lines = [
        json!({"value": value(1010), "expect": "A"}),
        json!({"value": value(1020), "expect": "Z"}),
        json!({"value": value(1010), "headers": {"x": "\n"}}),
        json!({"value": value(0)}),
        json!({"value": value(7), "expect": null}),
        json!({"value": null}),
        json!({"valeu": null}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(&samples, lines.join("\n")).unwrap();
    for unmatched in ["skip", "dead_letter", "stop"] {
        let output = Command::new(env!("CARGO_BIN_EXE_forward"))
            .env_clear()
            .env("ROUTES", &routes)
            .env("UNMATCHED", unmatched)
            .env("TOMBSTONES", "dead_letter")
            .args(["test", "--output", "json", "--records"])
            .arg(&samples)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(65));
        let report = report(&output);
        assert_valid("test-report", &report);
        let results: Vec<&Value> = report["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sample| &sample["result"])
            .collect();
        let (passed, failed, invalid) = ("passed", "failed", "invalid");
        assert_eq!(
            json!(results),
            json!([passed, failed, invalid, invalid, passed, passed, invalid])
        );
    }
}

/// The JSON of a command, which is valid for the schema of this name.
fn shown(command: &mut Command, name: &str, code: i32) -> Value {
    let output = command.args(["--output", "json"]).output().unwrap();
    let report = report(&output);
    assert_eq!(output.status.code(), Some(code), "{report:#}");
    assert_valid(name, &report);
    report
}

#[test]
fn explanations_and_the_status_are_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let shown = |name: &str, arguments: &[&str], code: i32| {
        let mut command = stage.command(arguments[0]);
        shown(command.args(&arguments[1..]), name, code)
    };
    // The embedded broker finds no offsets by time, so no dead letters and no records of a search.
    let states = [
        "committed",
        "committed",
        "committed",
        "deferred",
        "completed_beyond_commit",
        "completed_beyond_commit",
        "completed_beyond_commit",
    ];
    for (offset, state) in states.iter().enumerate() {
        let found = shown("explain-report", &["explain", &format!("0@{offset}")], 0);
        assert_eq!(found["records"][0]["state"], *state, "{found:#}");
    }
    let beyond = shown("explain-report", &["explain", "orders/0@7"], 1);
    assert_eq!(beyond["records"][0]["state"], "beyond_end");
    let found = shown("explain-report", &["explain", "--key", "key"], 1);
    assert_eq!(found["search"], "complete");

    let found = shown(
        "status-report",
        &["status", "--by-route", "--max-lag", "0"],
        30,
    );
    assert_eq!(found["pending"]["records"], 1, "{found:#}");
    assert_eq!(found["routes"][1]["pending"], 1);
    assert_eq!(found["dead_letters"]["complete"], true);
}

#[test]
fn plans_are_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let planned = |arguments: &[&str], code: i32| {
        let output = stage.command("plan").args(arguments).output().unwrap();
        let plan = report(&output);
        assert_eq!(output.status.code(), Some(code), "{plan:#}");
        assert_valid("plan", &plan);
        (plan, output.stdout)
    };
    let (plan, bytes) = planned(&["--count", "--shards", "2"], 0);
    assert_eq!(plan["partitions"][0]["start"], 3, "the deferred record");
    assert_eq!(plan["partitions"][0]["shard"], 1);
    assert_eq!(plan["routes"][1]["records"], 1);
    assert_eq!(plan["expected"]["already_completed"], 3);
    assert_eq!(plan["schemas"][0]["name"], "User");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let dry_run = stage
        .command("run")
        .args(["--output", "json", "--dry-run", "--plan", "-"])
        .stdin(std::fs::File::open(file.path()).unwrap())
        .output()
        .unwrap();
    assert_eq!(report(&dry_run)["totals"]["planned"], 4);
    let executed = stage.run(&["--plan", file.path().to_str().unwrap()]);
    assert_valid("run-report", &executed);
    assert_eq!(executed["totals"]["planned"], 4);
    let (replay, _) = planned(&["--window-start", "earliest"], 0);
    assert_eq!(replay["progress"], "plan");
    let (empty, _) = planned(&["--window-end", "0:3"], 1);
    assert_eq!(empty["offsets"], 0);
}

#[test]
fn the_report_of_a_reset_is_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let (job, new) = ("frontdoor", "new");
    for (group, arguments, applied, skipped, repeated) in [
        // The deferred record is at offset 3. The others from 0 to 6 are completed.
        (job, &["--to", "earliest", "--count"][..], false, 0, 6),
        (job, &["--to", "latest", "--count"], false, 1, 0),
        // The embedded broker accepts commits without a member only for a group that never had one.
        (new, &["--to", "5", "--partition", "0", "--yes"], true, 5, 0),
        (
            new,
            &["--to", "5", "--partition", "0", "--yes"],
            false,
            0,
            0,
        ),
        (new, &["--to", "earliest", "--yes"], true, 0, 5),
    ] {
        let output = stage
            .command("reset")
            .env("KAFKA_GROUP_ID", group)
            .args(["--output", "json"])
            .args(arguments)
            .output()
            .unwrap();
        let report = report(&output);
        assert_eq!(output.status.code(), Some(0), "{report:#}");
        assert_valid("reset-report", &report);
        let found = (&report["applied"], &report["skipped"], &report["repeated"]);
        let expected = (&json!(applied), &json!(skipped), &json!(repeated));
        assert_eq!(found, expected, "{arguments:?}: {report:#}");
    }
}

#[test]
fn reports_about_dead_letters_are_valid() {
    for envelope in ["false", "true"] {
        let stage = Stage::new();
        stage.write(&records());
        stage.run(&["--dead-letter-envelope", envelope]);
        let shown = |name: &str, arguments: &[&str], code: i32| {
            let mut command = stage.command("dead-letters");
            let command = command.env("DEAD_LETTER_ENVELOPE", envelope);
            shown(command.args(arguments), name, code)
        };
        let list = shown("dead-letter-list", &["list"], 0);
        let letters = list["letters"].as_array().unwrap();
        for letter in letters {
            let at = letter["coordinates"].as_str().unwrap();
            shown("dead-letter-report", &["show", at], 0);
        }
        shown("dead-letter-report", &["show", "0@999"], 1);
        let discard = ["discard", "0@0", "--reason", "a test"];
        let discarded = shown("discard-report", &discard, 0);
        assert_eq!(discarded["discarded"], 1);
        let stored = records::all(stage.broker.bootstrap(), &format!("{TOPIC}-dead-letter"));
        let stored = stored.unwrap().pop().unwrap();
        let names: Vec<&str> = stored
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "frontdoor.version",
                "frontdoor.reason",
                "frontdoor.discarded"
            ]
        );
        match stored.value {
            None => assert_eq!(envelope, "false"),
            Some(value) => {
                assert_valid("discard", &serde_json::from_slice(&value).unwrap());
            }
        }
        let list = shown("dead-letter-list", &["list"], 0);
        assert_eq!(list["discarded"], 1);
        assert_valid(
            "run-report",
            &shown("run-report", &["replay", "--dry-run"], 10),
        );
    }
}
