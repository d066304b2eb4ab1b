//! The first stage: may this request be taken in at all? Hands on the body with every encoding undone.
//!
//! The limit on the body holds before it is buffered; what the headers forbid is refused before a byte is read.

use std::fmt::Display;
use std::future::Future;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use http_body::Body;
use tokio::time::timeout_at;

use super::body::{collect, discard};
use super::encodings::{EncodingError, undo_base64, undo_gzip};
use super::problem::{Kind, Problem};
use super::{Call, Refusal};

/// How much one request may hold.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Bytes of the body as it arrives.
    pub(super) body: usize,
    /// Bytes after gzip, base64 and container codecs are undone.
    pub(super) decoded: usize,
    /// Records of one container file.
    pub(super) records: usize,
}

/// A request that may be taken in.
#[derive(Debug)]
pub(super) struct Intake {
    /// The caller's headers.
    pub(super) headers: HeaderMap,
    /// The body with every encoding undone.
    pub(super) body: Bytes,
}

const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// What is taken for Avro; the body has to prove it, whatever it is called. `text/plain` is what `fn invoke` sends
/// unless it is told otherwise, and a form is what `curl --data-binary` calls any file.
const MEDIA_TYPES: [&str; 6] = [
    "application/octet-stream",
    "avro/binary",
    "application/avro",
    "application/vnd.apache.avro",
    "text/plain",
    "application/x-www-form-urlencoded",
];
const ACCEPTED: &str =
    "application/octet-stream, avro/binary, application/avro, application/vnd.apache.avro";

/// Reads the request: method, content type and encodings by the headers, then the body within the limits.
pub(super) async fn read<B>(
    request: Request<B>,
    limits: &Limits,
    call: &Call,
) -> Result<Intake, Box<Problem>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let (head, mut body) = request.into_parts();
    let end = call.body_end(Instant::now());
    let admitted = match &call.refusal {
        Some(refusal) => Err(refused(refusal)),
        None => Encodings::of(&head),
    };
    let outcome = match admitted {
        Ok(encodings) => within(end, collect(&mut body, &head.headers, limits.body))
            .await
            .unwrap_or_else(|| {
                Err(Problem::new(
                    Kind::SlowBody,
                    "The body did not arrive in time. Nothing was published.",
                ))
            })
            .and_then(|bytes| encodings.undo(bytes, limits)),
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(body) => Ok(Intake {
            headers: head.headers,
            body,
        }),
        Err(problem) => {
            // Where that takes too long, the caller does without the refusal.
            let _ = within(end, discard(body, call.discard)).await;
            Err(problem)
        }
    }
}

async fn within<T>(end: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match end {
        Some(end) => timeout_at(end.into(), work).await.ok(),
        None => Some(work.await),
    }
}

fn refused(refusal: &Refusal) -> Box<Problem> {
    match refusal {
        Refusal::HeaderFieldsTooLarge(excess) => Problem::new(
            Kind::HeaderFieldsTooLarge,
            format!("The request has {excess}. Nothing was published."),
        ),
        Refusal::BodyDecodedAsText(alteration) => Problem::new(
            Kind::BodyDecodedAsText,
            format!(
                "The gateway passed the body as text (isBase64Encoded is false), and {alteration}. Send it with \
                 Content-Type: application/octet-stream and add that type to the gateway's binaryMediaTypes, or send \
                 base64 with Content-Transfer-Encoding: base64. Nothing was published."
            ),
        ),
    }
}

/// What has to be undone to see the Avro.
#[derive(Debug, Default, PartialEq, Eq)]
struct Encodings {
    base64: bool,
    gzip: bool,
}

impl Encodings {
    /// Judges everything that can be judged before the body is read.
    fn of(head: &Parts) -> Result<Self, Box<Problem>> {
        if head.method != Method::POST {
            return Err(Problem::new(
                Kind::MethodNotAllowed,
                format!("The method is {}; send the Avro with POST.", head.method),
            )
            .header(ALLOW, "POST"));
        }
        media_type(&head.headers)?;
        Ok(Self {
            base64: transfer_encoding(&head.headers)?,
            gzip: content_encoding(&head.headers)?,
        })
    }

    /// The transfer encoding is the outer one (RFC 2045): it goes first.
    fn undo(&self, body: Bytes, limits: &Limits) -> Result<Bytes, Box<Problem>> {
        let mut body = body;
        if self.base64 {
            body = undo_base64(&body).map_err(|error| problem("base64", error, limits.decoded))?;
        }
        if self.gzip {
            body = undo_gzip(&body, limits.decoded)
                .map_err(|error| problem("gzip", error, limits.decoded))?;
        }
        Ok(body)
    }
}

fn problem(encoding: &str, error: EncodingError, limit: usize) -> Box<Problem> {
    match error {
        EncodingError::Malformed(reason) => Problem::new(
            Kind::MalformedEncoding,
            format!("The headers say {encoding}, but the body is not: {reason}."),
        )
        .with("reason", reason),
        EncodingError::TooLarge => Problem::new(
            Kind::BodyTooLarge,
            format!("Without {encoding} the body is larger than {limit} bytes (MAX_DECODED)."),
        )
        .with("limit", limit),
    }
}

