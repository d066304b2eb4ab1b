//! Endpoints behind nginx that require a client certificate.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use testkit::broker::Broker;
use testkit::certificates::{Certificate, CertificateAuthority};
use testkit::topics::{NewRecord, Topics};
use tokio::process::Command;

use crate::nginx::Nginx;

const TOPIC: &str = "FrontDoorTopic";

/// The files of a client certificate, which a run reads.
fn write_client(nginx: &Nginx, certificate: &Certificate) {
    std::fs::write(nginx.path("client.pem"), certificate.pem().unwrap()).unwrap();
    std::fs::write(nginx.path("client-key.pem"), certificate.key_pem().unwrap()).unwrap();
}

/// A run whose only route has this TLS configuration, or is not encrypted.
fn forward(nginx: &Nginx, broker: &Broker, tls: &Value) -> Command {
    let scheme = if tls.is_null() { "http" } else { "https" };
    let url = format!("{scheme}://localhost:{}/", nginx.port);
    let route = json!({"name": "A", "when": "true", "url": url, "tls": tls});
    let routes = json!({"version": 1, "routes": [route]}).to_string();
    std::fs::write(nginx.path("routes.json"), routes).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
        .env("ROUTES", nginx.path("routes.json"))
        .args(["run", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) fn broker() -> Broker {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    broker
        .create_topic("FrontDoorTopic-dead-letter", 1)
        .unwrap();
    broker
}

pub(crate) fn write_record(broker: &Broker) {
    let topics = Topics::connect(broker.bootstrap()).unwrap();
    let record = NewRecord::to(0, &b"\xe4\x0f\x08Paul\x06p@x"[..]);
    topics.write(TOPIC, &[record]).unwrap();
}

fn client(authority: &CertificateAuthority, name: &str) -> Certificate {
    authority.client(name, "client", "urn:client").unwrap()
}

fn files(folder: &Path) -> Value {
    json!({"ca": folder.join("ca.pem"), "certificate": folder.join("client.pem"), "key": folder.join("client-key.pem")})
}

#[tokio::test]
#[ignore = "starts nginx: run by `make e2e`"]
async fn nginx_accepts_the_client_certificate_and_its_successor() {
    let (nginx, broker) = (Nginx::start(true).await, broker());
    write_client(&nginx, &client(&nginx.authority, "first"));
    let tls = files(nginx.folder());
    let mut child = forward(&nginx, &broker, &tls)
        .args(["--every", "100ms"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    write_record(&broker);
    nginx.wait_for(&["200 CN=first"]).await;
    write_client(&nginx, &client(&nginx.authority, "second"));
    write_record(&broker);
    nginx.wait_for(&["200 CN=first", "200 CN=second"]).await;
    child.kill().await.unwrap();
}

#[tokio::test]
#[ignore = "starts nginx: run by `make e2e`"]
async fn a_connection_that_nginx_rejects_defers_the_records() {
    let (nginx, broker) = (Nginx::start(true).await, broker());
    let ca = nginx.path("ca.pem");
    let other = CertificateAuthority::new("other").unwrap();
    write_client(&nginx, &client(&other, "foreign"));
    write_record(&broker);
    for (tls, status, log) in [
        (json!({"ca": ca}), "496", "400 -"),
        (files(nginx.folder()), "495", "400 CN=foreign"),
        (Value::Null, "497", "400 -"),
    ] {
        let output = forward(&nginx, &broker, &tls).output().await.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["totals"]["deferred"], 1, "{report:#}");
        assert_eq!(report["totals"]["dead_lettered"], 0, "{report:#}");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(printed.contains(status), "{printed}");
        assert_eq!(nginx.log().last().map(String::as_str), Some(log));
    }
}
