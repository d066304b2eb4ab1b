//! `forward test` as a process, and that it prints what a run sends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

const TIMESTAMP: i64 = 1_700_000_000_123;

/// `forward test` with these routes and samples: the exit code, standard output and standard error.
fn test(routes: &str, samples: &[u8], arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(routes.as_bytes()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .env("ROUTES", file.path())
        .args(["test", "--records", "-"])
        .args(arguments);
    output_of(&mut command, samples)
}

fn test_json(routes: &str, samples: &str) -> (Option<i32>, Value) {
    let (code, output, log) = test(routes, samples.as_bytes(), &["--output", "json"]);
    let report = serde_json::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}{log}"));
    (code, report)
}

fn sample(id: i32, name: &str, members: &str) -> String {
    format!(
        "{{\"value\": {{\"id\": {id}, \"name\": \"{name}\", \"email\": \"e@x.org\"}}{members}}}\n"
    )
}

/// A request as bytes: head and body.
struct RawRequest {
    head: String,
    body: Vec<u8>,
}

/// Accepts one connection, reads one request and answers 200.
fn receive(listener: TcpListener) -> JoinHandle<RawRequest> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(byte(&mut stream));
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let body = (0..length).map(|_| byte(&mut stream)).collect();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        RawRequest { head, body }
    })
}

fn byte(stream: &mut TcpStream) -> u8 {
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    byte[0]
}

/// The request that a run sends for a record, and the one that a test prints for the same record, with a route that has
/// these members. Texts that depend on the broker are replaced in the former.
fn sent_and_printed(members: &str) -> (RawRequest, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let routes = format!(
        "version: 1\nroutes: [{{name: A, when: 'true', url: 'http://{}/in?x=1', {members}}}]",
        listener.local_addr().unwrap()
    );
    let receiver = receive(listener);
    let stage = Stage::accepting();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    let record = NewRecord {
        key: Some(b"k\xc3\xa9y".to_vec()),
        headers: vec![
            header("traceparent", trace),
            header("x-tenant", "one"),
            header("x-tenant", "two"),
        ],
        timestamp: Some(TIMESTAMP),
        ..NewRecord::to(0, user(1010, "Paul"))
    };
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, &[record]).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(routes.as_bytes()).unwrap();
    let mut command = stage.forward(&[]);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", file.path());
    let run = Run::from_output(&command.output().unwrap());
    run.assert(0, &json!({"delivered": 1}));
    let sent = receiver.join().unwrap();
    let cluster = run.report["cluster"].as_str().unwrap();
    let topic = run.report["topic_id"].as_str().unwrap_or(TOPIC);
    let replaced = |text: &str| {
        text.replace(&format!("{cluster}/{topic}/"), "CLUSTER/TOPIC-ID/")
            .replace(&format!("kafka:{cluster}/"), "kafka:CLUSTER/")
    };
    let body = match std::str::from_utf8(&sent.body) {
        Ok(text) => replaced(text).into_bytes(),
        Err(_) => sent.body.clone(),
    };
    let length = |body: &[u8]| format!("content-length: {}\r\n", body.len());
    let head = replaced(&sent.head).replace(&length(&sent.body), &length(&body));
    let members = format!(
        r#", "key": "k\u00e9y", "headers": {{"traceparent": "{trace}", "x-tenant": ["one", "two"]}}, "timestamp": {TIMESTAMP}"#
    );
    let (code, report) = test_json(&routes, &sample(1010, "Paul", &members));
    assert_eq!(code, Some(0), "{report:#}");
    let request = report["samples"][0]["request"].clone();
    (RawRequest { head, body }, request)
}

