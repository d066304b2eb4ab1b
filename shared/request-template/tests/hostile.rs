#![allow(clippy::unwrap_used)] // A test fails by panicking.

//! Values that try to change the form of a request, and what a socket receives of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use avro::Schema;
use bytes::Bytes;
use delivery::request::{FixedShape, Json};
use delivery::{Completion, Delivery, DeliveryConfig, DeliveryOutcome, EndpointConfig};
use http::Method;
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use record::{Coordinates, Message, StreamId};
use request_template::{RequestTemplate, Template, UrlTemplate};
use serde_json::{Value, json};

const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"path","type":"string"},{"name":"part","type":"string"},{"name":"query","type":"string"},
    {"name":"header","type":"string"},{"name":"body","type":"string"}]}"#;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Values that end a segment, a query, a header or a request, if they are not encoded.
const HOSTILE: [&str; 34] = [
    "\r\n",
    "\r\nX-Other: 1",
    "\n",
    "\r",
    "\0",
    "../",
    "..",
    ".",
    "..\\",
    "..;a",
    "%2e%2e",
    "%2e%2e%2f",
    "%2F",
    "%00",
    "%0d%0a",
    "%",
    "?",
    "?admin=1",
    "#",
    "@host",
    "//host/",
    "http://host/",
    " HTTP/1.1\r\nHost: x\r\n\r\nGET /admin",
    "&",
    "=",
    "+",
    ";",
    " ",
    "\t",
    "\u{7f}",
    "\u{85}",
    "é",
    "\u{202e}𝒳",
    "a",
];

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::collection::vec(prop::sample::select(HOSTILE.to_vec()), 0..4).prop_map(|parts| parts.concat()),
        2 => ".{0,20}",
        4 => "[a-z]{1,8}",
        1 => prop::sample::select(HOSTILE.to_vec()).prop_map(|part| part.repeat(100_000 / part.len())),
    ]
}

/// An endpoint that reads requests as bytes, and a delivery to it.
struct Stage {
    delivery: Delivery,
    completions: Receiver<Vec<Completion>>,
    requests: Receiver<Vec<u8>>,
    host: String,
    schema: Schema,
}

impl Stage {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (received, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                received.send(read(stream.unwrap())).unwrap();
            }
        });
        let schema = Schema::parse(SCHEMA).unwrap();
        let template = |text: &str| Template::parse(text, |text| Ok(text.to_owned())).unwrap();
        let url = template(&format!(
            "http://{host}/first/{{path}}/v-{{part}}.x?q={{query}}&key={{kafka.key}}&end"
        ));
        let tombstones = template(&format!("http://{host}/first/{{kafka.key}}/last"));
        let request = RequestTemplate {
            url: Some(UrlTemplate::new(url).unwrap()),
            headers: vec![("x-value".parse().unwrap(), template("<{header}>"))],
            body: Some("{'z': body, 'a': [kafka.key, header]}".to_owned()),
            tombstones: Some(UrlTemplate::new(tombstones).unwrap()),
        };
        let request = request.compile(&schema).unwrap();
        let endpoint = EndpointConfig {
            shape: request.shape(Arc::new(FixedShape(Method::PUT))),
            format: Arc::new(Json::new(request.body().unwrap())),
            ..EndpointConfig::new("A", format!("http://{host}/first/"))
        };
        let config = DeliveryConfig {
            endpoints: vec![endpoint],
            queue_bytes: DeliveryConfig::QUEUE_BYTES,
            stream: StreamId {
                cluster: "c".to_owned(),
                topic: "t".to_owned(),
            },
            seed: 1,
            observer: None,
        };
        let (sender, completions) = channel();
        Self {
            delivery: Delivery::start(config, sender).unwrap(),
            completions,
            requests,
            host,
            schema,
        }
    }

    /// The bytes of the request for a record; `None` if it has none, with the reason.
    fn deliver(&self, value: Option<&Value>, key: &str) -> Result<String, String> {
        let datum = value.map(|value| Bytes::from(self.schema.from_json(value).unwrap()));
        let message = Message {
            at: Coordinates {
                topic: "orders".into(),
                partition: 0,
                offset: 7,
            },
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: datum,
            payload: None,
            origin: None,
            headers: Vec::new(),
            timestamp: None,
            client_key: None,
        };
        self.delivery.offer(0, message).unwrap();
        match &self.completions.recv_timeout(TIMEOUT).unwrap()[0].outcome {
            DeliveryOutcome::Delivered(_) => {
                let request = self.requests.recv_timeout(TIMEOUT).unwrap();
                Ok(String::from_utf8(request).unwrap())
            }
            DeliveryOutcome::Rejected { status, reason } => {
                assert_eq!(*status, None);
                assert!(self.requests.try_recv().is_err(), "a request was sent");
                Err(reason.clone())
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Everything that a client sends: one request, the body of which is complete when its length is read. The connection is
/// closed after the response, so that bytes of a second request are part of the text.
fn read(mut stream: TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                break;
            }
        }
        assert!(count > 0, "an incomplete request");
    }
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(response).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The parts of a request.
struct Request<'r> {
    method: &'r str,
    segments: Vec<String>,
    query: Option<Vec<(String, String)>>,
    headers: Vec<(&'r str, &'r str)>,
    body: &'r str,
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

fn parse(text: &str) -> Request<'_> {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.bytes()
            .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n'))
    );
    let mut lines = head.split("\r\n");
    let line: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let [method, target, version] = line[..] else {
        panic!("{line:?}")
    };
    assert_eq!(version, "HTTP/1.1");
    assert!(target.len() <= 8_192 && target.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!target.contains('#'));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        assert!(!value.contains(['=', '?', '+']), "{value}");
        (decode(name), decode(value))
    };
    Request {
        method,
        segments: path.split('/').skip(1).map(decode).collect(),
        query: query.map(|query| query.split('&').map(pair).collect()),
        headers: lines.map(|line| line.split_once(": ").unwrap()).collect(),
        body,
    }
}

