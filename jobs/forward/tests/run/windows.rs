//! The window of a run, and what ends a run early.

use super::*;

#[test]
fn records_produced_after_the_start_are_not_part_of_the_window() {
    let a = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(300))).unwrap();
    let stage = Stage::new(a, Endpoint::always(Answer::ok()).unwrap());
    stage.write(&[user(1010, "before"), user(1010, "before")]);
    let child = stage.forward(&[]).spawn().unwrap();
    assert!(stage.a.wait_for(1, Duration::from_secs(20)));
    stage.write(&[user(1010, "after"), user(1010, "after")]);
    Run::from_output(&wait(child, Duration::from_secs(30)))
        .assert(0, &json!({"planned": 2, "delivered": 2}));
    stage
        .run(&[])
        .assert(0, &json!({"planned": 2, "delivered": 2}));
}

#[test]
fn a_broker_that_is_far_away_is_reached() {
    let stage = Stage::accepting();
    stage.write(&[user(1010, "Paul")]);
    let round_trip = Duration::from_millis(300);
    stage.broker.set_round_trip_time(round_trip).unwrap();
    let run = stage.run(&[]);
    run.assert(0, &json!({"planned": 1, "delivered": 1}));
}

#[test]
fn buffered_records_are_not_fetched_again_while_an_endpoint_is_slow() {
    let slow = Answer::ok().after(Duration::from_millis(1500));
    let stage = Stage::new(
        Endpoint::always(slow).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    stage.write(&[user(1010, "Paul"), user(1020, "Mary")]);
    let (run, fetches) = stage.broker.count_fetches(|| stage.run(&[]));
    run.assert(0, &json!({"delivered": 2}));
    // A repeated fetch would be one request every ten milliseconds.
    assert!((1..40).contains(&fetches), "{fetches} fetches");
}

#[test]
fn a_dry_run_counts_records_and_changes_nothing() {
    let stage = Stage::accepting();
    stage.write(&[user(1010, "a"), user(7, "b"), b"not a datum".to_vec()]);
    let dry = stage.run(&["--dry-run"]);
    dry.assert(
        10,
        &json!({"planned": 3, "delivered": 0, "deferred": 1, "skipped": 1, "dead_lettered": 1}),
    );
    assert_eq!(dry.report["dry_run"], true);
    assert_eq!(stage.a.count(), 0);
    let dead_letters = || records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    assert_eq!(dead_letters().len(), 0);
    stage.run(&[]).assert(
        10,
        &json!({"planned": 3, "delivered": 1, "skipped": 1, "dead_lettered": 1}),
    );
}

/// A datum behind the magic byte and schema id of a schema registry.
const POISON: &[u8] = b"\0\0\0\0*\xda\x9c\x01\x08John\x18john@bla.com";

#[test]
fn a_dry_run_names_the_dead_letters_of_the_run() {
    let stage = Stage::accepting();
    stage.write_to(0, vec![user(1010, "a"), POISON.to_vec(), POISON.to_vec()]);
    let flags = ["--tombstones", "dead_letter"];
    let dry = stage.run(&["--dry-run", flags[0], flags[1]]);
    let real = stage.run(&flags);
    assert_eq!((dry.code, real.code), (10, 10), "{:#}", dry.report);
    assert_eq!(dry.report["dead_letters"], real.report["dead_letters"]);
    let samples = &dry.report["dead_letters"];
    assert_eq!(samples["causes"], json!({"unknown-schema": 2}));
    assert_eq!(samples["samples"][1]["offset"], 2);
    assert_eq!(samples["samples"][1]["cause"], "unknown-schema");
    assert_ne!(samples["samples"][1]["reason"], "");
}

#[test]
fn a_dry_run_stops_at_the_dead_letter_threshold_as_the_run_does() {
    let stage = Stage::accepting();
    stage.write_to(0, vec![POISON.to_vec(); 20]);
    let flags = ["--dead-letter-min-count", "3"];
    let dry = stage.run(&["--dry-run", flags[0], flags[1]]);
    dry.assert(
        65,
        &json!({"planned": 20, "dead_lettered": 3, "deferred": 17}),
    );
    let real = stage.run(&flags);
    real.assert(
        65,
        &json!({"planned": 20, "dead_lettered": 3, "deferred": 17}),
    );
    assert_eq!(dry.report["notes"], real.report["notes"]);
}

#[test]
fn a_dry_run_does_not_count_what_earlier_runs_completed() {
    let stage = Stage::new(
        Endpoint::always(Answer::status(503)).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    stage.write_to(0, vec![user(1010, "a"), POISON.to_vec(), user(1020, "b")]);
    stage.run(&["--max-attempts", "1"]).assert(
        11,
        &json!({"delivered": 1, "dead_lettered": 1, "deferred": 1}),
    );
    stage.run(&["--dry-run"]).assert(
        0,
        &json!({"planned": 3, "dead_lettered": 0, "already_completed": 2, "deferred": 1}),
    );
}

#[test]
fn a_dry_run_that_a_limit_ends_says_that_there_is_more() {
    let stage = Stage::accepting();
    stage.write(&vec![user(1010, "u"); 4]);
    let dry = stage.run(&["--dry-run", "--window-max-records", "2"]);
    dry.assert(12, &json!({"planned": 2, "deferred": 2}));
}

#[test]
fn a_replay_delivers_with_the_same_key_and_does_not_commit() {
    let stage = Stage::accepting();
    stage.write(&[user(1010, "a"), user(1010, "b"), user(1010, "c")]);
    stage.run(&[]).assert(0, &json!({"delivered": 3}));
    stage.write(&[user(1010, "d")]);
    let replay = stage.run(&["--window-start", "0:0", "--window-end", "0:1"]);
    replay.assert(0, &json!({"planned": 1, "delivered": 1}));
    let partition = &replay.report["partitions"][0];
    let offsets = ["committed", "lag_before", "lag_after"].map(|name| partition[name].as_i64());
    assert_eq!(offsets, [Some(2), Some(1), Some(1)], "{partition:#}");
    let requests = stage.a.requests();
    let same = requests.iter().filter(|request| {
        request.header("idempotency-key") == requests[3].header("idempotency-key")
            && request.body == requests[3].body
    });
    assert_eq!(same.count(), 2);
    stage
        .run(&[])
        .assert(0, &json!({"planned": 1, "delivered": 1}));
}

#[test]
fn a_signal_ends_the_run_and_delivered_records_are_committed() {
    let a = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(50))).unwrap();
    let stage = Stage::new(a, Endpoint::always(Answer::ok()).unwrap());
    let data: Vec<_> = (0..400).map(|n| user(1010, &format!("n{n}"))).collect();
    stage.write(&data);
    let child = stage.forward(&["--max-in-flight", "4"]).spawn().unwrap();
    assert!(stage.a.wait_for(20, Duration::from_secs(20)));
    Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    let first = Run::from_output(&wait(child, Duration::from_secs(20)));
    first.assert(12, &json!({"planned": 400}));
    let delivered = first.total("delivered");
    assert!((16..400).contains(&delivered), "{delivered}");
    stage
        .run(&["--max-in-flight", "64"])
        .assert(0, &json!({"delivered": 400 - delivered}));
    assert_eq!(stage.a.count(), 400, "each record is sent once");
}