fn media_type(headers: &HeaderMap) -> Result<(), Box<Problem>> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.is_empty()
        || MEDIA_TYPES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(essence))
    {
        return Ok(());
    }
    let hint = match essence.to_ascii_lowercase().as_str() {
        "application/json" => " JSON has to be encoded as Avro first.",
        _ => "",
    };
    let shown: String = essence.chars().take(100).collect();
    Err(Problem::new(
        Kind::UnsupportedMediaType,
        format!("The content type is {shown:?}; one of {ACCEPTED} is expected.{hint}"),
    )
    .header(ACCEPT, ACCEPTED))
}

fn transfer_encoding(headers: &HeaderMap) -> Result<bool, Box<Problem>> {
    match coding(headers, &TRANSFER_ENCODING).as_str() {
        "base64" => Ok(true),
        "" | "binary" | "8bit" | "7bit" => Ok(false),
        other => Err(Problem::new(
            Kind::UnsupportedEncoding,
            format!("Content-Transfer-Encoding is {other:?}; base64 or binary is expected."),
        )),
    }
}

fn content_encoding(headers: &HeaderMap) -> Result<bool, Box<Problem>> {
    match coding(headers, &CONTENT_ENCODING).as_str() {
        "gzip" | "x-gzip" => Ok(true),
        "" | "identity" => Ok(false),
        other => Err(Problem::new(
            Kind::UnsupportedEncoding,
            format!("Content-Encoding is {other:?}; gzip or none is expected."),
        )
        .header(ACCEPT_ENCODING, "gzip")),
    }
}

/// All values of the header as one, lower case, bounded for the reply that may quote it.
fn coding(headers: &HeaderMap, name: &HeaderName) -> String {
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
    use http_body_util::Full;

    use super::*;

    const LIMITS: Limits = Limits {
        body: 100,
        decoded: 200,
        records: 10,
    };

    async fn status(
        method: &str,
        headers: &[(&str, &str)],
        body: &'static [u8],
    ) -> Result<Bytes, u16> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from_static(body))).unwrap();
        match read(request, &LIMITS, &Call::default()).await {
            Ok(intake) => Ok(intake.body),
            Err(problem) => Err(problem.into_response(&Call::default()).status().as_u16()),
        }
    }

    #[tokio::test]
    async fn takes_avros_content_types_in_any_case_and_none_at_all() {
        assert_eq!(status("POST", &[], b"a").await.unwrap(), "a");
        for known in MEDIA_TYPES {
            let shouted = known.to_ascii_uppercase();
            for value in [known, &shouted, &format!("{known}; charset=utf-8")] {
                let headers = [("content-type", value)];
                assert_eq!(status("POST", &headers, b"a").await.unwrap(), "a");
            }
        }
        for other in [
            "application/json",
            "text/html",
            "multipart/form-data",
            "avro/",
        ] {
            let headers = [("content-type", other)];
            assert_eq!(status("POST", &headers, b"a").await, Err(415), "{other}");
        }
    }

    #[tokio::test]
    async fn refuses_every_method_but_post() {
        for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"] {
            assert_eq!(status(method, &[], b"").await, Err(405), "{method}");
        }
    }

    #[tokio::test]
    async fn undoes_base64_before_gzip_and_refuses_the_rest() {
        let base64 = ("content-transfer-encoding", "BASE64");
        assert_eq!(
            status("POST", &[base64], b"AAEC").await.unwrap()[..],
            [0, 1, 2]
        );
        assert_eq!(status("POST", &[base64], b"~~~~").await, Err(400));
        // printf hi | gzip -n | base64
        let both = [base64, ("content-encoding", "gzip")];
        let body = b"H4sIAAAAAAAAA8vIBACsKpPYAgAAAA==";
        assert_eq!(status("POST", &both, body).await.unwrap(), "hi");
        for encoding in ["br", "gzip, gzip", "deflate", "\u{e9}"] {
            let headers = [("content-encoding", encoding)];
            assert_eq!(status("POST", &headers, b"a").await, Err(415), "{encoding}");
        }
        assert_eq!(
            status("POST", &[("content-encoding", "gzip")], b"not gzip").await,
            Err(400)
        );
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes() {
        assert_eq!(status("POST", &[], &[b'x'; 100]).await.unwrap().len(), 100);
        assert_eq!(status("POST", &[], &[b'x'; 101]).await, Err(413));
        let announced = [("content-length", "101")];
        assert_eq!(status("POST", &announced, b"x").await, Err(413));
    }

    /// A body that never comes.
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
    async fn a_body_that_does_not_come_is_waited_for_until_the_deadline_and_no_longer() {
        let soon = Call {
            deadline: Some(Instant::now() + std::time::Duration::from_millis(30)),
            discard: u64::MAX,
            ..Call::default()
        };
        for content_type in ["avro/binary", "text/html"] {
            let request = Request::post("/").header("content-type", content_type);
            let problem = read(request.body(Never).unwrap(), &LIMITS, &soon).await;
            let status = problem.unwrap_err().into_response(&soon).status();
            let expected = if content_type == "avro/binary" {
                408
            } else {
                415
            };
            assert_eq!(status, expected);
        }
    }
}
