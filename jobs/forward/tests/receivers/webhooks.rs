//! Signatures of requests, verified by Standard Webhooks' own library.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::topics::{NewRecord, Topics};
use testkit::webhook;

use super::PYTHON;

/// The record `{"id": 1, "name": "Paul", "email": "p@x"}` of schemas/user.avsc. The library reads only UTF-8.
const DATUM: &[u8] = b"\x02\x08Paul\x06p@x";

fn described(request: &Request) -> Value {
    let header = |name: &'static str| (name.to_owned(), request.header(name).unwrap().into());
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<String, Value> = names.map(header).into_iter().collect();
    json!({"headers": headers, "body": STANDARD.encode(&request.body)})
}

#[test]
#[ignore = "installs packages from PyPI"]
fn another_library_verifies_the_signatures() {
    let broker = Broker::start().unwrap();
    broker.create_topic("FrontDoorTopic", 1).unwrap();
    let topics = Topics::connect(broker.bootstrap()).unwrap();
    let records = [NewRecord::to(0, DATUM), NewRecord::to(0, DATUM)];
    topics.write("FrontDoorTopic", &records).unwrap();
    let endpoint = Endpoint::sequence(vec![Answer::status(503), Answer::ok()]).unwrap();
    let secrets = [webhook::secret(&[7; 32]), webhook::secret(&[8; 24])];
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path
    };
    let sign = json!({"standard_webhooks": secrets});
    let routes = json!({"version": 1, "routes": [
        {"name": "A", "when": "true", "url": endpoint.url(), "sign": sign}]});
    let status = Command::new(env!("CARGO_BIN_EXE_forward"))
        .arg("run")
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
        .env("ROUTES", file("routes.json", &routes))
        .env("BACKOFF_INITIAL", "20ms")
        .status()
        .unwrap();
    assert!(status.success());
    let requests: Vec<Value> = endpoint.requests().iter().map(described).collect();
    assert_eq!(
        requests.len(),
        3,
        "two records, and one attempt that failed"
    );
    let requests = file(
        "requests.json",
        &json!({"secrets": secrets, "requests": requests}),
    );
    let status = Command::new(PYTHON)
        .arg("verify.py")
        .arg(requests)
        .status()
        .unwrap();
    assert!(status.success());
}
