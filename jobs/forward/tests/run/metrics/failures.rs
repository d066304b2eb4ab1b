//! Metrics that cannot be written change neither the run nor its exit code.

use std::net::TcpListener;

use super::*;

fn with(stage: &Stage, variables: &[(&str, &str)], arguments: &[&str]) -> (Run, Duration) {
    let mut command = stage.forward(arguments);
    let start = Instant::now();
    let command = command.envs(variables.iter().copied());
    let run = Run::from_output(&command.output().unwrap());
    (run, start.elapsed())
}

#[test]
fn a_failure_is_one_line_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let refusing = Endpoint::always(Answer::status(400).body("no such job hunter2"));
    let refusing = refusing.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let closed = format!("http://{closed}/");
    let missing = folder.path().join("missing/forward.prom");
    let (missing, folder) = (missing.to_str().unwrap(), folder.path().to_str().unwrap());
    let (file, gateway) = ("METRICS_FILE", "METRICS_PUSHGATEWAY");
    for (setting, value, reason) in [
        (file, missing, "No such file or directory"),
        (file, folder, "Is a directory"),
        (file, "/dev/full", "No space left on device"),
        (gateway, &refusing.url(), "400: no such job [redacted]"),
        (gateway, &closed, "Connection refused"),
        (gateway, &silent, "no response within 5s"),
    ] {
        let stage = Stage::accepting();
        stage.write(&[user(1010, "Paul"), b"no datum".to_vec()]);
        let variables = [
            (setting, value),
            ("METRICS_PUSHGATEWAY_USERNAME", "job"),
            ("METRICS_PUSHGATEWAY_PASSWORD", "hunter2"),
        ];
        let used = if setting == gateway { 3 } else { 1 };
        let (run, took) = with(&stage, &variables[..used], &[]);
        run.assert(10, &json!({"delivered": 1, "dead_lettered": 1}));
        let mut lines = run.log.lines().filter(|line| line.contains("metrics"));
        let line = lines.next().unwrap_or_default();
        assert!(
            line.contains(setting) && line.contains(reason),
            "{}",
            run.log
        );
        assert_eq!(lines.next(), None, "{}", run.log);
        assert!(
            !run.log.contains("hunter2") && took < Duration::from_secs(20),
            "{took:?}"
        );
    }
}

#[test]
fn a_push_has_the_grouping_key_and_the_last_success_a_group_of_its_own() {
    let gateway = Endpoint::always(Answer::ok()).unwrap();
    let stage = Stage::accepting();
    let url = gateway.url();
    let variables = [("METRICS_PUSHGATEWAY", url.as_str())];
    stage.write(&[user(1010, "Paul")]);
    let arguments = ["--kafka-group-id", "a/b"];
    with(&stage, &variables, &arguments)
        .0
        .assert(0, &json!({"delivered": 1}));
    stage.write(&[b"no datum".to_vec()]);
    with(&stage, &variables, &arguments)
        .0
        .assert(10, &json!({"dead_lettered": 1}));
    let requests = gateway.requests();
    let targets: Vec<_> = requests
        .iter()
        .map(|request| request.target.as_str())
        .collect();
    let group = format!("/metrics/job/forward/topic/{TOPIC}/group@base64/YS9i");
    let of_success = format!("{group}/last_success@base64/=");
    assert_eq!(
        targets,
        [group.as_str(), of_success.as_str(), group.as_str()]
    );
    let bodies: Vec<_> = requests
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body))
        .collect();
    let success = "frontdoor_job_last_success_timestamp_seconds";
    assert!(bodies.iter().all(|body| Exposition::parse(body).is_ok()));
    assert_eq!(bodies[1].matches("\nfrontdoor").count(), 1, "{}", bodies[1]);
    let has_success: Vec<_> = bodies.iter().map(|body| body.contains(success)).collect();
    assert_eq!(has_success, [false, true, false]);
}

#[test]
fn a_configuration_error_leaves_the_exit_code_and_the_last_success() {
    let stage = Stage::accepting();
    let file = MetricsFile::new();
    std::fs::write(file.path(), b"\xffnot a metric\n").unwrap();
    let success = run(&stage, &file, &[]);
    success.assert(0, &json!({"planned": 0}));
    for (variable, value) in [
        ("AVRO_SCHEMA", "/no/such/file"),
        ("MAX_IN_FLIGHT", "x"),
        ("LOG_LEVEL", "inof"),
    ] {
        let mut command = stage.forward(&[]);
        let command = command
            .env(variable, value)
            .env("METRICS_FILE", file.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        assert!(String::from_utf8_lossy(&output.stderr).contains(variable));
        let metrics = file.read();
        let of = |name: &str| {
            let labels = [("topic", TOPIC), ("group", "frontdoor")];
            metrics.samples[&Series::new(name, labels)]
        };
        assert_eq!(of("frontdoor_job_last_run_exit_code"), 78.0);
        assert_eq!(
            of("frontdoor_job_last_success_timestamp_seconds"),
            ended(&success)
        );
        assert!(of("frontdoor_job_last_run_timestamp_seconds") >= ended(&success));
        assert!(!metrics.has("frontdoor_job_lag_records"));
    }
}

#[test]
fn invalid_settings_are_reported_without_the_password() {
    let stage = Stage::accepting();
    let gateway = "METRICS_PUSHGATEWAY";
    for (variables, message) in [
        (
            &[(gateway, "push.example:9091")][..],
            "begins with neither http:// nor https://",
        ),
        (&[(gateway, "not a URL")], "is not a URL"),
        (
            &[(gateway, "http://a:hunter2@push/")],
            "has credentials: set METRICS_PUSHGATEWAY_USERNAME",
        ),
        (&[(gateway, "http://push/?a=hunter2")], "has a query"),
        (
            &[
                (gateway, "http://push"),
                ("METRICS_PUSHGATEWAY_PASSWORD", "hunter2"),
            ],
            "must be set together",
        ),
        (
            &[
                ("METRICS_PUSHGATEWAY_USERNAME", "a"),
                ("METRICS_PUSHGATEWAY_PASSWORD", "hunter2"),
            ],
            "METRICS_PUSHGATEWAY is not",
        ),
    ] {
        let mut command = stage.forward(&[]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{log}");
        assert!(log.contains(message) && !log.contains("hunter2"), "{log}");
    }
}

#[test]
fn a_dry_run_and_a_replay_of_dead_letters_write_none() {
    let stage = Stage::accepting();
    stage.write(&[user(1010, "Paul"), b"no datum".to_vec()]);
    let file = MetricsFile::new();
    assert_eq!(run(&stage, &file, &["--dry-run"]).code, 10);
    assert!(!file.path().exists());
    stage.run(&[]).assert(10, &json!({"dead_lettered": 1}));
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    let replay = command
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
        .env("API_TYPE_A_URL", stage.a.url())
        .env("API_TYPE_B_URL", stage.b.url())
        .env("METRICS_FILE", file.path())
        .args(["dead-letters", "replay", "--output", "json"]);
    let (_, report, log) = output_of(replay, b"");
    assert!(report.contains("\"planned\":1"), "{report}\n{log}");
    assert!(!file.path().exists());
}