/// The head that a printed request stands for.
fn head(printed: &Value) -> String {
    let url = printed["url"].as_str().unwrap();
    let target = url.splitn(4, '/').nth(3).unwrap();
    let method = printed["method"].as_str().unwrap();
    let mut head = format!("{method} /{target} HTTP/1.1\r\n");
    for header in printed["headers"].as_array().unwrap() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

fn printed_body(printed: &Value) -> Vec<u8> {
    let text = printed["body"].as_str().unwrap();
    match printed["body_encoding"].as_str().unwrap() {
        "text" => text.as_bytes().to_vec(),
        _ => STANDARD.decode(text).unwrap(),
    }
}

#[test]
fn the_printed_request_is_the_one_that_a_run_sends() {
    for members in [
        "format: json",
        "format: json, batch: 10",
        "format: ndjson",
        "format: avro",
        "format: {cloudevents: {mode: binary}}",
        "format: {cloudevents: {mode: structured, type: a.b}}",
        "format: {cloudevents: {mode: batched, source: /s}}, batch: 10",
        "format: json, method: PUT, headers: {X-B: 'a b', X-A: c}, kafka_headers: [X-Tenant]",
        "format: avro, method: PATCH, kafka_headers: [x-tenant]",
    ] {
        let (sent, printed) = sent_and_printed(members);
        assert_eq!(head(&printed), sent.head, "{members}");
        assert_eq!(printed_body(&printed), sent.body, "{members}");
    }
    // The sync marker and the keys of a container file contain the ids of cluster and topic.
    let (sent, printed) = sent_and_printed("format: avro, batch: 10");
    assert!(sent.body.starts_with(b"Obj\x01") && printed_body(&printed).starts_with(b"Obj\x01"));
    let names = |head: &str| -> Vec<String> {
        let names = head.lines().map(|line| line.split(": ").next().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(&head(&printed)), names(&sent.head));
}

#[test]
fn credentials_and_signatures_are_in_their_place_and_masked() {
    let secret = format!("whsec_{}", STANDARD.encode([7; 32]));
    let members = format!(
        "format: json, auth: {{header: {{name: X-Key, value: hunter2}}}}, sign: {{standard_webhooks: ['{secret}']}}"
    );
    let (sent, printed) = sent_and_printed(&members);
    assert_eq!(printed_body(&printed), sent.body);
    let mut expected = String::new();
    for line in sent.head.split_inclusive("\r\n") {
        expected += &match line.split_once(": ") {
            Some(("x-key", value)) => {
                assert_eq!(value, "hunter2\r\n");
                "x-key: [redacted]\r\n".to_owned()
            }
            Some(("webhook-timestamp", _)) => {
                "webhook-timestamp: [time of the attempt]\r\n".to_owned()
            }
            Some(("webhook-signature", _)) => "webhook-signature: [redacted]\r\n".to_owned(),
            _ => line.to_owned(),
        };
    }
    assert_eq!(head(&printed), expected);
    assert!(!printed.to_string().contains("hunter2") && !printed.to_string().contains(&secret));
    let (_, printed) = sent_and_printed("auth: {basic: {username: u, password: hunter2}}");
    let headers = printed["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["authorization", "[redacted]"])));
}

const ROUTES: &str = "version: 1
routes:
- {name: A, when: id == 1010, url: 'https://a.example/in', format: json}
- {name: B, when: id == 1020, url: 'https://b.example/in', kafka_headers: [x-tenant]}
- {name: C, when: 1 / id > 0, url: 'https://c.example/in'}
";

#[test]
fn the_exit_code_is_that_of_the_worst_sample() {
    let passed = sample(1010, "Paul", r#", "expect": "A""#);
    let unexpected = sample(1020, "Mary", r#", "expect": "A""#);
    let unknown = sample(1020, "Mary", r#", "expect": "Z""#);
    let no_route = sample(7, "Ana", r#", "expect": null"#);
    let no_request = sample(
        1020,
        "Mary",
        r#", "headers": {"x-tenant": "é"}, "expect": "B""#,
    );
    let unroutable = sample(0, "Ana", "");
    let tombstone = "{\"value\": null, \"expect\": null}\n".to_owned();
    let other_type = "{\"value\": {\"id\": \"x\"}}\n".to_owned();
    for (samples, code, results) in [
        (vec![&passed, &no_route, &tombstone], 0, vec!["passed"; 3]),
        (vec![&passed, &unexpected], 1, vec!["passed", "failed"]),
        (vec![&unknown, &passed], 1, vec!["failed", "passed"]),
        (
            vec![&unexpected, &no_request],
            65,
            vec!["failed", "invalid"],
        ),
        (vec![&unroutable], 65, vec!["invalid"]),
        (vec![&other_type, &passed], 65, vec!["invalid", "passed"]),
        (vec![], 65, vec![]),
    ] {
        let samples: String = samples.into_iter().map(String::as_str).collect();
        let (exit, report) = test_json(ROUTES, &samples);
        assert_eq!(exit, Some(code), "{report:#}");
        let found: Vec<&str> = report["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sample| sample["result"].as_str().unwrap())
            .collect();
        assert_eq!(found, results, "{report:#}");
        let passed = results.iter().filter(|result| **result == "passed").count();
        assert_eq!(report["passed"], passed);
        assert_eq!(report["failed"], results.len() - passed);
    }
}

#[test]
fn invalid_settings_schemas_and_routes_end_with_78() {
    let samples = sample(1010, "Paul", "");
    for (routes, arguments, expected) in [
        (
            "version: 1\nroutes: [{name: A}]",
            vec![],
            "missing field `when`",
        ),
        (
            "version: 1\nroutes: [{name: A, when: idd == 1, url: 'http://a'}]",
            vec![],
            "idd == 1",
        ),
        (
            ROUTES,
            vec!["--avro-schema", "/nowhere"],
            "reading AVRO_SCHEMA from /nowhere",
        ),
        (
            ROUTES,
            vec!["--avro-schema", "oci://b/o"],
            "not read offline: name a local copy",
        ),
        (
            ROUTES,
            vec!["--delivery-schema", "writer"],
            "DELIVERY_SCHEMA is writer, and route \"A\"",
        ),
        (
            ROUTES,
            vec!["--max-in-flight", "many"],
            "MAX_IN_FLIGHT is \"many\"",
        ),
    ] {
        let (code, output, log) = test(routes, samples.as_bytes(), &arguments);
        assert_eq!((code, &*output), (Some(78), ""), "{log}");
        assert!(log.contains(expected), "{log}");
    }
    let (code, _, log) = test(ROUTES, b"", &["--records", "-"]);
    assert_eq!(code, Some(64), "{log}");
}

#[test]
fn samples_that_cannot_be_read_end_with_74() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ROUTES.as_bytes()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env("ROUTES", file.path())
        .args(["test", "--records", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(74));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        log.contains("testing the samples of /nowhere: No such file"),
        "{log}"
    );
}

#[test]
fn hostile_lines_are_invalid_samples_with_their_numbers() {
    let good = sample(1010, "Paul", "");
    let mut samples = good.clone().into_bytes();
    samples.extend_from_slice(b"\xff\xfe\x00\n\n{\"value\": ");
    samples.extend(std::iter::repeat_n(b'[', 100_000));
    samples.extend_from_slice(b"\n{\"value\": 1, \"value\": 2}\n\x1b[31m\n");
    samples.extend_from_slice(good.as_bytes());
    samples.extend(std::iter::repeat_n(b' ', 2 << 20));
    samples.extend_from_slice(good.as_bytes());
    let (code, output, log) = test(ROUTES, &samples, &["--output", "json"]);
    assert_eq!(code, Some(65), "{log}");
    let report: Value = serde_json::from_str(&output).unwrap();
    let found: Vec<(u64, &str)> = report["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| {
            (
                sample["line"].as_u64().unwrap(),
                sample["result"].as_str().unwrap(),
            )
        })
        .collect();
    let invalid = "invalid";
    assert_eq!(
        found,
        [
            (1, "passed"),
            (2, invalid),
            (4, invalid),
            (5, invalid),
            (6, invalid),
            (7, "passed"),
            (8, invalid)
        ]
    );
    let last = report["samples"][6]["reason"].as_str().unwrap();
    assert_eq!(
        last,
        "the line is longer than 1048576 bytes; nothing after it is read"
    );
    let (_, text, _) = test(ROUTES, &samples, &[]);
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn the_settings_decide_about_records_without_a_route() {
    let samples = sample(7, "Ana", "") + "{\"value\": null}\n";
    for (arguments, action) in [
        (vec![], ["skip", "skip"]),
        (vec!["--unmatched", "stop"], ["stop", "skip"]),
        (
            vec!["--unmatched", "dead_letter", "--tombstones", "dead_letter"],
            ["dead_letter", "dead_letter"],
        ),
    ] {
        let arguments = [arguments, vec!["--output", "json"]].concat();
        let (code, output, log) = test(ROUTES, samples.as_bytes(), &arguments);
        assert_eq!(code, Some(0), "{log}");
        let report: Value = serde_json::from_str(&output).unwrap();
        let found = [
            &report["samples"][0]["action"],
            &report["samples"][1]["action"],
        ];
        assert_eq!(found, [&json!(action[0]), &json!(action[1])]);
        assert!(report["samples"][0]["route"].is_null());
    }
}

#[test]
fn references_to_secrets_that_are_not_known_are_named_and_no_connection_is_opened() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let routes = format!(
        "version: 1
routes:
- name: A
  when: id == 1010
  url: http://{address}/in
  auth: {{oauth2: {{token_url: 'http://{address}/token', client_id: '${{env:NOWHERE}}', client_secret: '${{vault:ocid1.vaultsecret.oc1..a}}'}}}}
  sign: {{standard_webhooks: ['${{file:/nowhere/secret}}']}}
- {{name: B, when: id == 1020, url: 'http://{address}/in', auth: {{oci: {{}}}}}}
"
    );
    let samples = sample(1010, "Paul", "") + &sample(1020, "Mary", "");
    let (code, report) = test_json(&routes, &samples);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(listener.accept().is_err(), "a connection was opened");
    let [a, b] = [0, 1].map(|index| &report["samples"][index]["request"]);
    let unknown = [
        "${env:NOWHERE}",
        "${vault:ocid1.vaultsecret.oc1..a}",
        "${file:/nowhere/secret}",
    ];
    assert_eq!(a["unknown"], json!(unknown));
    assert_eq!(b["unknown"], json!([]));
    for (request, names) in [
        (
            a,
            vec![
                "authorization",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
            ],
        ),
        (b, vec!["date", "x-content-sha256", "authorization"]),
    ] {
        let headers = request["headers"].as_array().unwrap();
        for name in names {
            assert!(
                headers.iter().any(|header| header[0] == name),
                "{name} {request:#}"
            );
        }
        assert!(
            headers.contains(&json!(["authorization", "[redacted]"])),
            "{request:#}"
        );
    }
}

#[test]
fn the_example_and_the_exit_codes_in_the_documents_are_real() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let text = std::fs::read_to_string(format!("{root}/docs/CONFIGURATION.md")).unwrap();
    let section = text.split("### Test the routes\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let block = |begin: &str| {
        let rest = section.split(begin).nth(1).expect(begin);
        rest.split("```").next().unwrap()
    };
    let samples = block("<!-- samples -->\n```\n");
    let (code, output, log) = test(block("```yaml\n"), samples.as_bytes(), &[]);
    assert_eq!(code, Some(1), "{log}");
    let version = concat!("frontdoor/", env!("CARGO_PKG_VERSION"));
    let documented = block("<!-- tested -->\n```\n").replace("frontdoor/0.1.0", version);
    assert_eq!(output, documented);
    for outcome in forward::route_test::TestOutcome::ALL {
        let row = format!("| {} | {} |", outcome.code(), outcome.meaning());
        assert!(section.contains(&row), "{row}");
    }
}
