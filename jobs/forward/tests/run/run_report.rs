//! `forward report` as a process.

use super::*;

/// The exit code, standard output and standard error.
fn rendered(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    let command = command.env_clear().arg("report").args(arguments);
    let (code, text, log) = output_of(command, input);
    (code.unwrap(), text, log)
}

#[test]
fn the_report_of_a_run_is_rendered_in_each_form() {
    let stage = Stage::accepting();
    let users = (0..20).map(|_| User::new(1010, "Paul").encode());
    stage.write(&users.collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let path = path.to_str().unwrap();
    let run = stage.run(&["--report", path]);
    run.assert(0, &json!({"delivered": 20}));
    for (form, part) in [
        ("text", "balanced: 20 planned = 20 delivered"),
        ("markdown", "- Balanced: 20 planned = 20 delivered"),
        ("html", "<dt>delivered</dt><dd>20</dd>"),
        ("json", "\"planned\":20"),
    ] {
        let (code, text, log) = rendered(&[path, "--output", form], b"");
        assert_eq!((code, log.as_str()), (0, ""), "{text}");
        assert!(text.contains(part), "{text}");
        let saved = std::fs::read(path).unwrap();
        let (code, same, _) = rendered(&["-", "--output", form], &saved);
        assert_eq!((code, same), (0, text));
    }
    let (_, page, _) = rendered(&[path, "--output", "html"], b"");
    for plot in [
        "id=\"outcomes\"",
        "id=\"progress\"",
        "id=\"latency\"",
        "id=\"lag\"",
    ] {
        assert!(page.contains(plot), "{plot}");
    }
}

#[test]
fn a_topic_has_the_report_of_the_last_run() {
    let stage = Stage::accepting();
    stage.broker.create_topic("reports", 1).unwrap();
    for count in [3, 5] {
        let users = (0..count).map(|_| User::new(1010, "Paul").encode());
        stage.write(&users.collect::<Vec<_>>());
        stage
            .run(&["--report-topic", "reports"])
            .assert(0, &json!({"delivered": count}));
    }
    let replay = "--report-topic reports --window-start 0:0 --window-end 0:1";
    let run = stage.run(&replay.split(' ').collect::<Vec<_>>());
    run.assert(0, &json!({"delivered": 1}));
    let bootstrap = stage.broker.bootstrap();
    for (group, count) in [("frontdoor", 5), ("frontdoor.replay", 1)] {
        let flags = ["--kafka-bootstrap-servers", bootstrap, "--kafka-group-id"];
        let (code, text, log) = rendered(&[&["reports"], &flags[..], &[group]].concat(), b"");
        assert_eq!(code, 0, "{log}");
        let balance = format!("balanced: {count} planned = {count} delivered");
        assert!(text.contains(&balance), "{group}: {text}");
    }
}

#[test]
fn an_unreachable_broker_delays_the_end_by_the_time_for_the_report() {
    let stage = Stage::accepting();
    let start = Instant::now();
    let flags = "--kafka-bootstrap-servers 127.0.0.1:1 --start-timeout 1s --report-topic reports";
    let run = stage.run(&flags.split(' ').collect::<Vec<_>>());
    assert_eq!(run.code, 74, "{}", run.log);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    let notes = run.report["notes"].to_string();
    assert!(
        notes.contains("not written to topic reports: no broker answered"),
        "{notes}"
    );
}

#[test]
fn a_report_that_is_not_acknowledged_in_time_is_not_taken_for_written() {
    let stage = Stage::accepting();
    stage.broker.create_topic("reports", 1).unwrap();
    stage.write(&[user(1010, "Paul")]);
    stage.broker.delay_produce(Duration::from_secs(60));
    let start = Instant::now();
    let run = stage.run(&["--report-topic", "reports"]);
    run.assert(0, &json!({"delivered": 1}));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    let notes = run.report["notes"].to_string();
    assert!(
        notes.contains(
            "not written to topic reports: not acknowledged within 5s; it may be in the topic"
        ),
        "{notes}"
    );
}

#[test]
fn the_topic_of_reports_has_no_other_purpose() {
    for (name, topic) in [
        ("KAFKA_TOPIC", TOPIC),
        ("DEAD_LETTER_TOPIC", DEAD_LETTER_TOPIC),
    ] {
        let stage = Stage::accepting();
        let output = stage.forward(&["--report-topic", topic]).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(
            log.contains(&format!("REPORT_TOPIC and {name} are the same topic")),
            "{log}"
        );
    }
}

#[test]
fn what_is_no_report_has_an_exit_code_and_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let large = vec![b' '; (8 << 20) + 1];
    for (path, code, reason) in [
        (file("text", b"hello"), 65, "text: it is not JSON: "),
        (file("empty", b""), 65, "empty: it is not JSON: "),
        (
            file("version", b"{\"version\":2}"),
            65,
            "version: it has version 2, and",
        ),
        (
            file("other", b"{\"version\":1}"),
            65,
            "other: it is not the report of a run: missing",
        ),
        (
            file("large", &large),
            65,
            "large: it has more than 8388608 bytes",
        ),
        (
            format!("{}/none", folder.path().display()),
            1,
            "none: there is no such file",
        ),
        (folder.path().display().to_string(), 74, "Is a directory"),
    ] {
        let (found, out, log) = rendered(&[&path], b"");
        assert_eq!((found, out.as_str()), (code, ""), "{log}");
        assert!(log.contains(reason) && log.lines().count() == 1, "{log}");
    }
    let (code, _, log) = rendered(&["-"], b"{}");
    assert_eq!(code, 65);
    assert!(
        log.contains("standard input: it is not the report of a run"),
        "{log}"
    );
    assert_eq!(rendered(&["x", "--output", "pdf"], b"").0, 64);
}
