//! Answers, good and bad.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::json;

/// What may go wrong with an answer.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// An error of the service: status and code.
    Error(u16, String),
    /// 429 with `Retry-After` in seconds.
    Throttle(u64),
    /// An HTML page of a load balancer, with this status.
    Page(u16),
    /// The answer comes later.
    Delay(Duration),
    /// The answer never comes.
    Hang,
    /// The answer breaks off in the middle.
    Cut,
    /// The answer arrives with these bytes as its body.
    Body(Vec<u8>),
    /// The answer has this status and these bytes as its body.
    Refusal(u16, Vec<u8>),
}

/// A body that may break off.
#[derive(Debug)]
pub(super) struct Content {
    bytes: Bytes,
    length: u64,
    is_cut: bool,
    is_flushed: bool,
}

impl Content {
    pub(super) fn cut(self) -> Self {
        Self {
            is_cut: true,
            ..self
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            length: bytes.len() as u64,
            bytes: bytes.into(),
            is_cut: false,
            is_flushed: false,
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.bytes.is_empty() && self.is_cut && !self.is_flushed {
            // The server sends what it has while the body makes it wait.
            self.is_flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.bytes.is_empty() {
            let broken = || std::io::Error::other("cut short");
            return Poll::Ready(self.is_cut.then(|| Err(broken())));
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        if self.is_cut {
            bytes.truncate(bytes.len() / 2);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && !self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Content> {
    let mut response = Response::new(Content::from(body.to_string().into_bytes()));
    *response.status_mut() = status;
    set(&mut response, "content-type", "application/json");
    response
}

/// Bytes.
pub(super) fn bytes(bytes: Vec<u8>) -> Response<Content> {
    Response::new(Content::from(bytes))
}

/// An error as the services give it.
pub(super) fn error(status: u16, code: &str, message: &str) -> Response<Content> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &json!({"code": code, "message": message}))
}

/// The answer of a trouble that replaces the real one.
pub(super) fn troubled(trouble: &Trouble) -> Option<Response<Content>> {
    Some(match trouble {
        Trouble::Error(status, code) => error(*status, code, "The stand-in was told to say so"),
        Trouble::Throttle(seconds) => {
            let mut response = error(429, "TooManyRequests", "Too many requests for the tenant");
            set(&mut response, "retry-after", &seconds.to_string());
            response
        }
        Trouble::Page(status) => {
            let page = format!("<html>\n<h1>{status}</h1>\n<p>no back end</p></html>");
            let mut response = bytes(page.into_bytes());
            *response.status_mut() = StatusCode::from_u16(*status).ok()?;
            set(&mut response, "content-type", "text/html");
            response
        }
        Trouble::Body(body) => bytes(body.clone()),
        Trouble::Refusal(status, body) => {
            let mut response = bytes(body.clone());
            *response.status_mut() = StatusCode::from_u16(*status).ok()?;
            response
        }
        Trouble::Delay(_) | Trouble::Hang | Trouble::Cut => return None,
    })
}

/// What every answer carries.
pub(super) fn finish(response: &mut Response<Content>, now: SystemTime, request_id: &str) {
    set(
        response,
        header::DATE.as_str(),
        &httpdate::fmt_http_date(now),
    );
    set(response, "opc-request-id", request_id);
}

/// Sets a header.
pub(super) fn set(response: &mut Response<Content>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        header::HeaderName::try_from(name),
        HeaderValue::try_from(value),
    ) {
        response.headers_mut().insert(name, value);
    }
}
