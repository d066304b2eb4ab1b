//! A broker, the binary in each of its hosts, and requests for all of them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use testkit::agent::{Agent, Call};
use testkit::broker::Broker;
use testkit::program;
use testkit::records::{self, StoredRecord};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The binary that cargo built, or the one that FRONTDOOR_FUNCTION names, such as one from an image or a package.
pub(crate) fn binary() -> &'static Path {
    static NAMED: OnceLock<Option<PathBuf>> = OnceLock::new();
    NAMED
        .get_or_init(|| std::env::var_os("FRONTDOOR_FUNCTION").map(PathBuf::from))
        .as_deref()
        .unwrap_or(Path::new(env!("CARGO_BIN_EXE_fn-recep-avro")))
}

/// A client's request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn post(body: impl Into<Bytes>) -> Self {
        Self {
            method: "POST".to_owned(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// As a call through Fn's trigger or gateway.
    pub(crate) fn through_gateway(&self) -> Call {
        self.call(Call::http(&self.method, "/ingest", self.body.clone()))
    }

    /// As a call by `fn invoke`.
    pub(crate) fn invoked(&self) -> Call {
        self.call(Call::direct(self.body.clone()))
    }

    fn call(&self, call: Call) -> Call {
        self.headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value))
    }
}

/// The response that the client receives.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }
}

impl From<testkit::agent::Reply> for Reply {
    fn from(reply: testkit::agent::Reply) -> Self {
        assert_eq!(reply.outer, 200, "{reply:?}");
        Self {
            status: reply.status,
            headers: reply.headers,
            body: reply.body,
        }
    }
}

/// A broker with one topic, `ingest`, of three partitions.
pub(crate) struct Fixture {
    pub(crate) broker: Broker,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic("ingest", 3).unwrap();
        Self { broker }
    }

    /// The settings of a function that publishes to `topic`.
    pub(crate) fn settings<'a>(&'a self, topic: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![
            ("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap()),
            ("KAFKA_TOPIC", topic),
            ("LOG_LEVEL", "info"),
        ]
    }

    /// A function in an Fn container.
    pub(crate) async fn function(&self) -> Agent {
        self.function_with(&[]).await
    }

    pub(crate) async fn function_with(&self, more: &[(&'static str, &str)]) -> Agent {
        let mut settings = self.settings("ingest");
        settings.extend_from_slice(more);
        Agent::start(binary(), &settings).await.unwrap()
    }

    pub(crate) fn stored(&self) -> Vec<StoredRecord> {
        self.stored_in("ingest")
    }

    pub(crate) fn stored_in(&self, topic: &str) -> Vec<StoredRecord> {
        records::all(self.broker.bootstrap(), topic).unwrap()
    }
}

/// Calls a function in an Fn container with a datum, and asserts the status of its response.
pub(crate) async fn expect_status(
    function: &mut Agent,
    datum: impl Into<Bytes>,
    status: u16,
) -> testkit::agent::Reply {
    let reply = function.call(Call::direct(datum)).await.unwrap();
    assert_eq!(reply.status, status, "{reply:?}\n{}", function.log());
    reply
}

/// The values of a topic in an order that does not depend on partitions.
pub(crate) fn values(stored: &[StoredRecord]) -> Vec<Vec<u8>> {
    let mut values: Vec<_> = stored
        .iter()
        .map(|message| message.value.clone().unwrap())
        .collect();
    values.sort();
    values
}

/// A function that listens on a TCP port.
pub(crate) struct Plain {
    child: Child,
    folder: TempDir,
    pub(crate) address: String,
}

impl Plain {
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(binary());
        command
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("LOG_FORMAT", "json")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        let child = program::spawn(|| command.spawn()).unwrap();
        let mut plain = Self {
            child,
            folder,
            address: String::new(),
        };
        let end = Instant::now() + Duration::from_secs(20);
        while plain.address.is_empty() {
            assert!(Instant::now() < end, "not listening:\n{}", plain.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
            plain.address = plain.bound().unwrap_or_default();
        }
        plain
    }

    fn bound(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("\"listening\""))?;
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(line["address"].as_str()?.to_owned())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let wait = self.child.wait();
        let status = tokio::time::timeout(Duration::from_secs(30), wait).await;
        status.expect("the process did not end").unwrap().code()
    }

    pub(crate) async fn call(&self, request: &Request) -> Reply {
        self.call_path("/", request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call_path(path, &Request::post("").method("GET")).await
    }

    pub(crate) async fn call_path(&self, path: &str, request: &Request) -> Reply {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut outer = http::Request::builder()
            .method(request.method.as_str())
            .uri(path)
            .header("host", &self.address);
        for (name, value) in &request.headers {
            outer = outer.header(name, value);
        }
        let outer = outer.body(Full::new(request.body.clone())).unwrap();
        let answer =
            tokio::time::timeout(Duration::from_secs(60), sender.send_request(outer)).await;
        let (head, body) = answer
            .unwrap_or_else(|_| panic!("no answer:\n{}", self.log()))
            .unwrap()
            .into_parts();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }
}
