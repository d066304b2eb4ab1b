//! The sample endpoint as its clients use it: the real program over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod settings;

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use avro::Schema;
use avro::container::{self, Codec};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use testkit::certificates::{Certificate, CertificateAuthority};
use testkit::http::{get, post, send};
use testkit::issuer::seconds_from_now;
use testkit::program::Program;
use testkit::webhook;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_api-avro-sample");

const SCHEMA: &str = include_str!("../../../../schemas/user.avsc");

/// The datum of the tutorial's `{"id":1010,"name":"Paul","email":"paul@bla.com"}`.
const PAUL: &[u8] = b"\xe4\x0f\x08Paul\x18paul@bla.com";

/// A running endpoint.
struct Endpoint {
    program: Program,
    authority: String,
}

impl Endpoint {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("LISTEN", "127.0.0.1:0"),
            ("API_TITLE", "API type A"),
            ("LOG_FORMAT", "text"),
        ];
        all.extend(settings);
        let mut program = Program::start("API", Path::new(PROGRAM), &all, |_| {}).unwrap();
        let authority = program.address().await.unwrap().to_string();
        Self { program, authority }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority)
    }

    async fn post(&self, body: impl Into<Bytes>) -> Response<Bytes> {
        post(&self.url("/"), body).await.unwrap()
    }

    async fn post_with(&self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
        let mut request = Request::post(self.url("/"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(body.into()).unwrap()).await.unwrap()
    }

    async fn records(&self) -> Value {
        json_of(&get(&self.url("/records")).await.unwrap())
    }

    /// Opens a connection and sends these bytes.
    async fn connection(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = TcpStream::connect(&self.authority).await.unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream
    }
}

/// The first bytes of the response.
async fn read_response(mut stream: TcpStream) -> String {
    let mut buffer = [0; 4096];
    let timeout = Duration::from_secs(30);
    let read = tokio::time::timeout(timeout, stream.read(&mut buffer)).await;
    String::from_utf8_lossy(&buffer[..read.unwrap().unwrap()]).into_owned()
}

