//! `forward status`: lag, oldest records, paused routes and dead letters.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint};
use testkit::schemas;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{accepting, answering};
use crate::stage::Stage;

/// The exit code and the output.
fn status(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    stage.set_environment(&mut command);
    let output = command.arg("status").args(arguments).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    (output.status.code().unwrap(), text)
}

/// The status as JSON.
pub(crate) fn report(stage: &Stage, arguments: &[&str]) -> Value {
    let (_, text) = status(stage, &[&["--output", "json"], arguments].concat());
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    schemas::validate("status-report", &report).unwrap();
    report
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_status_agrees_with_what_runs_left() {
    let a = answering("rejected", Answer::status(422));
    let b = Endpoint::always(Answer::status(503).header("retry-after", "900")).unwrap();
    let stage = Stage::new("status", 3).await.to(&a, &b);
    let none = report(&stage, &["--by-route"]);
    assert_eq!(
        (&none["lag"], &none["oldest_age_seconds"]),
        (&json!(0), &json!(null))
    );
    assert_eq!(none["pending"]["complete"], true);
    assert_eq!(none["partitions"][2]["committed"], json!(null));

    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let an_hour_ago = an_hour_ago.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let record = |partition, id, name: &str| NewRecord {
        timestamp: Some(an_hour_ago),
        ..NewRecord::to(partition, User::new(id, name).encode())
    };
    stage.write(&[
        record(0, 1010, "u"),
        record(0, 1020, "deferred"),
        record(0, 1010, "rejected"),
        record(0, 7, "skipped"),
        record(0, 1020, "deferred"),
        record(1, 1010, "u"),
        record(1, 1010, "rejected"),
        NewRecord::to(1, vec![0xff; 9]),
    ]);
    stage.run().expect(11);
    stage.write(&[
        record(2, 1010, "new"),
        record(2, 7, "new"),
        NewRecord::to(2, vec![0xff]),
    ]);
    let found = report(&stage, &["--by-route"]);
    let partition = |index: usize, name: &str| found["partitions"][index][name].clone();
    // At most the offsets from the first deferred record to the end.
    let lag = partition(0, "lag").as_i64().unwrap();
    assert!((2..=4).contains(&lag), "{found:#}");
    assert_eq!(found["lag"], lag + 3);
    assert_eq!(partition(0, "committed"), 1);
    assert_eq!(partition(0, "completed_beyond_commit"), 4 - lag);
    assert_eq!(partition(0, "oldest")["offset"], 1);
    assert_eq!(
        (partition(1, "lag"), partition(1, "oldest")),
        (json!(0), json!(null))
    );
    assert_eq!(partition(2, "lag"), 3);
    let age = found["oldest_age_seconds"].as_u64().unwrap();
    assert!((3600..3720).contains(&age), "{age}");
    let route = |index: usize, name: &str| found["routes"][index][name].clone();
    assert_eq!(
        (route(0, "route"), route(0, "pending")),
        (json!("A"), json!(1))
    );
    assert_eq!(
        (route(1, "route"), route(1, "pending")),
        (json!("B"), json!(2))
    );
    assert!(route(0, "paused_until").is_null() && route(1, "paused_until").is_string());
    let expected = json!({"read": 4 + 3, "complete": true, "skipped": 2, "without_route": 1, "records": 1 + 2 + 1});
    assert_eq!(found["pending"], expected);
    let expected = json!({"total": 3, "causes": {"refused": 2, "undecodable": 1}, "routes": {"A": 2}, "complete": true});
    assert_eq!(found["dead_letters"], expected);

    for (limits, code) in [
        (&["--max-lag", "7", "--max-age", "2h"][..], 0),
        (&["--max-lag", "4", "--max-age", "2h"], 30),
        (&["--max-lag", "4", "--by-route"], 0),
        (&["--max-lag", "3", "--by-route"], 30),
        (&["--max-lag", "7", "--max-age", "30m"], 30),
    ] {
        let (exit, text) = status(&stage, limits);
        assert_eq!(exit, code, "{text}");
        assert_eq!(text.contains("EXCEEDED: "), code == 30, "{text}");
    }
    println!("{}", status(&stage, &["--by-route", "--max-lag", "1"]).1);

    // The next runs complete everything.
    let c = accepting();
    let stage = stage.with("API_TYPE_B_URL", c.url());
    stage.run().expect(10);
    assert_eq!(report(&stage, &[])["lag"], 0);
    let (exit, _) = status(&stage, &["--max-lag", "0", "--max-age", "1s"]);
    assert_eq!(exit, 0);
    let (exit, text) = status(&stage, &["--kafka-topic", "no-such-topic"]);
    assert_eq!(exit, 74, "{text}");
}
