//! The whole pipeline with the real programs: from a request, through the function, the topic and the job, to an endpoint.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use http::{Request, Response};
use serde_json::{Value, json};
use testkit::agent::Agent;
use testkit::broker::Broker;
use testkit::gateway::Gateway;
use testkit::http::{get, send};
use testkit::program::{Program, build_all, built, command};
use testkit::records;
use testkit::user::User;
use tokio::io::{AsyncBufReadExt, BufReader};

const TOPIC: &str = "FrontDoorTopic";

/// The datum of `{"id":1010,"name":"Paul","email":"paul@bla.com"}`.
const PAUL: &[u8] = b"\xe4\x0f\x08Paul\x18paul@bla.com";

fn api(title: &str) -> Program {
    let settings = [("API_TITLE", title), ("LISTEN", "127.0.0.1:0")];
    Program::start(title, &built("api-avro-sample").unwrap(), &settings, |_| {}).unwrap()
}

fn json_of(response: &Response<bytes::Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn delivers_the_record_of_a_request_to_its_endpoint_once() {
    build_all().await.unwrap();
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 2).unwrap();
    let (mut a, mut b) = (api("A"), api("B"));
    let a_url = format!("http://{}/", a.address().await.unwrap());
    let b_url = format!("http://{}/", b.address().await.unwrap());
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())];
    let function = Agent::start(&built("fn-recep-avro").unwrap(), &settings)
        .await
        .unwrap();
    let gateway = Gateway::start(function, "127.0.0.1:0").await.unwrap();

    let request = Request::post(gateway.url())
        .header("content-type", "application/octet-stream")
        .body(PAUL.into())
        .unwrap();
    let response = send(request).await.unwrap();
    assert_eq!(response.status(), 202, "{response:?}");
    let position = json_of(&response);
    let stored = records::all(broker.bootstrap(), TOPIC).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].value.as_deref(), Some(PAUL));
    assert_eq!(position["partition"], stored[0].partition);
    assert_eq!(position["offset"], stored[0].offset);

    for planned in [1, 0] {
        let report = window(&broker, &a_url, &b_url).await;
        assert_eq!(report["totals"]["planned"], planned, "{report}");
        assert_eq!(report["totals"]["delivered"], planned, "{report}");
        assert_eq!(report["balanced"], true, "{report}");
        let list = json_of(&get(&format!("{a_url}records")).await.unwrap());
        assert_eq!(list["received"], 1, "{list}");
        let (record, key) = (
            &list["records"][0]["record"],
            &list["records"][0]["idempotency_key"],
        );
        assert_eq!(
            *record,
            json!({"id": 1010, "name": "Paul", "email": "paul@bla.com"})
        );
        let end = format!("/{}/{}", position["partition"], position["offset"]);
        assert!(key.as_str().unwrap().ends_with(&end), "{list}");
    }
    let list = json_of(&get(&format!("{b_url}records")).await.unwrap());
    assert_eq!(list["received"], 0, "{list}");
}

#[tokio::test]
async fn repeated_containers_with_the_longest_key_are_received_once() {
    const COUNT: usize = 12;
    build_all().await.unwrap();
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let mut a = api("A");
    let a_url = format!("http://{}/", a.address().await.unwrap());
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())];
    let function = Agent::start(&built("fn-recep-avro").unwrap(), &settings)
        .await
        .unwrap();
    let gateway = Gateway::start(function, "127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.json");
    let records: Vec<Vec<u8>> = (0..COUNT)
        .map(|number| User::new(1010, &format!("user-{number}")).encode())
        .collect();
    let file = container(&records);
    let key = "k".repeat(255);
    let keys: Vec<String> = (1..=COUNT)
        .map(|number| format!("{key}/{number}"))
        .collect();

    for (sent, batch) in [(1, 1), (2, 1), (3, 5)] {
        let request = Request::post(gateway.url())
            .header("content-type", "application/vnd.apache.avro")
            .header("idempotency-key", format!("\"{key}\""))
            .body(file.clone().into())
            .unwrap();
        let response = send(request).await.unwrap();
        assert_eq!(response.status(), 202, "{response:?}");
        let stored = records::all(broker.bootstrap(), TOPIC).unwrap();
        let stored_keys: Vec<String> = stored
            .iter()
            .map(|record| record.header("idempotency-key").unwrap())
            .collect();
        assert_eq!(
            stored_keys,
            vec![keys.clone(); sent].concat(),
            "the keys in the topic"
        );

        // With batches, the keys are in the metadata of the container file.
        let route = json!({"version": 1, "routes": [{"name": "A", "when": "id == 1010", "url": a_url, "batch": batch}]});
        std::fs::write(&routes, route.to_string()).unwrap();
        let report = run(&broker, &["--routes", routes.to_str().unwrap()]).await;
        assert_eq!(report["totals"]["delivered"], COUNT, "{report}");
        let list = json_of(&get(&format!("{a_url}records")).await.unwrap());
        assert_eq!(list["received"], COUNT, "sent {sent} times: {list}");
        let received = list["records"].as_array().unwrap().iter();
        let received: HashSet<_> = received
            .filter_map(|record| record["idempotency_key"].as_str())
            .collect();
        assert_eq!(
            received,
            keys.iter().map(String::as_str).collect(),
            "{list}"
        );
    }
}