fn json_of(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn user(id: i32, name: &str) -> Value {
    json!({"id": id, "name": name, "email": "e@bla.com"})
}

fn datum(record: &Value) -> Vec<u8> {
    let schema = Schema::parse(SCHEMA).unwrap();
    schema.from_json(record).unwrap()
}

#[tokio::test]
async fn accepts_the_tutorials_datum_answers_with_the_record_and_logs_it() {
    let mut api = Endpoint::start(&[]).await;
    // As `curl --data-binary @file` sends it.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let response = api.post_with(&form, PAUL).await;
    assert_eq!(response.status(), 200, "{response:?}");
    let paul = json!({"id": 1010, "name": "Paul", "email": "paul@bla.com"});
    assert_eq!(
        json_of(&response),
        json!({"title": "API type A", "accepted": 1, "records": [paul]})
    );
    let shown = api.records().await;
    assert_eq!(shown["received"], 1);
    assert_eq!(shown["records"][0]["record"], paul);
    assert_eq!(shown["records"][0]["bytes"], PAUL.len());
    let line = api
        .program
        .wait_for_line("\"name\":\"Paul\"")
        .await
        .unwrap();
    assert!(line.contains("API type A"), "{line}");
}

#[tokio::test]
async fn the_page_shows_the_newest_record_first_and_escapes_markup() {
    let api = Endpoint::start(&[("API_MAX_RECORDS", "2"), ("API_TITLE", "A <&> B")]).await;
    let page = get(&api.url("/")).await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for name in ["first", "<script>alert(1)</script>", "third"] {
        assert_eq!(api.post(datum(&user(1, name))).await.status(), 200);
    }
    let page = get(&api.url("/")).await.unwrap();
    let page = std::str::from_utf8(page.body()).unwrap();
    assert!(page.contains("A &lt;&amp;&gt; B"));
    assert!(!page.contains("<script>alert"));
    assert!(
        !page.contains("<dd>first</dd>"),
        "only the last two are kept"
    );
    let third = page.find("<dd>third</dd>").unwrap();
    assert!(third < page.find("&lt;script&gt;alert(1)").unwrap());
}

#[tokio::test]
async fn a_repeated_key_has_the_same_response_and_is_counted_once() {
    let api = Endpoint::start(&[]).await;
    let quoted = [("idempotency-key", "\"c/t/0/7\"")];
    let first = api.post_with(&quoted, PAUL).await;
    assert!(first.headers().get("idempotent-replayed").is_none());
    // The same key, quoted as in the specification and bare as most clients send it.
    let bare = [("idempotency-key", "c/t/0/7")];
    for headers in [quoted, bare] {
        let again = api.post_with(&headers, PAUL).await;
        assert_eq!(again.status(), 200);
        assert_eq!(again.body(), first.body());
        assert_eq!(again.headers()["idempotent-replayed"], "true");
    }
    let other = datum(&user(1010, "Another name"));
    let rejected = api.post_with(&bare, other).await;
    assert_eq!(rejected.status(), 422);
    assert_eq!(
        rejected.headers()["content-type"],
        "application/problem+json"
    );
    let shown = api.records().await;
    let count = |name: &str| shown[name].as_u64().unwrap();
    assert_eq!(
        [count("received"), count("repeated"), count("refused")],
        [1, 2, 1]
    );
    assert_eq!(shown["records"][0]["idempotency_key"], "c/t/0/7");
    // Without a key, the same bytes are another record.
    api.post(PAUL).await;
    assert_eq!(api.records().await["received"], 2);
}

#[tokio::test]
async fn a_key_of_a_rejected_request_may_be_used_again() {
    let api = Endpoint::start(&[]).await;
    let key = [("idempotency-key", "k")];
    assert_eq!(api.post_with(&key, &b"\x00"[..]).await.status(), 400);
    assert_eq!(api.post_with(&key, PAUL).await.status(), 200);
}

#[tokio::test]
async fn a_key_is_rejected_while_its_first_request_is_in_progress() {
    let api = Endpoint::start(&[]).await;
    let head = |key: &str| {
        let length = PAUL.len();
        format!(
            "POST / HTTP/1.1\r\nhost: a\r\nidempotency-key: {key}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut slow = api.connection(head("slow")).await;
    let rejected = loop {
        // Until the headers of the slow request are read, this request is the first. Its body is not a datum.
        let response = api
            .post_with(&[("idempotency-key", "slow")], &b"\x00"[..])
            .await;
        if response.status() != 400 {
            break response;
        }
    };
    assert_eq!(rejected.status(), 409);
    slow.write_all(PAUL).await.unwrap();
    let response = read_response(slow).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let again = api.post_with(&[("idempotency-key", "slow")], PAUL).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    // A key is unlocked when its client disconnects.
    drop(api.connection(head("gone")).await);
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let response = api.post_with(&[("idempotency-key", "gone")], PAUL).await;
        match response.status().as_u16() {
            409 if tokio::time::Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            status => break assert_eq!(status, 200),
        }
    }
}

#[tokio::test]
async fn rejects_a_damaged_datum_with_the_reason_and_does_not_count_it() {
    let api = Endpoint::start(&[]).await;
    for length in 0..PAUL.len() {
        let response = api.post(&PAUL[..length]).await;
        assert_eq!(response.status(), 400, "{length} bytes");
    }
    let response = api.post([PAUL, b"\0"].concat()).await;
    assert_eq!(response.status(), 400);
    assert_eq!(json_of(&response)["offset"], PAUL.len());
    let text = "{\"id\":1010,\"name\":\"Paul\",\"email\":\"paul@bla.com\"}";
    let response = api.post(text).await;
    assert_eq!(response.status(), 400);
    let detail = json_of(&response)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("JSON text"), "{detail}");
    // A string that claims 2^62 bytes.
    let claim = b"\xe4\x0f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01";
    let response = api.post(&claim[..]).await;
    assert_eq!(response.status(), 400);
    assert_eq!(json_of(&response)["field"], "name", "{response:?}");
    assert_eq!(api.records().await["received"], 0);
}

/// A container file of these records, with these keys in its metadata.
fn container(codec: Codec, records: &[Value], keys: Option<&str>) -> Vec<u8> {
    let data: Vec<Vec<u8>> = records.iter().map(datum).collect();
    let metadata: Vec<_> = keys
        .iter()
        .map(|keys| ("frontdoor.idempotency-keys", keys.as_bytes()))
        .collect();
    container::write_compressed(codec, SCHEMA, [7; 16], &metadata, &data).unwrap()
}

#[tokio::test]
async fn accepts_a_container_of_many_records_in_every_codec() {
    let api = Endpoint::start(&[]).await;
    let records: Vec<Value> = (0..150).map(|id| user(id, "one of many")).collect();
    for codec in [Codec::Null, Codec::Deflate, Codec::Snappy, Codec::Zstandard] {
        let response = api.post(container(codec, &records, None)).await;
        assert_eq!(response.status(), 200, "{response:?}");
        let json = json_of(&response);
        assert_eq!(json["accepted"], 150);
        // The response repeats the first hundred.
        assert_eq!(json["records"].as_array().unwrap()[..], records[..100]);
    }
    let shown = api.records().await;
    assert_eq!(shown["received"], 600);
    assert_eq!(shown["records"][0]["record"], records[149]);
    assert_eq!(shown["records"][0]["framing"], "container");
}

#[tokio::test]
async fn each_record_of_a_container_is_counted_once_by_its_own_key() {
    let api = Endpoint::start(&[]).await;
    let records = [user(1, "a"), user(2, "b"), user(3, "c")];
    // The second record was sent alone before.
    let alone = api
        .post_with(&[("idempotency-key", "k2")], datum(&records[1]))
        .await;
    assert_eq!(alone.status(), 200);
    let first = api
        .post(container(Codec::Null, &records, Some("k1\nk2\nk3")))
        .await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["frontdoor-records-repeated"], "1");
    assert_eq!(api.records().await["received"], 3);
    // The records are duplicates in another container too.
    let more = [user(3, "c"), user(4, "d"), user(1, "a"), user(4, "d")];
    let again = api
        .post(container(Codec::Deflate, &more, Some("k3\nk4\nk1\nk4")))
        .await;
    assert_eq!(again.headers()["frontdoor-records-repeated"], "3");
    assert!(again.headers().get("idempotent-replayed").is_none());
    let shown = api.records().await;
    assert_eq!(shown["received"], 4);
    assert_eq!(shown["records"][0]["idempotency_key"], "k4");
    let alone = api
        .post_with(&[("idempotency-key", "k4")], datum(&more[1]))
        .await;
    assert_eq!(alone.headers()["idempotent-replayed"], "true");
}