#[test]
fn a_deadline_leaves_time_to_commit() {
    let a = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(100))).unwrap();
    let stage = Stage::new(a, Endpoint::always(Answer::ok()).unwrap());
    stage.write(
        &(0..1000)
            .map(|n| user(1010, &format!("n{n}")))
            .collect::<Vec<_>>(),
    );
    let run = stage.run(&["--max-in-flight", "2", "--deadline", "4s"]);
    run.assert(12, &json!({"planned": 1000}));
    assert!(
        run.report["seconds"].as_f64().unwrap() <= 4.0,
        "{:#}",
        run.report
    );
    let delivered = run.total("delivered");
    assert_eq!(stage.a.count() as i64, delivered, "each request is counted");
    let committed: i64 = run.report["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["committed"].as_i64().unwrap())
        .sum();
    assert!(
        committed > 0 && committed <= delivered,
        "{committed} of {delivered}"
    );
}

#[test]
fn deferred_records_do_not_count_toward_the_limits_of_later_windows() {
    let size = user(1020, "v").len();
    for limit in [
        ["--window-max-records", "10"],
        ["--window-max-bytes", &(10 * size).to_string()],
    ] {
        let stage = Stage::new(
            Endpoint::always(Answer::status(503)).unwrap(),
            Endpoint::always(Answer::ok()).unwrap(),
        );
        let mut data = vec![user(1010, "u")];
        data.extend(vec![user(1020, "v"); 40]);
        stage.write(&data);
        let flags = [limit[0], limit[1], "--max-attempts", "1"];
        let runs: Vec<Run> = (0..5).map(|_| stage.run(&flags)).collect();
        for run in &runs {
            assert_eq!(run.report["balanced"], true, "{:#}", run.report);
            assert!(run.total("delivered") <= 10, "{:#}", run.report);
        }
        assert_eq!(stage.b.count(), 40, "{limit:?}");
        assert_eq!(runs[4].total("deferred"), 1, "{:#}", runs[4].report);
    }
}