/// A container file of users, in one block, without compression (Avro 1.12, "Object Container Files").
fn container(records: &[Vec<u8>]) -> Vec<u8> {
    const SYNC: [u8; 16] = [7; 16];
    let schema = include_bytes!("../../../schemas/user.avsc");
    let block = records.concat();
    let mut file = b"Obj\x01".to_vec();
    long(1, &mut file);
    for part in [&b"avro.schema"[..], schema] {
        long(part.len(), &mut file);
        file.extend_from_slice(part);
    }
    long(0, &mut file);
    file.extend_from_slice(&SYNC);
    long(records.len(), &mut file);
    long(block.len(), &mut file);
    [file, block, SYNC.to_vec()].concat()
}

/// Appends an Avro `long`: zigzag, then seven bits per byte, the lowest first.
fn long(number: usize, out: &mut Vec<u8>) {
    let mut rest = number << 1;
    while rest > 127 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Runs one window of the job with the two built-in routes, and returns its report.
async fn window(broker: &Broker, a_url: &str, b_url: &str) -> Value {
    run(
        broker,
        &["--api-type-a-url", a_url, "--api-type-b-url", b_url],
    )
    .await
}

/// Runs one window of the job and returns its report.
async fn run(broker: &Broker, flags: &[&str]) -> Value {
    let output = command(&built("forward").unwrap())
        .args(["run", "--output", "json"])
        .args(flags)
        .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_demo_reports_the_expected_destinations() {
    build_all().await.unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = command(&built("demo").unwrap()).output().await.unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{stdout}{stderr}");
    assert!(
        stdout.contains("balanced: 10 planned = 7 delivered + 3 skipped"),
        "{stdout}"
    );
    for (file, end) in [
        ("meu_file.bin", "no route: skipped"),
        ("type_a_message.bin", "API type A"),
        ("type_b_message.bin", "API type B"),
        ("text.json", "rejected: "),
    ] {
        let line = stdout.lines().find(|line| line.contains(file)).unwrap();
        assert!(line.contains(end), "{line}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_program_outlives_the_demo() {
    build_all().await.unwrap();
    for signal in ["-INT", "-TERM", "-KILL"] {
        let mut up = command(&built("demo").unwrap())
            .arg("up")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let id = up.id().unwrap();
        let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("Frontdoor is up") {
                break;
            }
        }
        let children = children_of(id);
        assert_eq!(children.len(), 3, "A, B and the function: {children:?}");
        let killed = command(Path::new("kill"))
            .args([signal, &id.to_string()])
            .status();
        assert!(killed.await.unwrap().success());
        let status = up.wait().await.unwrap();
        assert_eq!(status.success(), signal != "-KILL", "{signal}: {status}");
        let end = Instant::now() + Duration::from_secs(30);
        while children.iter().any(|child| is_running(*child)) {
            assert!(
                Instant::now() < end,
                "{signal}: {children:?} are still running"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The child processes of a process.
fn children_of(parent: u32) -> HashSet<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id| stat(*id).is_some_and(|(_, its_parent)| its_parent == parent))
        .collect()
}

fn is_running(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// The state and the parent of a process: the third and fourth field of `/proc/ID/stat`, after the name in brackets.
fn stat(id: u32) -> Option<(String, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
