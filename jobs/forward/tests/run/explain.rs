//! `forward explain` and `forward status` as processes.

use avro::confluent;

use super::registry::{UNKNOWN, WIDER, WIDER_ID, registry};
use super::*;

impl Stage {
    /// The exit code, standard output and standard error.
    pub(super) fn show(
        &self,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap());
        if !environment.iter().any(|(name, _)| *name == "ROUTES") {
            command
                .env("API_TYPE_A_URL", self.a.url())
                .env("API_TYPE_B_URL", self.b.url());
        }
        let output = command
            .envs(environment.iter().copied())
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn record(&self, environment: &[(&str, &str)], coordinates: &str) -> Value {
        let arguments = ["explain", coordinates, "--output", "json"];
        let (code, out, log) = self.show(environment, &arguments);
        assert_eq!(code, 0, "{out}{log}");
        let report: Value = serde_json::from_str(&out).unwrap();
        report["records"][0].clone()
    }
}

#[test]
fn a_schema_is_requested_from_the_registry() {
    let (stage, registry) = (Stage::accepting(), registry());
    let wider = avro::Schema::parse(WIDER).unwrap();
    let value = json!({"id": 1010, "age": 7, "name": "n", "email": "e"});
    let datum = wider.from_json(&value).unwrap();
    stage.write_to(
        0,
        vec![
            confluent::frame(WIDER_ID, &datum),
            confluent::frame(UNKNOWN, &datum),
        ],
    );
    let url = registry.url();
    let environment = [
        ("SCHEMA_REGISTRY_URL", url.as_str()),
        ("SCHEMA_REGISTRY_TIMEOUT", "300ms"),
    ];
    let known = stage.record(&environment, "0@0");
    assert_eq!(known["record"]["framing"], "confluent");
    assert_eq!(
        known["record"]["schema"]["registered"],
        format!("id {WIDER_ID}")
    );
    assert_eq!(
        known["record"]["value"],
        json!({"id": 1010, "name": "n", "email": "e"})
    );
    assert_eq!(known["decision"]["route"], "A");
    let unknown = stage.record(&environment, "0@1");
    assert_eq!(unknown["decision"]["cause"], "unknown-schema");
    let (code, out, log) = stage.show(&environment, &["status", "--by-route", "--output", "json"]);
    assert_eq!(code, 0, "{out}{log}");
    let status: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status["routes"][0]["pending"], 1);
    assert_eq!(status["pending"]["without_route"], 1);
    // A registry that does not answer.
    let environment = [
        ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1/"),
        ("SCHEMA_REGISTRY_TIMEOUT", "300ms"),
    ];
    for arguments in [&["explain", "0@0"][..], &["status", "--by-route"]] {
        let (code, _, log) = stage.show(&environment, arguments);
        assert_eq!(code, 74, "{log}");
    }
    assert_eq!(stage.show(&environment, &["status"]).0, 0);
}

#[test]
fn the_request_has_no_secret_and_a_tombstone_is_explained() {
    let stage = Stage::accepting();
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    let tombstone = NewRecord {
        value: None,
        key: Some(b"1010".to_vec()),
        ..NewRecord::to(0, Vec::new())
    };
    topics
        .write(TOPIC, &[NewRecord::to(0, user(1010, "Paul")), tombstone])
        .unwrap();
    let routes = tempfile::NamedTempFile::new().unwrap();
    let table = json!({"version": 1, "routes": [{
        "name": "A", "when": "id == 1010", "url": stage.a.url(), "auth": {"bearer": "${env:API_TOKEN}"},
        "tombstones": {"url": format!("{}{{kafka.key}}", stage.a.url())}}]});
    std::fs::write(routes.path(), table.to_string()).unwrap();
    let environment = [
        ("ROUTES", routes.path().to_str().unwrap()),
        ("API_TOKEN", "secret-of-the-route"),
    ];
    for output in ["text", "json"] {
        let arguments = ["explain", "0@0", "--output", output];
        let (code, out, log) = stage.show(&environment, &arguments);
        assert_eq!(code, 0, "{out}{log}");
        assert!(out.contains("[redacted]"), "{out}");
        assert!(!(out + &log).contains("secret-of-the-route"));
    }
    let tombstone = stage.record(&environment, "0@1");
    assert_eq!(tombstone["record"]["size"], json!(null));
    assert_eq!(tombstone["decision"]["request"]["method"], "DELETE");
    assert_eq!(tombstone["state"], "pending");
}

#[test]
fn a_broker_that_does_not_answer_and_wrong_settings_have_their_codes() {
    let stage = Stage::accepting();
    let away = [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("START_TIMEOUT", "1s"),
    ];
    for command in [&["explain", "0@0"][..], &["status"]] {
        let (code, out, log) = stage.show(&away, command);
        assert_eq!((code, out.as_str()), (74, ""), "{log}");
        assert!(log.contains("127.0.0.1:1"), "{log}");
        let wrong = [("UNMATCHED", "x")];
        let (code, _, log) = stage.show(&wrong, command);
        assert_eq!(code, 78, "{log}");
        assert!(log.contains("UNMATCHED"), "{log}");
    }
}

#[test]
fn a_timeout_ends_the_reading_and_an_unknown_age_exceeds_its_limit() {
    let stage = Stage::accepting();
    stage.write_to(0, vec![user(1010, "Paul")]);
    let delay = Duration::from_millis(50);
    stage.broker.set_round_trip_time(delay).unwrap();
    let arguments = [
        "status",
        "--by-route",
        "--timeout",
        "10ms",
        "--output",
        "json",
    ];
    let (code, out, log) = stage.show(&[], &[&arguments[..], &["--max-age", "1h"]].concat());
    assert_eq!(code, 30, "{out}{log}");
    let status: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status["pending"]["complete"], false);
    assert_eq!(status["lag"], 1);
    assert!(status["notes"].to_string().contains("--timeout"), "{out}");
    assert!(
        status["exceeded"].to_string().contains("not known"),
        "{out}"
    );
    let (code, _, log) = stage.show(&[], &["explain", "0@0", "--timeout", "10ms"]);
    assert_eq!(code, 74, "{log}");
    assert!(log.contains("reading a record of topic"), "{log}");
}