#[tokio::test]
async fn a_container_with_a_request_key_is_counted_once() {
    let api = Endpoint::start(&[]).await;
    let records = [user(1, "a"), user(2, "b")];
    let key = [("idempotency-key", "k1")];
    let body = container(Codec::Null, &records, Some("k1\nk2"));
    for repeated in [None, Some("true"), Some("true")] {
        let response = api.post_with(&key, body.clone()).await;
        assert_eq!(response.status(), 200, "{response:?}");
        let replayed = response.headers().get("idempotent-replayed");
        assert_eq!(replayed.map(|value| value.to_str().unwrap()), repeated);
    }
    assert_eq!(api.records().await["received"], 2);
}

#[tokio::test]
async fn a_container_with_one_malformed_record_or_key_is_rejected_whole() {
    let api = Endpoint::start(&[("MAX_RECORDS", "10")]).await;
    let records = [user(1, "a"), user(2, "b")];
    for (keys, status) in [
        ("k1", 400),
        ("k1\nk2\nk3", 400),
        ("k1\n", 400),
        // Two records cannot share one key.
        ("k1\nk1", 422),
    ] {
        let response = api.post(container(Codec::Null, &records, Some(keys))).await;
        assert_eq!(response.status(), status, "{keys:?}: {response:?}");
    }
    let whole = container(Codec::Null, &records, None);
    for length in 4..whole.len() {
        let response = api.post(whole[..length].to_vec()).await;
        // A file that is truncated after its header is a container without records.
        if response.status() == 200 {
            assert_eq!(
                json_of(&response)["accepted"],
                0,
                "{length} of {} bytes",
                whole.len()
            );
        } else {
            assert_eq!(response.status(), 400, "{length} of {} bytes", whole.len());
        }
    }
    let many: Vec<Value> = (0..11).map(|id| user(id, "x")).collect();
    let response = api.post(container(Codec::Null, &many, None)).await;
    assert_eq!(response.status(), 413);
    assert_eq!(api.records().await["received"], 0);
    let response = api
        .post(container(Codec::Null, &records, Some("k1\nk2")))
        .await;
    assert_eq!(response.status(), 200, "a rejected key is not kept");
}

