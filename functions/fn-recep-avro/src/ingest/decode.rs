//! Decodes a request: checks its headers, reads the body, decodes the body's encodings.
//!
//! A request that its headers rule out is rejected before its body is read.

use std::error::Error;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body::Body;
use http_server::problem::{BODY_TOO_LARGE, Problem, UNSUPPORTED_ENCODING};

use super::call::{Call, Rejection};
use super::encodings::{EncodingError, decode_base64, decompress_gzip};
use super::limits::RequestLimits;
use super::memory::Reservation;
use super::problems::{
    BODY_DECODED_AS_TEXT, HEADER_FIELDS_TOO_LARGE, MALFORMED_ENCODING, UNSUPPORTED_MEDIA_TYPE,
};
use super::receive::IncomingRequest;

/// A request whose body is decoded.
pub(super) struct DecodedRequest<'a> {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) format: BodyFormat,
    pub(super) memory: Reservation<'a>,
}

/// What a body contains, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFormat {
    /// Avro. The first bytes say how it is framed.
    Avro,
    /// One JSON value: a record, or an array of records.
    Json,
    /// A JSON value in each line (`application/x-ndjson`).
    NdJson,
}

const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// The accepted content types of Avro. Whether the body is Avro is decided by validation alone. `fn invoke` sends `text/plain`
/// by default, and `curl --data-binary` sends the type of a form.
const MEDIA_TYPES: [&str; 6] = [
    "application/octet-stream",
    "avro/binary",
    "application/avro",
    "application/vnd.apache.avro",
    "text/plain",
    "application/x-www-form-urlencoded",
];
/// The content types of JSON in lines; the first is registered by no one, and the most common.
const NDJSON_TYPES: [&str; 3] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
];
/// The content types that an error response recommends.
const RECOMMENDED: &str = "application/octet-stream, avro/binary, application/avro, application/vnd.apache.avro, \
                           application/json, application/x-ndjson";

/// Reads and decodes a request.
///
/// # Errors
/// The host rejects the request; its method, content type or encoding is not supported; its body is too large,
/// incomplete, late or malformed; or there is no memory for it.
pub(super) async fn read<'a, B>(
    mut request: IncomingRequest<'a, B>,
    limits: &RequestLimits,
) -> Result<DecodedRequest<'a>, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let decoded = async {
        let (format, encodings) = check(&request.head, request.call)?;
        let bytes = request.body().await?;
        Ok((format, encodings.decode(bytes, limits)?))
    };
    match decoded.await {
        Ok((format, body)) => Ok(DecodedRequest {
            headers: request.head.headers,
            body,
            format,
            memory: request.memory,
        }),
        Err(problem) => {
            request.discard().await;
            Err(problem)
        }
    }
}

/// Checks everything that does not need the body.
fn check(head: &Parts, call: &Call) -> Result<(BodyFormat, Encodings), Problem> {
    match &call.rejection {
        Some(Rejection::HeaderFieldsTooLarge(excess)) => {
            let detail = format!("The request has {excess}. Nothing was published.");
            return Err(Problem::new(&HEADER_FIELDS_TOO_LARGE, detail));
        }
        Some(Rejection::BodyDecodedAsText(alteration)) => {
            let detail = format!(
                "The gateway passed the body as text (isBase64Encoded is false), and {alteration}. Send it with \
                 Content-Type: application/octet-stream and add that type to the gateway's binaryMediaTypes, or send \
                 base64 with Content-Transfer-Encoding: base64. Nothing was published."
            );
            return Err(Problem::new(&BODY_DECODED_AS_TEXT, detail));
        }
        None => {}
    }
    if head.method != Method::POST {
        return Err(Problem::method_not_allowed(&head.method, "POST"));
    }
    let format = body_format(&head.headers)?;
    let encodings = Encodings {
        base64: is_base64(&head.headers)?,
        gzip: is_gzip(&head.headers)?,
    };
    Ok((format, encodings))
}

/// The encodings of a body, by its headers.
struct Encodings {
    base64: bool,
    gzip: bool,
}

impl Encodings {
    /// Decodes a body. The transfer encoding is the outer one (RFC 2045): it is decoded first.
    fn decode(&self, mut body: Bytes, limits: &RequestLimits) -> Result<Bytes, Problem> {
        let limit = limits.max_decoded;
        if self.base64 {
            body = decode_base64(&body).map_err(|error| problem("base64", error, limit))?;
        }
        if self.gzip {
            body = decompress_gzip(&body, limit).map_err(|error| problem("gzip", error, limit))?;
        }
        Ok(body)
    }
}

fn problem(encoding: &str, error: EncodingError, limit: usize) -> Problem {
    match error {
        EncodingError::Malformed(reason) => {
            let detail =
                format!("The headers name {encoding}, but the body is not {encoding}: {reason}.");
            Problem::new(&MALFORMED_ENCODING, detail).with_member("reason", reason)
        }
        EncodingError::TooLarge => {
            let detail = format!(
                "The body decoded from {encoding} is larger than {limit} bytes (MAX_DECODED)."
            );
            Problem::new(&BODY_TOO_LARGE, detail).with_member("limit", limit)
        }
    }
}

