//! Validates the problem documents of the sample endpoint against the schema in docs/schemas.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request};
use testkit::http::send;
use testkit::program::Program;
use testkit::schemas;

#[tokio::test]
async fn problem_documents_are_valid() {
    let settings = [
        ("LISTEN", "127.0.0.1:0"),
        ("CALLER_TOKENS", "s3cret"),
        ("MAX_BODY", "1000B"),
        ("LOG_FORMAT", "text"),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_api-avro-sample"));
    let mut program = Program::start("API", program, &settings, |_| {}).unwrap();
    let address = program.address().await.unwrap();
    let request = |method: Method, path: &str| {
        Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .header("authorization", "Bearer s3cret")
    };
    let post = || request(Method::POST, "/");
    let datum = b"\xe4\x0f\x08Paul\x18paul@bla.com";
    let first = post()
        .header("idempotency-key", "\"k\"")
        .body(Bytes::from_static(datum));
    assert_eq!(send(first.unwrap()).await.unwrap().status(), 200);
    let other = Bytes::from_static(b"\xe4\x0f\x08Anna\x18paul@bla.com");
    let cases = [
        (post().body(Bytes::from_static(b"\xff")), 400),
        (
            Request::post(format!("http://{address}/")).body(Bytes::new()),
            401,
        ),
        (request(Method::GET, "/nothing").body(Bytes::new()), 404),
        (request(Method::PUT, "/").body(Bytes::new()), 405),
        (post().body(vec![0; 1001].into()), 413),
        (
            post()
                .header("content-encoding", "gzip")
                .body(Bytes::from_static(datum)),
            415,
        ),
        (post().header("idempotency-key", "\"k\"").body(other), 422),
    ];
    for (request, status) in cases {
        let response = send(request.unwrap()).await.unwrap();
        let problem = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(response.status(), status, "{problem:#}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        if let Err(error) = schemas::validate("problem", &problem) {
            panic!("{error:#}");
        }
    }
}