#[tokio::test]
async fn rejects_a_body_over_the_limit_with_and_without_a_length() {
    let api = Endpoint::start(&[("MAX_BODY", "1KiB")]).await;
    let response = api.post(vec![b'x'; 1025]).await;
    assert_eq!(response.status(), 413);
    let detail = json_of(&response)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("1024 bytes"), "{detail}");
    let body = "x".repeat(1025);
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n401\r\n{body}\r\n0\r\n\r\n"
    );
    let response = read_response(api.connection(chunked).await).await;
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
    let response = api.post(datum(&user(1, "the next one"))).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn rejects_malformed_requests_and_serves_the_next_one() {
    let api = Endpoint::start(&[]).await;
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    let long_name = format!("GET / HTTP/1.1\r\n{}: y\r\n\r\n", "x".repeat(70_000));
    let long_line = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(5_000));
    for (request, status) in [
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("\0\0\0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nx: \0\r\n\r\n", 400),
        (&long, 431),
        (&long_name, 431),
        (&long_line, 431),
        (&many, 431),
        ("POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            400,
        ),
    ] {
        let response = read_response(api.connection(request).await).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}")),
            "{response}"
        );
    }
    for (header, status) in [
        (("idempotency-key", "\"open"), 400),
        (("idempotency-key", ""), 400),
        (("content-encoding", "gzip"), 415),
    ] {
        let response = api.post_with(&[header], PAUL).await;
        assert_eq!(response.status(), status, "{header:?}");
    }
    assert_eq!(api.post(PAUL).await.status(), 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_with_the_known_ones() {
    let api = Endpoint::start(&[]).await;
    assert_eq!(get(&api.url("/nothing")).await.unwrap().status(), 404);
    assert_eq!(get(&api.url("/health")).await.unwrap().status(), 200);
    let request = Request::delete(api.url("/")).body(Bytes::new()).unwrap();
    let response = send(request).await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD, POST");
    let response = post(&api.url("/records"), PAUL).await.unwrap();
    assert_eq!(response.headers()["allow"], "GET, HEAD");
}

#[tokio::test]
async fn a_token_protects_posting_and_reading() {
    // As a file with a final newline gives it.
    let mut api = Endpoint::start(&[("CALLER_TOKENS", "s3cret-token\n")]).await;
    let rejected = api.post(PAUL).await;
    assert_eq!(rejected.status(), 401);
    let scheme = rejected.headers()["www-authenticate"].to_str().unwrap();
    assert!(scheme.starts_with("Bearer "), "{scheme}");
    let wrong = [("authorization", "Bearer s3cret-tokem")];
    assert_eq!(api.post_with(&wrong, PAUL).await.status(), 401);
    let right = [("authorization", "Bearer s3cret-token")];
    assert_eq!(api.post_with(&right, PAUL).await.status(), 200);
    for path in ["/", "/records"] {
        assert_eq!(get(&api.url(path)).await.unwrap().status(), 401, "{path}");
        // A browser sends user and password: base64 of "me:s3cret-token".
        let request = Request::get(api.url(path))
            .header("authorization", "Basic bWU6czNjcmV0LXRva2Vu")
            .body(Bytes::new())
            .unwrap();
        assert_eq!(send(request).await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(get(&api.url("/health")).await.unwrap().status(), 200);
    api.program.wait_for_line("record received").await.unwrap();
    let log = api.program.log();
    assert!(!log.contains("s3cret"), "{log}");
}

#[tokio::test]
async fn a_refused_caller_receives_only_the_status_and_a_signed_request_is_accepted() {
    const SECRET: &[u8] = b"a secret of at least 24 bytes";
    let secret = webhook::secret(SECRET);
    let api = Endpoint::start(&[("CALLER_WEBHOOK_SECRETS", &secret)]).await;
    let now = seconds_from_now(0).unwrap();
    let sign = |body: &[u8]| webhook::headers(SECRET, "msg_1", now, body).unwrap();
    let signed = sign(PAUL);
    let headers = signed.each_ref().map(|(name, value)| (*name, &**value));
    assert_eq!(api.post_with(&headers, PAUL).await.status(), 200);
    for body in [&b"other"[..], b"", &[PAUL, b"\0"].concat()] {
        let refused = api.post_with(&headers, body.to_vec()).await;
        assert_eq!(refused.status(), 401);
        assert_eq!(
            json_of(&refused)["detail"],
            "The request has no credentials that this service accepts."
        );
    }
    // Neither the body nor another header is judged.
    let encoded = [("content-encoding", "gzip"), ("idempotency-key", "\"")];
    assert_eq!(api.post_with(&encoded, "x").await.status(), 401);
    assert_eq!(get(&api.url("/records")).await.unwrap().status(), 401);
    let request = (sign(b"").iter()).fold(
        Request::get(api.url("/records")),
        |request, (name, value)| request.header(*name, value),
    );
    let records = send(request.body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(json_of(&records)["received"], 1);
}

#[tokio::test]
async fn a_client_certificate_authenticates_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    let authority = CertificateAuthority::new("authority").unwrap();
    let ca = folder.path().join("ca.pem").display().to_string();
    std::fs::write(&ca, authority.pem().unwrap()).unwrap();
    let server = authority.server("endpoint").unwrap();
    let api = Endpoint::start(&[
        ("LISTEN_SSL_CERTIFICATE", &server.pem().unwrap()),
        ("LISTEN_SSL_KEY", &server.key_pem().unwrap()),
        ("LISTEN_SSL_CA_LOCATION", &ca),
        ("CALLER_SSL_NAMES", "job.example"),
    ])
    .await;
    let client = |dns| authority.client("x", dns, "spiffe://example/x").unwrap();
    let status = |client: Option<&Certificate>, path: &str| {
        let mut stream = authority.connect(&api.authority, client).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[9..]).into_owned()
    };
    assert_eq!(status(Some(&client("job.example")), "/records"), "200");
    assert_eq!(status(Some(&client("x.example")), "/records"), "403");
    assert_eq!(status(None, "/records"), "401");
    assert_eq!(status(None, "/health"), "200");
}

#[tokio::test]
async fn finishes_the_request_in_flight_after_sigterm() {
    let api = Endpoint::start(&[]).await;
    let length = PAUL.len();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    let mut slow = api.connection(head).await;
    // Connections are accepted in order. After this response, the slow request is being served.
    assert_eq!(get(&api.url("/health")).await.unwrap().status(), 200);
    let Endpoint {
        mut program,
        authority,
    } = api;
    program.terminate();
    program.wait_for_line("shutting down").await.unwrap();
    let late = TcpStream::connect(&authority).await;
    assert!(late.is_err(), "it still accepts connections");
    slow.write_all(PAUL).await.unwrap();
    let response = read_response(slow).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(program.wait().await.unwrap().success());
}