fn body_format(headers: &HeaderMap) -> Result<BodyFormat, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(BodyFormat::Avro);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_one_of =
        |types: &[&str]| (types.iter()).any(|known| known.eq_ignore_ascii_case(essence));
    if essence.is_empty() || is_one_of(&MEDIA_TYPES) {
        return Ok(BodyFormat::Avro);
    } else if is_one_of(&["application/json"]) {
        return Ok(BodyFormat::Json);
    } else if is_one_of(&NDJSON_TYPES) {
        return Ok(BodyFormat::NdJson);
    }
    if essence
        .to_ascii_lowercase()
        .starts_with("application/cloudevents")
    {
        let detail = "CloudEvents in structured or batched mode are not supported. Send the event in binary mode: its \
                      attributes in ce- headers, and the content type of its data.";
        return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE, detail).with_header(ACCEPT, RECOMMENDED));
    }
    let shown: String = essence.chars().take(100).collect();
    let detail = format!("The content type is {shown:?}; expected one of {RECOMMENDED}.");
    Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE, detail).with_header(ACCEPT, RECOMMENDED))
}

fn is_base64(headers: &HeaderMap) -> Result<bool, Problem> {
    match value(headers, &TRANSFER_ENCODING).as_str() {
        "base64" => Ok(true),
        "" | "binary" | "8bit" | "7bit" => Ok(false),
        other => Err(Problem::new(
            &UNSUPPORTED_ENCODING,
            format!("Content-Transfer-Encoding is {other:?}; expected base64 or binary."),
        )),
    }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    match value(headers, &CONTENT_ENCODING).as_str() {
        "gzip" | "x-gzip" => Ok(true),
        "" | "identity" => Ok(false),
        other => Err(Problem::new(
            &UNSUPPORTED_ENCODING,
            format!("Content-Encoding is {other:?}; expected gzip or none."),
        )
        .with_header(ACCEPT_ENCODING, "gzip")),
    }
}

/// All values of a header field as one, in lower case. It is shortened to 100 characters: a response may quote it.
fn value(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .trim()
                .to_ascii_lowercase()
        })
        .collect();
    values.join(", ").chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::Request;
    use http_body_util::Full;

    use super::*;
    use crate::ingest::memory::Memory;

    const LIMITS: RequestLimits = RequestLimits {
        max_body: 100,
        max_decoded: 200,
        max_records: 10,
    };

    async fn decoded(
        method: &str,
        headers: &[(&str, &str)],
        body: &'static [u8],
    ) -> Result<Bytes, u16> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from_static(body))).unwrap();
        let memory = Memory::default();
        let call = Call::default();
        let request = IncomingRequest::new(request, &call, LIMITS.max_body, memory.reserve());
        match read(request, &LIMITS).await {
            Ok(request) => Ok(request.body),
            Err(problem) => Err(problem.kind().status.as_u16()),
        }
    }

    #[tokio::test]
    async fn accepts_the_content_types_in_any_case_and_a_missing_one() {
        assert_eq!(decoded("POST", &[], b"a").await.unwrap(), "a");
        for known in MEDIA_TYPES {
            let upper_case = known.to_ascii_uppercase();
            for value in [known, &upper_case, &format!("{known}; charset=utf-8")] {
                let headers = [("content-type", value)];
                assert_eq!(decoded("POST", &headers, b"a").await.unwrap(), "a");
            }
        }
        for other in [
            "application/problem+json",
            "text/html",
            "multipart/form-data",
            "avro/",
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
        ] {
            let headers = [("content-type", other)];
            assert_eq!(decoded("POST", &headers, b"a").await, Err(415), "{other}");
        }
    }

    #[tokio::test]
    async fn rejects_every_method_but_post() {
        for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"] {
            assert_eq!(decoded(method, &[], b"").await, Err(405), "{method}");
        }
    }

    #[tokio::test]
    async fn decodes_base64_before_gzip_and_rejects_other_encodings() {
        let base64 = ("content-transfer-encoding", "BASE64");
        assert_eq!(
            decoded("POST", &[base64], b"AAEC").await.unwrap()[..],
            [0, 1, 2]
        );
        assert_eq!(decoded("POST", &[base64], b"~~~~").await, Err(400));
        // printf hi | gzip -n | base64
        let both = [base64, ("content-encoding", "gzip")];
        let body = b"H4sIAAAAAAAAA8vIBACsKpPYAgAAAA==";
        assert_eq!(decoded("POST", &both, body).await.unwrap(), "hi");
        for encoding in ["br", "gzip, gzip", "deflate", "\u{e9}"] {
            let headers = [("content-encoding", encoding)];
            assert_eq!(
                decoded("POST", &headers, b"a").await,
                Err(415),
                "{encoding}"
            );
        }
        assert_eq!(
            decoded("POST", &[("content-encoding", "gzip")], b"not gzip").await,
            Err(400)
        );
    }

    #[tokio::test]
    async fn rejects_a_body_over_the_limit() {
        assert_eq!(decoded("POST", &[], &[b'x'; 100]).await.unwrap().len(), 100);
        assert_eq!(decoded("POST", &[], &[b'x'; 101]).await, Err(413));
        let announced = [("content-length", "101")];
        assert_eq!(decoded("POST", &announced, b"x").await, Err(413));
    }

    /// A body that never arrives.
    struct Never;

    impl Body for Never {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }

    #[tokio::test]
    async fn waits_for_the_body_until_the_deadline() {
        let soon = Call {
            deadline: Some(Instant::now() + std::time::Duration::from_millis(30)),
            max_discard: u64::MAX,
            ..Call::default()
        };
        for content_type in ["avro/binary", "text/html"] {
            let request = Request::post("/").header("content-type", content_type);
            let memory = Memory::default();
            let request = request.body(Never).unwrap();
            let request = IncomingRequest::new(request, &soon, 100, memory.reserve());
            let problem = read(request, &LIMITS).await.err().unwrap();
            let status = problem.kind().status;
            let expected = if content_type == "avro/binary" {
                408
            } else {
                415
            };
            assert_eq!(status, expected);
        }
    }
}
