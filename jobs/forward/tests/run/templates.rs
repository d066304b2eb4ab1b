//! Values of records in URL, headers and body, and DELETE for tombstones.

use std::io::Write;

use testkit::endpoint::Request;

use super::*;

const TIMESTAMP: i64 = 1_700_000_000_123;

fn record(key: &str, id: i32, name: &str) -> NewRecord {
    NewRecord {
        key: Some(key.into()),
        headers: vec![(
            "idempotency-key".to_owned(),
            Some(format!("i-{name}").into()),
        )],
        timestamp: Some(TIMESTAMP),
        ..NewRecord::to(0, user(id, name))
    }
}

fn tombstone(key: Option<&str>) -> NewRecord {
    NewRecord {
        partition: Some(0),
        key: key.map(Into::into),
        timestamp: Some(TIMESTAMP),
        ..NewRecord::default()
    }
}

fn write(stage: &Stage, records: &[NewRecord]) {
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, records).unwrap();
}

/// Runs with these routes, in which `A` and `B` are the URLs of the endpoints without the last slash.
fn run(stage: &Stage, routes: &str, arguments: &[&str]) -> Run {
    let file = routes_file(stage, routes);
    let mut command = stage.forward(arguments);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("SOURCE", "{name}&c")
        .env("ROUTES", file.path());
    Run::from_output(&command.output().unwrap())
}

fn routes_file(stage: &Stage, routes: &str) -> tempfile::NamedTempFile {
    let url = |endpoint: &Endpoint| endpoint.url().trim_end_matches('/').to_owned();
    let routes = routes
        .replace("A/", &format!("{}/", url(&stage.a)))
        .replace("B/", &format!("{}/", url(&stage.b)));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "version: 1\nroutes:\n{routes}").unwrap();
    file
}

/// The requests of one run over two records.
fn requests(members: &str) -> Vec<Request> {
    let stage = Stage::accepting();
    write(
        &stage,
        &[record("k 1", 1010, "one"), record("k/2", 1020, "two")],
    );
    let routes = format!("- {{name: A, when: 'true', {members}}}");
    run(&stage, &routes, &["--order", "partition"])
        .assert(0, &json!({"planned": 2, "delivered": 2}));
    stage.a.requests()
}

fn targets(requests: &[Request]) -> Vec<(&str, &str)> {
    let requests = requests.iter();
    requests
        .map(|request| (&*request.method, &*request.target))
        .collect()
}

fn bodies_of(requests: &[Request]) -> Vec<&str> {
    let requests = requests.iter();
    requests
        .map(|request| std::str::from_utf8(&request.body).unwrap())
        .collect()
}

#[test]
fn the_url_has_values_of_the_record() {
    let requests = requests(
        "url: 'A/users/{id}/{kafka.key}?mail={email}&source=${env:SOURCE}&{{x}}', method: PUT, format: json",
    );
    assert_eq!(
        targets(&requests),
        [
            (
                "PUT",
                "/users/1010/k%201?mail=e%40x.org&source={name}&c&{x}"
            ),
            (
                "PUT",
                "/users/1020/k%2F2?mail=e%40x.org&source={name}&c&{x}"
            ),
        ]
    );
    assert_eq!(requests[0].header("idempotency-key"), Some("\"i-one\""));
    assert_eq!(
        bodies_of(&requests)[0],
        r#"{"id":1010,"name":"one","email":"e@x.org"}"#
    );
}

