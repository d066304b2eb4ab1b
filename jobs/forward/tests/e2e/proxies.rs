//! Endpoints behind tinyproxy.

use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint};
use testkit::program::spawn;
use tokio::process::{Child, Command};

use crate::mutual_tls::{TlsEndpoint, broker, write_record};
use crate::nginx::{free_port, wait_for_port};

/// An address of this machine that is no loopback address, so that a proxy is used for it.
const HOST: &str = "0.0.0.0";

/// tinyproxy, which requires a password.
struct TinyProxy {
    folder: TempDir,
    port: u16,
    _process: Child,
}

impl TinyProxy {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nBasicAuth job canary-pass\n\
             LogFile \"{}\"\nLogLevel Connect\n",
            folder.path().join("log").display()
        );
        let path = folder.path().join("tinyproxy.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&path).kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = spawn(|| command.spawn()).expect("tinyproxy is installed");
        wait_for_port(port, "tinyproxy").await;
        Self {
            folder,
            port,
            _process: process,
        }
    }

    fn url(&self, password: &str) -> String {
        format!("http://job:{password}@127.0.0.1:{}", self.port)
    }

    /// The request lines that the proxy has logged.
    fn requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let lines = log.lines().filter(|line| line.contains("Request (file"));
        let requests = lines.filter_map(|line| line.split_once("): "));
        requests.map(|(_, request)| request.to_owned()).collect()
    }
}

/// The totals of a run with these routes and variables, and what it prints.
async fn run(broker: &Broker, routes: &Value, variables: &[(&str, &str)]) -> (Value, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, routes.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
        .env("ROUTES", file.path())
        .envs(variables.iter().copied())
        .args(["run", "--output", "json"])
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    for secret in ["canary", "am9iOm"] {
        assert!(!printed.contains(secret) && !report.to_string().contains(secret));
    }
    (report["totals"].clone(), printed)
}

#[tokio::test]
#[ignore = "starts nginx and tinyproxy: run by `make e2e`"]
async fn endpoints_are_reached_through_a_proxy_with_a_password() {
    let (TlsEndpoint { nginx, .. }, proxy, broker) = (
        TlsEndpoint::start(false).await,
        TinyProxy::start().await,
        broker(),
    );
    let plain = Endpoint::always(Answer::ok()).unwrap();
    let secure_url = format!("https://{HOST}:{}/", nginx.port);
    let plain_url = format!("http://{HOST}:{}/", plain.address().port());
    let tls = json!({"ca": nginx.path("ca.pem")});
    let secure = json!({"version": 1, "routes": [
        {"name": "secure", "when": "true", "url": secure_url, "tls": tls},
    ]});
    let unencrypted = json!({"version": 1, "routes": [
        {"name": "plain", "when": "true", "url": plain_url},
    ]});
    let tunnel = format!("CONNECT {HOST}:{} HTTP/1.1", nginx.port);
    let request = format!("POST {plain_url} HTTP/1.1");

    let variables = [("ALL_PROXY", &*proxy.url("canary-pass"))];
    for (routes, line) in [(&secure, &tunnel), (&unencrypted, &request)] {
        write_record(&broker);
        let (totals, printed) = run(&broker, routes, &variables).await;
        assert_eq!(totals["delivered"], 1, "{printed}");
        assert_eq!(proxy.requests().last(), Some(line));
    }
    assert_eq!((nginx.log().len(), plain.count()), (1, 1));
    assert!(plain.requests()[0].header("via").is_some());
    assert!(plain.requests()[0].header("proxy-authorization").is_none());

    write_record(&broker);
    let without = format!("http://127.0.0.1:{}", proxy.port);
    let wrong = proxy.url("canary-wrong");
    for (routes, proxy_url, status) in [
        (&secure, &wrong, "401"),
        (&secure, &without, "407"),
        (&unencrypted, &wrong, "401"),
        (&unencrypted, &without, "407"),
    ] {
        let (totals, printed) = run(&broker, routes, &[("ALL_PROXY", proxy_url)]).await;
        assert_eq!(totals["deferred"], 1, "{printed}");
        let address = format!("the proxy 127.0.0.1:{}", proxy.port);
        for expected in [status, &address] {
            assert!(printed.contains(expected), "{expected}: {printed}");
        }
    }

    let direct = [variables[0], ("NO_PROXY", "a.example, 0.0.0.0/32")];
    let before = proxy.requests().len();
    for routes in [&secure, &unencrypted] {
        let (totals, printed) = run(&broker, routes, &direct).await;
        assert_eq!(totals["delivered"], 1, "{printed}");
        write_record(&broker);
    }
    assert_eq!((nginx.log().len(), plain.count()), (2, 2));
    assert_eq!(proxy.requests().len(), before);
}
