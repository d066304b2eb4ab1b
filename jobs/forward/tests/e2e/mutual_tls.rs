//! Endpoints behind nginx that require a client certificate.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::broker::Broker;
use testkit::certificates::{Certificate, CertificateAuthority};
use testkit::topics::{NewRecord, Topics};
use tokio::process::Command;

use crate::nginx::Nginx;

const TOPIC: &str = "FrontDoorTopic";

/// nginx with a certificate of an authority. It closes the connection after each response.
pub(crate) struct TlsEndpoint {
    pub(crate) nginx: Nginx,
    authority: CertificateAuthority,
}

impl TlsEndpoint {
    /// `clients`: it requires a client certificate.
    pub(crate) async fn start(clients: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = CertificateAuthority::new("authority").unwrap();
        let server = authority.server("server").unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("ca.pem", authority.pem().unwrap());
        write("server.pem", server.pem().unwrap());
        write("server-key.pem", server.key_pem().unwrap());
        let clients = match clients {
            true => "ssl_client_certificate FOLDER/ca.pem; ssl_verify_client on;",
            false => "",
        };
        let http = "log_format clients '$status $ssl_client_s_dn';
             access_log FOLDER/access.log clients;
             keepalive_timeout 0;
             server {
               listen 127.0.0.1:PORT ssl;
               ssl_certificate FOLDER/server.pem; ssl_certificate_key FOLDER/server-key.pem;
               CLIENTS
               location / { return 200; }
             }";
        Self {
            nginx: Nginx::start(folder, &http.replace("CLIENTS", clients)).await,
            authority,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.nginx.path(name)
    }

    /// The requests so far: status and subject of the client.
    fn log(&self) -> Vec<String> {
        self.nginx.log()
    }

    async fn wait_for(&self, expected: &[&str]) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.log() != expected {
            assert!(Instant::now() < end, "{:?}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The files of a client certificate, which a run reads.
    fn write_client(&self, certificate: &Certificate) {
        std::fs::write(self.path("client.pem"), certificate.pem().unwrap()).unwrap();
        std::fs::write(self.path("client-key.pem"), certificate.key_pem().unwrap()).unwrap();
    }

    /// A run whose only route has this TLS configuration, or is not encrypted.
    fn forward(&self, broker: &Broker, tls: &Value) -> Command {
        let scheme = if tls.is_null() { "http" } else { "https" };
        let url = format!("{scheme}://localhost:{}/", self.nginx.port);
        let route = json!({"name": "A", "when": "true", "url": url, "tls": tls});
        let routes = json!({"version": 1, "routes": [route]}).to_string();
        std::fs::write(self.path("routes.json"), routes).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
            .env("ROUTES", self.path("routes.json"))
            .args(["run", "--output", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
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
    let (endpoint, broker) = (TlsEndpoint::start(true).await, broker());
    endpoint.write_client(&client(&endpoint.authority, "first"));
    let tls = files(endpoint.nginx.folder.path());
    let mut child = endpoint
        .forward(&broker, &tls)
        .args(["--every", "100ms"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    write_record(&broker);
    endpoint.wait_for(&["200 CN=first"]).await;
    endpoint.write_client(&client(&endpoint.authority, "second"));
    write_record(&broker);
    endpoint.wait_for(&["200 CN=first", "200 CN=second"]).await;
    child.kill().await.unwrap();
}

#[tokio::test]
#[ignore = "starts nginx: run by `make e2e`"]
async fn a_connection_that_nginx_rejects_defers_the_records() {
    let (endpoint, broker) = (TlsEndpoint::start(true).await, broker());
    let ca = endpoint.path("ca.pem");
    let other = CertificateAuthority::new("other").unwrap();
    endpoint.write_client(&client(&other, "foreign"));
    write_record(&broker);
    for (tls, status, log) in [
        (json!({"ca": ca}), "496", "400 -"),
        (files(endpoint.nginx.folder.path()), "495", "400 CN=foreign"),
        (Value::Null, "497", "400 -"),
    ] {
        let output = endpoint.forward(&broker, &tls).output().await.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["totals"]["deferred"], 1, "{report:#}");
        assert_eq!(report["totals"]["dead_lettered"], 0, "{report:#}");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(printed.contains(status), "{printed}");
        assert_eq!(endpoint.log().last().map(String::as_str), Some(log));
    }
}
