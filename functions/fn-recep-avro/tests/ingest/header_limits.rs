//! Header sections that are too large. Every client chooses its headers, and fnserver kills a container that responds with
//! a status other than 200, 502 and 504.

use std::time::Duration;

use serde_json::Value;
use testkit::agent::{Agent, Call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::avro_bytes::{paul, user};
use super::fixture::{Fixture, expect_status, values};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A call as Go's HTTP client writes it: `Host`, `Transfer-Encoding`, then the other fields in the order of their names.
fn call(client: &[(String, String)]) -> Vec<u8> {
    let mut fields: Vec<(String, String)> = client.to_vec();
    for (name, value) in [
        ("Accept-Encoding", "gzip"),
        ("Fn-Call-Id", "01DWCALL000000000000000009"),
        ("Fn-Deadline", "2999-01-01T00:00:00Z"),
        ("Fn-Http-Method", "POST"),
        ("Fn-Http-Request-Url", "http://localhost/t/demo/ingest"),
        ("Fn-Intent", "httprequest"),
    ] {
        fields.push((name.to_owned(), value.to_owned()));
    }
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    let mut bytes =
        b"POST /call HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n".to_vec();
    for (name, value) in fields {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    bytes.extend(b"\r\n");
    bytes
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in body.chunks(32 * 1024) {
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// Reads one response that has a `Content-Length`.
async fn response<S: AsyncReadExt + Unpin>(stream: &mut S) -> (String, Vec<u8>) {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        (head, body)
    };
    timeout(TIMEOUT, read).await.expect("no response")
}

/// Header fields that a client can send through fnserver, which accepts 1 MiB of them and adds a prefix to each name.
fn oversized() -> Vec<(&'static str, Vec<(String, String)>)> {
    let many = |count: usize| {
        (0..count)
            .map(|number| (format!("Fn-Http-H-X-{number}"), "v".to_owned()))
            .collect()
    };
    vec![
        ("1,100 fields", many(1_100)),
        ("30,000 fields, more than a HeaderMap holds", many(30_000)),
        (
            "a field of one name 250,000 times, 3.7 MB in all",
            vec![("Fn-Http-H-A".to_owned(), "v".to_owned()); 250_000],
        ),
        (
            "a value of 3 MB",
            vec![("Fn-Http-H-A".to_owned(), "v".repeat(3_000_000))],
        ),
        (
            "a name of 64 KiB",
            vec![(format!("Fn-Http-H-{}", "a".repeat(65_536)), "v".to_owned())],
        ),
        (
            "a name of 900 kB",
            vec![(format!("Fn-Http-H-{}", "a".repeat(900_000)), "v".to_owned())],
        ),
    ]
}

#[tokio::test]
async fn an_oversized_header_section_is_a_431_within_fns_contract() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for (name, fields) in oversized() {
        let mut stream = UnixStream::connect(function.socket()).await.unwrap();
        // fnserver reuses its connection, and it is still sending the body when the header section is rejected.
        for body in [paul(), vec![b'x'; 300_000]] {
            let write = async {
                stream.write_all(&call(&fields)).await?;
                stream.write_all(&chunked(&body)).await
            };
            timeout(TIMEOUT, write).await.unwrap().expect(name);
            let (head, body) = response(&mut stream).await;
            assert!(head.starts_with("http/1.1 200 "), "{name}: {head}");
            assert!(
                head.contains("\r\nfn-http-status: 431\r\n"),
                "{name}: {head}"
            );
            assert!(
                head.contains("\r\ncontent-type: application/problem+json\r\n"),
                "{name}: {head}"
            );
            let problem: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["status"], 431);
            assert_eq!(
                problem["type"],
                "urn:problem-type:frontdoor:header-fields-too-large"
            );
            assert_eq!(problem["call_id"], "01DWCALL000000000000000009");
        }
        stream.write_all(&call(&[])).await.unwrap();
        stream
            .write_all(&chunked(&user(1, "n", "e")))
            .await
            .unwrap();
        let (head, _) = response(&mut stream).await;
        assert!(
            head.contains("\r\nfn-http-status: 202\r\n"),
            "{name}: {head}"
        );
    }
    assert_eq!(
        values(&fixture.stored()),
        vec![user(1, "n", "e"); oversized().len()]
    );
    assert!(function.peak_memory().unwrap() < 60_000_000);
    expect_status(&mut function, paul(), 202).await;
}

async fn status_with(function: &mut Agent, fields: usize) -> u16 {
    let mut call = Call::http("POST", "/", paul());
    for number in 0..fields {
        call = call.header(&format!("x-{number}"), "v");
    }
    function.call(call).await.unwrap().status
}

#[tokio::test]
async fn accepts_a_thousand_header_fields_and_rejects_more() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    assert_eq!(status_with(&mut function, 1_000).await, 202);
    for more in [1_025, 5_000] {
        assert_eq!(status_with(&mut function, more).await, 431, "{more}");
    }
    assert_eq!(status_with(&mut function, 0).await, 202);
}