#[test]
fn a_header_has_values_of_the_record() {
    let requests = requests(
        "url: 'A/in', headers: {X-User: 'u-{id}; {name + \"!\"}', X-At: '{kafka.timestamp}', X-Source: '${env:SOURCE}'}",
    );
    for (request, user) in requests.iter().zip(["u-1010; one!", "u-1020; two!"]) {
        assert_eq!(request.target, "/in");
        assert_eq!(request.header("x-user"), Some(user));
        assert_eq!(request.header("x-at"), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(request.header("x-source"), Some("{name}&c"));
    }
}

const BODY: &str =
    r#"body: '{"user": id, "a": {"mail": email, "big": id > 1010}, "at": kafka.offset}'"#;

fn data(id: i32, offset: i64) -> String {
    let is_big = id > 1010;
    format!(r#"{{"user":{id},"a":{{"mail":"e@x.org","big":{is_big}}},"at":{offset}}}"#)
}

#[test]
fn a_body_is_the_value_of_an_expression_in_each_json_format() {
    let (first, second) = (data(1010, 0), data(1020, 1));
    let json = requests(&format!("url: 'A/', format: json, {BODY}"));
    assert_eq!(bodies_of(&json), [&*first, &second]);
    assert_eq!(json[0].header("content-type"), Some("application/json"));

    let array = requests(&format!("url: 'A/', format: json, batch: 10, {BODY}"));
    assert_eq!(bodies_of(&array), [format!("[{first},{second}]")]);

    let lines = requests(&format!("url: 'A/', format: ndjson, batch: 10, {BODY}"));
    assert_eq!(bodies_of(&lines), [format!("{first}\n{second}\n")]);

    let binary = requests(&format!(
        "url: 'A/', format: {{cloudevents: {{mode: binary}}}}, {BODY}"
    ));
    assert_eq!(bodies_of(&binary), [&*first, &second]);
    assert_eq!(binary[1].header("ce-id"), Some("i-two"));

    let mode = "format: {cloudevents: {mode: batched, source: /s}}, batch: 10";
    let batched = requests(&format!("url: 'A/', {mode}, {BODY}"));
    let events: Value = serde_json::from_slice(&batched[0].body).unwrap();
    assert_eq!(events[1]["data"].to_string(), second);
    assert_eq!(events[1]["id"], "i-two");
}

#[test]
fn a_body_of_the_whole_record_has_no_envelope_in_a_batch() {
    let requests = requests("url: 'A/', format: json, batch: 10, body: record");
    let item = |id, name| format!(r#"{{"id":{id},"name":"{name}","email":"e@x.org"}}"#);
    let array = format!("[{},{}]", item(1010, "one"), item(1020, "two"));
    assert_eq!(bodies_of(&requests), [array]);
}

#[test]
fn each_attempt_has_the_same_bytes() {
    let answers = vec![Answer::status(503), Answer::status(503), Answer::ok()];
    let stage = Stage::new(
        Endpoint::sequence(answers).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    write(&stage, &[record("k", 1010, "one")]);
    let body = r#"{"l": [1, 2].map(n, {"z": n, "y": name, "x": email, "w": id, "v": record})}"#;
    let routes =
        format!("- {{name: A, when: 'true', url: 'A/{{id}}', format: json, body: '{body}'}}");
    run(&stage, &routes, &[]).assert(0, &json!({"delivered": 1}));
    let requests = stage.a.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.target, "/1010");
        assert_eq!(request.body, requests[0].body);
    }
    let item = r#"{"v":{"email":"e@x.org","id":1010,"name":"one"},"w":1010,"x":"e@x.org","y":"one","z":1}"#;
    let body = bodies_of(&requests)[0];
    assert!(body.starts_with(&format!("{{\"l\":[{item},")), "{body}");
}

const DELETING: &str = "- {name: A, when: 'true', url: 'A/users/{id}', method: PUT, format: json, headers: {X-S: s, X-N: '{name}'}, \
     tombstones: {url: 'A/users/{kafka.key}?at={kafka.offset}'}}";

#[test]
fn a_tombstone_is_a_delete_in_the_order_of_its_key() {
    let stage = Stage::accepting();
    let records = [
        record("1010", 1010, "one"),
        tombstone(Some("1010")),
        record("1010", 1010, "again"),
        tombstone(Some("a/b")),
    ];
    write(&stage, &records);
    let run = run(
        &stage,
        DELETING,
        &["--order", "key", "--tombstones", "dead_letter"],
    );
    run.assert(
        0,
        &json!({"planned": 4, "delivered": 4, "skipped": 0, "dead_lettered": 0}),
    );
    let requests = stage.a.requests();
    let of_key: Vec<(&str, &str)> = targets(&requests)
        .into_iter()
        .filter(|(_, target)| target.contains("1010"))
        .collect();
    assert_eq!(
        of_key,
        [
            ("PUT", "/users/1010"),
            ("DELETE", "/users/1010?at=1"),
            ("PUT", "/users/1010")
        ]
    );
    let delete = requests
        .iter()
        .find(|request| request.target == "/users/a%2Fb?at=3");
    let delete = delete.unwrap();
    assert_eq!(delete.method, "DELETE");
    assert!(delete.body.is_empty());
    assert_eq!(delete.header("content-type"), None);
    assert_eq!(delete.header("x-s"), Some("s"));
    assert_eq!(delete.header("x-n"), None);
    let key = delete.header("idempotency-key").unwrap();
    assert!(key.ends_with("/0/3\""), "{key}");
}

#[test]
fn the_first_route_with_tombstones_takes_all_of_them_also_with_batches() {
    let stage = Stage::accepting();
    let records: Vec<NewRecord> = (0..40)
        .map(|n| match n % 4 {
            3 => tombstone(Some(&format!("k{n}"))),
            _ => record("k", 1010, &format!("n{n}")),
        })
        .collect();
    write(&stage, &records);
    let routes = "- {name: A, when: 'true', url: 'A/', format: json, batch: 100}\n\
                  - {name: B, when: 'id == 1', url: 'B/', format: json, batch: 100, tombstones: {url: 'B/{kafka.key}'}}\n\
                  - {name: C, when: 'id == 2', url: 'A/', tombstones: {url: 'A/{kafka.key}'}}";
    let first = run(
        &stage,
        &routes.replace("when: 'true'", "when: 'id > 2'"),
        &[],
    );
    first.assert(0, &json!({"planned": 40, "delivered": 40}));
    assert!(
        first.log.contains("its tombstones are never used"),
        "{}",
        first.log
    );
    let deletes = stage.b.requests();
    assert_eq!(deletes.len(), 10);
    assert!(deletes.iter().all(|request| request.method == "DELETE"));
    let delivered = |route: usize| first.report["routes"][route]["delivered"].as_i64();
    assert_eq!(
        [delivered(0), delivered(1), delivered(2)],
        [Some(30), Some(10), Some(0)]
    );
    assert!(
        stage
            .a
            .requests()
            .iter()
            .all(|request| request.method == "POST")
    );
}

#[test]
fn a_rejected_tombstone_is_a_dead_letter_and_a_deferred_one_is_sent_by_the_next_run() {
    let status = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(503));
    let answer = std::sync::Arc::clone(&status);
    let a = Endpoint::start(move |request| match &*request.target {
        "/users/bad?at=0" => Answer::status(422),
        _ => Answer::status(answer.load(std::sync::atomic::Ordering::Relaxed)),
    });
    let stage = Stage::new(a.unwrap(), Endpoint::always(Answer::ok()).unwrap());
    write(
        &stage,
        &[
            tombstone(Some("bad")),
            tombstone(Some("good")),
            tombstone(None),
        ],
    );
    let arguments = ["--max-attempts", "1"];
    let first = run(&stage, DELETING, &arguments);
    first.assert(
        75,
        &json!({"planned": 3, "dead_lettered": 2, "deferred": 1}),
    );
    status.store(200, std::sync::atomic::Ordering::Relaxed);
    let second = run(&stage, DELETING, &arguments);
    second.assert(0, &json!({"delivered": 1, "deferred": 0}));
    assert_eq!(
        stage.a.requests().last().unwrap().target,
        "/users/good?at=1"
    );
    let letters = records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    let mut causes: Vec<_> = letters
        .iter()
        .map(|letter| letter.header("frontdoor.cause").unwrap())
        .collect();
    causes.sort_unstable();
    assert_eq!(causes, ["invalid-request", "refused"]);
    assert!(letters.iter().all(|letter| letter.value.is_none()));
}

#[test]
fn a_status_can_be_a_success_for_tombstones_only() {
    for (statuses, code, delivered) in [("", 75, 0), (", success_on: [404]", 11, 1)] {
        let stage = Stage::new(
            Endpoint::always(Answer::status(404)).unwrap(),
            Endpoint::always(Answer::ok()).unwrap(),
        );
        let mut records = [tombstone(Some("k")), record("k", 1010, "one")];
        // Records that are too old become dead letters.
        records
            .iter_mut()
            .for_each(|record| record.timestamp = None);
        write(&stage, &records);
        let tombstones = format!("{{url: 'A/{{kafka.key}}'{statuses}}}");
        let routes = format!("- {{name: A, when: 'true', url: 'A/', tombstones: {tombstones}}}");
        let run = run(&stage, &routes, &["--order", "none"]);
        run.assert(
            code,
            &json!({"delivered": delivered, "deferred": 2 - delivered}),
        );
    }
}

#[test]
fn tombstones_that_another_route_takes_are_not_taken_for_completed() {
    let stage = Stage::new(
        Endpoint::always(Answer::status(503)).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    write(
        &stage,
        &[
            tombstone(Some("k")),
            record("k", 1020, "one"),
            record("k", 1020, "two"),
        ],
    );
    let routes = |a: &str, b: &str| {
        format!(
            "- {{name: A, when: 'id == 1010', url: 'A/'{a}}}\n- {{name: B, when: 'id == 1020', url: 'B/'{b}}}"
        )
    };
    let arguments = ["--max-attempts", "1", "--order", "none"];
    let deletes = |endpoint: &str| format!(", tombstones: {{url: '{endpoint}/{{kafka.key}}'}}");
    let first = run(&stage, &routes(&deletes("A"), ""), &arguments);
    first.assert(11, &json!({"planned": 3, "delivered": 2, "deferred": 1}));
    let second = run(&stage, &routes("", &deletes("B")), &arguments);
    second.assert(0, &json!({"deferred": 0}));
    let requests = stage.b.requests();
    let deleted = requests.iter().filter(|request| request.method == "DELETE");
    assert_eq!(deleted.count(), 1);
}

#[test]
fn a_record_whose_values_do_not_fit_is_a_dead_letter_and_nothing_is_sent() {
    let stage = Stage::accepting();
    let long = "a".repeat(9_000);
    let names = ["", ".", "..", &long, "a\r\nX: y", "good/name"];
    let records: Vec<NewRecord> = names.iter().map(|name| record("k", 1010, name)).collect();
    let mut records: Vec<NewRecord> = records
        .into_iter()
        .map(|record| NewRecord {
            headers: Vec::new(),
            ..record
        })
        .collect();
    records.push(NewRecord {
        headers: Vec::new(),
        ..record("a\nb", 1010, "n")
    });
    write(&stage, &records);
    let routes = "- {name: A, when: 'true', url: 'A/{name}/x', headers: {X-Key: '{kafka.key}'}}";
    let run = run(&stage, routes, &[]);
    run.assert(
        10,
        &json!({"planned": 7, "delivered": 2, "dead_lettered": 5}),
    );
    let mut targets: Vec<String> = stage
        .a
        .requests()
        .iter()
        .map(|request| request.target.clone())
        .collect();
    targets.sort_unstable();
    assert_eq!(targets, ["/a%0D%0AX%3A%20y/x", "/good%2Fname/x"]);
    for letter in records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap() {
        let cause = letter.header("frontdoor.cause");
        assert_eq!(cause.as_deref(), Some("invalid-request"));
    }
}

#[test]
fn mistakes_are_found_before_the_first_connection_with_their_position() {
    let stage = Stage::accepting();
    let check = |members: &str| {
        let routes = format!("- {{name: A, when: 'true', {members}}}");
        let file = routes_file(&stage, &routes);
        let output = Command::new(env!("CARGO_BIN_EXE_forward"))
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
            .env("ROUTES", file.path())
            .args(["check", "--offline", "--output", "text"])
            .output()
            .unwrap();
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    for (members, expected) in [
        (
            "url: 'A/{idd}'",
            "its url: {idd}: the record has no field idd; it has id, name, email (at character 1)",
        ),
        ("url: 'A/{id'", "its url: a { without }"),
        ("url: 'A/{[id]}'", "its url: {[id]}: expected a string"),
        ("url: 'http://a{id}/'", "not in scheme, host or port"),
        (
            "url: 'A/{id}', batch: 2",
            "batch is 2, and its url has values of one record",
        ),
        (
            "url: 'A/', headers: {X: '{id}'}, batch: 2",
            "has a value of one record: set batch to 1",
        ),
        (
            "url: 'A/', headers: {X: '{id + name}'}",
            "the header x: {id + name}: + does not accept",
        ),
        (
            "url: 'A/', headers: {Content-Type: '{name}'}",
            "is set by the job",
        ),
        ("url: 'A/', body: id", "it has a body, and the format avro"),
        (
            "url: 'A/', format: json, body: '{\"a\": idd}'",
            "its body: the record has no field idd; it has id, name, email (at character 7)",
        ),
        (
            "url: 'A/', tombstones: {url: 'A/{id}'}",
            "the url of tombstones: {id}: a tombstone has no fields",
        ),
        (
            "url: 'A/', tombstones: {url: 'B/'}",
            "must have the scheme, host and port of the url",
        ),
        (
            "url: 'A/', retry_on: [4xx], tombstones: {url: 'A/', success_on: [404]}",
            "with tombstones, retry_on has \"4xx\", of which another item",
        ),
        ("url: 'A/', tombstones: {uri: 'A/'}", "unknown field `uri`"),
    ] {
        let (code, text) = check(members);
        assert_eq!(code, Some(78), "{members}: {text}");
        assert!(text.contains(expected), "{members}: {text}");
    }
    let (code, text) =
        check("url: 'A/{id}', headers: {X: '{name}'}, tombstones: {url: 'A/{kafka.key}'}");
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("may be null"), "{text}");
}

#[test]
fn a_placeholder_that_may_be_null_causes_a_warning_and_null_a_dead_letter() {
    const SCHEMA: &str =
        r#"{"type":"record","name":"R","fields":[{"name":"mail","type":["null","string"]}]}"#;
    let stage = Stage::accepting();
    stage.write_to(0, vec![vec![0], vec![2, 2, b'm']]);
    let mut schema = tempfile::NamedTempFile::new().unwrap();
    schema.write_all(SCHEMA.as_bytes()).unwrap();
    let routes = "- {name: A, when: 'true', url: 'A/{mail}', format: json, body: '{\"m\": mail}'}";
    let routes = routes_file(&stage, routes);
    let mut command = stage.forward(&[]);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("AVRO_SCHEMA", schema.path())
        .env("ROUTES", routes.path());
    let run = Run::from_output(&command.output().unwrap());
    run.assert(
        10,
        &json!({"planned": 2, "delivered": 1, "dead_lettered": 1}),
    );
    assert!(
        run.log.contains("its url: {mail} may be null"),
        "{}",
        run.log
    );
    let letters = records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    let reason = letters[0].header("__connect.errors.exception.message");
    assert_eq!(
        reason.as_deref(),
        Some("its url: {mail}: the value is null")
    );
    assert_eq!(stage.a.requests()[0].body, br#"{"m":"m"}"#[..]);
}
