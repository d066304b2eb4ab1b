//! The sample endpoint as its callers meet it: the real program, over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod settings;

use std::path::Path;
use std::time::Duration;

use avro::Schema;
use avro::container::{self, Codec};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use testkit::http::{get, post, send};
use testkit::program::Program;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_api-avro-sample");

const SCHEMA: &str = include_str!("../../../../schemas/user.avsc");

/// The tutorial's `{"id":1010,"name":"Paul","email":"paul@bla.com"}`, byte by byte.
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

    /// A connection that has sent these bytes.
    async fn connection(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = TcpStream::connect(&self.authority).await.unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream
    }
}

/// The first bytes that come back, within half a minute.
async fn hear(mut stream: TcpStream) -> String {
    let mut buffer = [0; 4096];
    let patience = Duration::from_secs(30);
    let heard = tokio::time::timeout(patience, stream.read(&mut buffer)).await;
    String::from_utf8_lossy(&buffer[..heard.unwrap().unwrap()]).into_owned()
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
async fn takes_the_tutorials_datum_says_what_it_understood_and_logs_it() {
    let mut api = Endpoint::start(&[]).await;
    // As `curl --data-binary @file` sends it.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = api.post_with(&form, PAUL).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let paul = json!({"id": 1010, "name": "Paul", "email": "paul@bla.com"});
    assert_eq!(
        json_of(&answer),
        json!({"title": "API type A", "understood": 1, "records": [paul]})
    );
    let shown = api.records().await;
    assert_eq!(shown["received"], 1);
    assert_eq!(shown["records"][0]["record"], paul);
    assert_eq!(shown["records"][0]["bytes"], PAUL.len());
    let line = api.program.line_with("\"name\":\"Paul\"").await.unwrap();
    assert!(line.contains("API type A"), "{line}");
}

#[tokio::test]
async fn the_page_shows_the_newest_first_and_never_as_markup() {
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
async fn a_repeated_key_is_answered_as_before_and_counted_once() {
    let api = Endpoint::start(&[]).await;
    let quoted = [("idempotency-key", "\"c/t/0/7\"")];
    let first = api.post_with(&quoted, PAUL).await;
    assert!(first.headers().get("idempotent-replayed").is_none());
    // The same key, as the specification and as most clients write it.
    let bare = [("idempotency-key", "c/t/0/7")];
    for headers in [quoted, bare] {
        let again = api.post_with(&headers, PAUL).await;
        assert_eq!(again.status(), 200);
        assert_eq!(again.body(), first.body());
        assert_eq!(again.headers()["idempotent-replayed"], "true");
    }
    let other = datum(&user(1010, "Somebody else"));
    let refused = api.post_with(&bare, other).await;
    assert_eq!(refused.status(), 422);
    assert_eq!(
        refused.headers()["content-type"],
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
async fn a_key_that_was_refused_may_be_used_again() {
    let api = Endpoint::start(&[]).await;
    let key = [("idempotency-key", "k")];
    assert_eq!(api.post_with(&key, &b"\x00"[..]).await.status(), 400);
    assert_eq!(api.post_with(&key, PAUL).await.status(), 200);
}

#[tokio::test]
async fn a_key_is_refused_while_its_first_request_is_under_way() {
    let api = Endpoint::start(&[]).await;
    let head = |key: &str| {
        let length = PAUL.len();
        format!(
            "POST / HTTP/1.1\r\nhost: a\r\nidempotency-key: {key}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut slow = api.connection(head("slow")).await;
    let refused = loop {
        // Until the slow request's headers are read, this one comes first and is no datum.
        let answer = api
            .post_with(&[("idempotency-key", "slow")], &b"\x00"[..])
            .await;
        if answer.status() != 400 {
            break answer;
        }
    };
    assert_eq!(refused.status(), 409);
    slow.write_all(PAUL).await.unwrap();
    let answer = hear(slow).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let again = api.post_with(&[("idempotency-key", "slow")], PAUL).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    // A client that goes away in the middle no longer holds its key.
    drop(api.connection(head("gone")).await);
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let answer = api.post_with(&[("idempotency-key", "gone")], PAUL).await;
        match answer.status().as_u16() {
            409 if tokio::time::Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            status => break assert_eq!(status, 200),
        }
    }
}

#[tokio::test]
async fn every_damage_to_a_datum_is_refused_with_its_reason_and_counted_nowhere() {
    let api = Endpoint::start(&[]).await;
    for length in 0..PAUL.len() {
        let answer = api.post(&PAUL[..length]).await;
        assert_eq!(answer.status(), 400, "{length} bytes");
    }
    let answer = api.post([PAUL, b"\0"].concat()).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(json_of(&answer)["offset"], PAUL.len());
    let text = "{\"id\":1010,\"name\":\"Paul\",\"email\":\"paul@bla.com\"}";
    let answer = api.post(text).await;
    assert_eq!(answer.status(), 400);
    let detail = json_of(&answer)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("JSON text"), "{detail}");
    // A string that claims 2^62 bytes.
    let claim = b"\xe4\x0f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01";
    let answer = api.post(&claim[..]).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(json_of(&answer)["field"], "name", "{answer:?}");
    assert_eq!(api.records().await["received"], 0);
}

/// A container file of these records, each with its key.
fn container(codec: Codec, records: &[Value], keys: Option<&str>) -> Vec<u8> {
    let data: Vec<Vec<u8>> = records.iter().map(datum).collect();
    let metadata: Vec<_> = keys
        .iter()
        .map(|keys| ("frontdoor.idempotency-keys", keys.as_bytes()))
        .collect();
    container::write_compressed(codec, SCHEMA, [7; 16], &metadata, &data).unwrap()
}

#[tokio::test]
async fn takes_a_container_of_many_records_in_every_codec() {
    let api = Endpoint::start(&[]).await;
    let records: Vec<Value> = (0..150).map(|id| user(id, "one of many")).collect();
    for codec in [Codec::Null, Codec::Deflate, Codec::Snappy, Codec::Zstandard] {
        let answer = api.post(container(codec, &records, None)).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        let json = json_of(&answer);
        assert_eq!(json["understood"], 150);
        // The answer repeats the first hundred.
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
    // The second record was delivered alone before.
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
    // The same records in another company are the same records.
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
async fn a_container_with_a_key_of_its_own_is_counted_once_whatever_its_records_are_called() {
    let api = Endpoint::start(&[]).await;
    let records = [user(1, "a"), user(2, "b")];
    let key = [("idempotency-key", "k1")];
    let body = container(Codec::Null, &records, Some("k1\nk2"));
    for repeated in [None, Some("true"), Some("true")] {
        let answer = api.post_with(&key, body.clone()).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        let told = answer.headers().get("idempotent-replayed");
        assert_eq!(told.map(|value| value.to_str().unwrap()), repeated);
    }
    assert_eq!(api.records().await["received"], 2);
}

#[tokio::test]
async fn a_container_with_one_bad_record_or_key_leaves_nothing_behind() {
    let api = Endpoint::start(&[("MAX_RECORDS", "10")]).await;
    let records = [user(1, "a"), user(2, "b")];
    for (keys, status) in [
        ("k1", 400),
        ("k1\nk2\nk3", 400),
        ("k1\n", 400),
        // Two records cannot share one key.
        ("k1\nk1", 422),
    ] {
        let answer = api.post(container(Codec::Null, &records, Some(keys))).await;
        assert_eq!(answer.status(), status, "{keys:?}: {answer:?}");
    }
    let whole = container(Codec::Null, &records, None);
    for length in 4..whole.len() {
        let answer = api.post(whole[..length].to_vec()).await;
        // What ends after its header is a container of no records.
        if answer.status() == 200 {
            assert_eq!(
                json_of(&answer)["understood"],
                0,
                "{length} of {} bytes",
                whole.len()
            );
        } else {
            assert_eq!(answer.status(), 400, "{length} of {} bytes", whole.len());
        }
    }
    let many: Vec<Value> = (0..11).map(|id| user(id, "x")).collect();
    let answer = api.post(container(Codec::Null, &many, None)).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(api.records().await["received"], 0);
    let answer = api
        .post(container(Codec::Null, &records, Some("k1\nk2")))
        .await;
    assert_eq!(answer.status(), 200, "no refused key is remembered");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let api = Endpoint::start(&[("MAX_BODY", "1KiB")]).await;
    let answer = api.post(vec![b'x'; 1025]).await;
    assert_eq!(answer.status(), 413);
    let detail = json_of(&answer)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("1024 bytes"), "{detail}");
    let body = "x".repeat(1025);
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n401\r\n{body}\r\n0\r\n\r\n"
    );
    let said = hear(api.connection(chunked).await).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    let answer = api.post(datum(&user(1, "the next one"))).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn hostile_requests_are_refused_and_the_next_one_is_served() {
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
        let said = hear(api.connection(request).await).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
    }
    for (header, status) in [
        (("idempotency-key", "\"open"), 400),
        (("idempotency-key", ""), 400),
        (("content-encoding", "gzip"), 415),
    ] {
        let answer = api.post_with(&[header], PAUL).await;
        assert_eq!(answer.status(), status, "{header:?}");
    }
    assert_eq!(api.post(PAUL).await.status(), 200);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_say_which_are() {
    let api = Endpoint::start(&[]).await;
    assert_eq!(get(&api.url("/nothing")).await.unwrap().status(), 404);
    assert_eq!(get(&api.url("/health")).await.unwrap().status(), 200);
    let request = Request::delete(api.url("/")).body(Bytes::new()).unwrap();
    let answer = send(request).await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET, HEAD, POST");
    let answer = post(&api.url("/records"), PAUL).await.unwrap();
    assert_eq!(answer.headers()["allow"], "GET, HEAD");
}

#[tokio::test]
async fn with_a_token_nobody_else_delivers_or_looks() {
    // As a file with a final newline gives it.
    let mut api = Endpoint::start(&[("API_TOKEN", "s3cret-token\n")]).await;
    let refused = api.post(PAUL).await;
    assert_eq!(refused.status(), 401);
    let scheme = refused.headers()["www-authenticate"].to_str().unwrap();
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
    api.program.line_with("received").await.unwrap();
    let log = api.program.log();
    assert!(!log.contains("s3cret"), "{log}");
}

#[tokio::test]
async fn told_to_end_it_finishes_the_request_under_way() {
    let api = Endpoint::start(&[]).await;
    let length = PAUL.len();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    let mut slow = api.connection(head).await;
    // Connections are taken in order: once this is answered, the slow one is being served.
    assert_eq!(get(&api.url("/health")).await.unwrap().status(), 200);
    let Endpoint {
        mut program,
        authority,
    } = api;
    program.terminate();
    program.line_with("ending").await.unwrap();
    let late = TcpStream::connect(&authority).await;
    assert!(late.is_err(), "it still takes connections");
    slow.write_all(PAUL).await.unwrap();
    let answer = hear(slow).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(program.ended().await.unwrap().success());
}