#[test]
fn a_record_larger_than_the_byte_limit_is_a_window_by_itself() {
    let stage = Stage::accepting();
    stage.write(&vec![user(1010, "u"); 3]);
    let codes = (0..3).map(|_| stage.run(&["--window-max-bytes", "1"]).code);
    assert_eq!(codes.collect::<Vec<_>>(), [12, 12, 0]);
    assert_eq!(stage.a.count(), 3);
}

#[test]
fn a_window_that_names_a_missing_partition_is_a_configuration_error() {
    let stage = Stage::accepting();
    for (flag, setting) in [
        ("--window-start", "WINDOW_START"),
        ("--window-end", "WINDOW_END"),
    ] {
        let run = stage.run(&[flag, "0:0,7:0"]);
        run.assert(78, &json!({"planned": 0}));
        let note = format!("{setting} names partition 7, and FrontDoorTopic has partitions 0 to 1");
        assert_eq!(run.report["notes"], json!([note]));
    }
}

#[test]
fn a_window_that_starts_beyond_the_log_is_a_configuration_error() {
    let stage = Stage::accepting();
    stage.write(&vec![user(1010, "u"); 4]);
    for (start, note) in [
        (
            "0:3",
            "WINDOW_START is beyond the end of the log, offset 2 of partition 0",
        ),
        (
            "2100-01-01T00:00:00Z",
            "WINDOW_START is later than the last record of every partition",
        ),
    ] {
        let run = stage.run(&["--window-start", start]);
        run.assert(78, &json!({"planned": 0}));
        assert_eq!(run.report["notes"], json!([note]));
    }
    assert_eq!(stage.a.count(), 0);
}

#[test]
fn a_window_that_ends_beyond_the_log_says_so() {
    let stage = Stage::accepting();
    stage.write(&vec![user(1010, "u"); 4]);
    for (end, note) in [
        (
            "0:5,1:2",
            "WINDOW_END is beyond the end of the log, offset 2 of partition 0: the window ends at the end of the log",
        ),
        (
            "2100-01-01T00:00:00Z",
            "WINDOW_END is later than the last record of every partition: the window ends at the end of the log",
        ),
    ] {
        let run = stage.run(&["--window-start", "earliest", "--window-end", end]);
        run.assert(0, &json!({"planned": 4, "delivered": 4}));
        assert_eq!(run.report["notes"], json!([note]));
    }
}

#[test]
fn record_and_byte_limits_end_a_window_early_and_are_reported() {
    let stage = Stage::accepting();
    stage.write(&(0..20).map(|_| user(1010, "same")).collect::<Vec<_>>());
    let assert_note = |run: &Run, setting: &str| {
        let note = format!("{setting} ended the window before the end of the log");
        assert_eq!(run.report["notes"], json!([note]));
    };
    let records = stage.run(&["--window-max-records", "6"]);
    records.assert(12, &json!({"planned": 6, "delivered": 6, "deferred": 0}));
    assert_note(&records, "WINDOW_MAX_RECORDS");
    let size = user(1010, "same").len();
    let bytes = stage.run(&["--window-max-bytes", &(5 * size + 1).to_string()]);
    bytes.assert(12, &json!({"planned": 5, "delivered": 5, "deferred": 0}));
    assert_note(&bytes, "WINDOW_MAX_BYTES");
    stage
        .run(&[])
        .assert(0, &json!({"planned": 9, "delivered": 9}));
}