/// A value that may be a segment, alone or in text without dots at its ends.
fn is_step(value: &str) -> bool {
    let mut steps = value.split(['/', '\\']);
    steps.any(|step| matches!(step.split(';').next(), Some("." | "..")))
}

fn may_be_header(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn no_value_changes_the_form_of_a_request(
        path in hostile(), part in hostile(), query in hostile(), header in hostile(), body in hostile(), key in hostile(),
    ) {
        let stage = Stage::start();
        let value = json!({"path": path, "part": part, "query": query, "header": header, "body": body});
        match stage.deliver(Some(&value), &key) {
            Ok(text) => {
                let request = parse(&text);
                prop_assert_eq!(request.method, "PUT");
                prop_assert!(!request.segments.iter().any(|segment| is_step(segment)));
                prop_assert_eq!(&request.segments, &["first".to_owned(), path.clone(), format!("v-{part}.x")]);
                let pairs = [("q", &*query), ("key", &key), ("end", "")];
                let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
                prop_assert_eq!(request.query.unwrap(), pairs.to_vec());
                let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
                names.sort_unstable();
                let expected = ["content-length", "content-type", "host", "idempotency-key", "user-agent", "x-value"];
                prop_assert_eq!(names, expected);
                for (name, value) in request.headers {
                    match name {
                        "x-value" => prop_assert_eq!(value, format!("<{header}>")),
                        "host" => prop_assert_eq!(value, &stage.host),
                        _ => {}
                    }
                }
                let expected = json!({"z": body, "a": [key, header]});
                prop_assert_eq!(request.body, expected.to_string());
            }
            Err(reason) => {
                let is_long = [&path, &part, &query, &key, &header].iter().any(|value| value.len() > 2_000);
                let is_invalid = path.is_empty() || is_step(&path) || is_step(&format!("v-{part}.x")) || !may_be_header(&header);
                prop_assert!(is_long || is_invalid, "{}", reason);
            }
        }
    }

    #[test]
    fn no_key_changes_the_form_of_a_deletion(key in hostile()) {
        let stage = Stage::start();
        match stage.deliver(None, &key) {
            Ok(text) => {
                let request = parse(&text);
                prop_assert_eq!(request.method, "DELETE");
                prop_assert!(!is_step(&key));
                prop_assert_eq!(&request.segments, &["first".to_owned(), key, "last".to_owned()]);
                prop_assert!(request.query.is_none() && request.body.is_empty());
                let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
                prop_assert_eq!(names, ["host", "user-agent", "idempotency-key"]);
            }
            Err(_) => prop_assert!(key.is_empty() || is_step(&key) || key.len() > 2_000),
        }
    }
}

#[test]
fn each_hostile_value_alone_has_a_request_or_none() {
    let stage = Stage::start();
    for value in HOSTILE {
        for name in ["path", "part", "query", "header", "body"] {
            let mut record =
                json!({"path": "p", "part": "p", "query": "p", "header": "p", "body": "p"});
            record[name] = value.into();
            let is_expected = match name {
                "path" => !is_step(value),
                "part" => !is_step(&format!("v-{value}.x")),
                "header" => may_be_header(value),
                _ => true,
            };
            let request = stage.deliver(Some(&record), "k");
            assert_eq!(
                request.is_ok(),
                is_expected,
                "{name} {value:?}: {request:?}"
            );
        }
    }
}
