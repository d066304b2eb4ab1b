//! The whole river: from the bytes of a request, through the door, the stream and the job, to A's list. Every
//! program is the real one.

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

/// `{"id":1010,"name":"Paul","email":"paul@bla.com"}`, byte by byte.
const PAUL: &[u8] = b"\xe4\x0f\x08Paul\x18paul@bla.com";

fn api(title: &str) -> Program {
    let settings = [("API_TITLE", title), ("LISTEN", "127.0.0.1:0")];
    Program::start(title, &built("api-avro-sample").unwrap(), &settings, |_| {}).unwrap()
}

fn json_of(answer: &Response<bytes::Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

#[tokio::test]
async fn a_record_travels_from_the_request_to_as_list_and_is_delivered_once() {
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
    let door = Gateway::start(function, "127.0.0.1:0").await.unwrap();

    let request = Request::post(door.url())
        .header("content-type", "application/octet-stream")
        .body(PAUL.into())
        .unwrap();
    let answer = send(request).await.unwrap();
    assert_eq!(answer.status(), 202, "{answer:?}");
    let place = json_of(&answer);
    let stored = records::all(broker.bootstrap(), TOPIC).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].value.as_deref(), Some(PAUL));
    assert_eq!(place["partition"], stored[0].partition);
    assert_eq!(place["offset"], stored[0].offset);

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
        let end = format!("/{}/{}", place["partition"], place["offset"]);
        assert!(key.as_str().unwrap().ends_with(&end), "{list}");
    }
    let list = json_of(&get(&format!("{b_url}records")).await.unwrap());
    assert_eq!(list["received"], 0, "{list}");
}

#[tokio::test]
async fn a_container_under_the_longest_key_is_taken_once_however_often_it_is_sent() {
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
    let door = Gateway::start(function, "127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.json");
    let records: Vec<Vec<u8>> = (0..COUNT)
        .map(|number| User::new(1010, &format!("user-{number}")).encode())
        .collect();
    let file = container(&records);
    let key = "k".repeat(255);
    let keys: Vec<String> = (1..=COUNT).map(|place| format!("{key}/{place}")).collect();

    for (sent, batch) in [(1, 1), (2, 1), (3, 5)] {
        let request = Request::post(door.url())
            .header("content-type", "application/vnd.apache.avro")
            .header("idempotency-key", format!("\"{key}\""))
            .body(file.clone().into())
            .unwrap();
        let answer = send(request).await.unwrap();
        assert_eq!(answer.status(), 202, "{answer:?}");
        let stored = records::all(broker.bootstrap(), TOPIC).unwrap();
        let told: Vec<String> = stored
            .iter()
            .map(|record| record.header("idempotency-key").unwrap())
            .collect();
        assert_eq!(
            told,
            vec![keys.clone(); sent].concat(),
            "what the stream holds"
        );

        // One by one, and then as a container file whose metadata holds the keys.
        let route = json!([{"name": "A", "when": "id == 1010", "url": a_url, "batch": batch}]);
        std::fs::write(&routes, route.to_string()).unwrap();
        let report = run(&broker, &["--routes", routes.to_str().unwrap()]).await;
        assert_eq!(report["totals"]["delivered"], COUNT, "{report}");
        let list = json_of(&get(&format!("{a_url}records")).await.unwrap());
        assert_eq!(list["received"], COUNT, "sent {sent} times: {list}");
        let taken = list["records"].as_array().unwrap().iter();
        let taken: HashSet<_> = taken
            .filter_map(|record| record["idempotency_key"].as_str())
            .collect();
        assert_eq!(taken, keys.iter().map(String::as_str).collect(), "{list}");
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

/// Zigzag, then seven bits a byte, the lowest first.
fn long(number: usize, out: &mut Vec<u8>) {
    let mut rest = number << 1;
    while rest > 127 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Runs one window of the real job, by the two built-in routes, and hands back its report.
async fn window(broker: &Broker, a_url: &str, b_url: &str) -> Value {
    run(
        broker,
        &["--api-type-a-url", a_url, "--api-type-b-url", b_url],
    )
    .await
}

/// Runs one window of the real job and hands back its report.
async fn run(broker: &Broker, flags: &[&str]) -> Value {
    let output = command(&built("forward").unwrap())
        .args(["run", "--output", "json"])
        .args(flags)
        .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_demo_sees_every_record_where_the_story_says() {
    build_all().await.unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = command(&built("demo").unwrap()).output().await.unwrap();
    let (told, errors) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{told}{errors}");
    assert!(
        told.contains("balanced: 10 planned = 7 delivered + 3 skipped"),
        "{told}"
    );
    for (file, end) in [
        ("meu_file.bin", "no route: skipped"),
        ("type_a_message.bin", "API type A"),
        ("type_b_message.bin", "API type B"),
        ("text.json", "refused: "),
    ] {
        let line = told.lines().find(|line| line.contains(file)).unwrap();
        assert!(line.contains(end), "{line}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_outlives_the_demo_however_it_ends() {
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
        while children.iter().any(|child| lives(*child)) {
            assert!(Instant::now() < end, "{signal}: {children:?} live on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The processes whose parent is that one.
fn children_of(parent: u32) -> HashSet<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id| stat(*id).is_some_and(|(_, its)| its == parent))
        .collect()
}

fn lives(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// A process's state and its parent, from `/proc/ID/stat`: the third and fourth field, after the name in brackets.
fn stat(id: u32) -> Option<(String, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
