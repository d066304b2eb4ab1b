//! Responses, and the faults that can be injected into them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::json;

/// A fault of a response.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The service returns this status and error code.
    Error(u16, String),
    /// 429, with `Retry-After` in seconds.
    Throttle(u64),
    /// A load balancer returns an HTML page with this status.
    Page(u16),
    /// The response is delayed.
    Delay(Duration),
    /// There is no response.
    Hang,
    /// The connection closes in the middle of the body.
    Cut,
    /// The response has this body.
    Body(Vec<u8>),
    /// The response has this status and this body.
    Refusal(u16, Vec<u8>),
}

/// A body that can end before its stated length.
#[derive(Debug)]
pub(super) struct FaultyBody {
    bytes: Bytes,
    length: u64,
    is_cut: bool,
    is_flushed: bool,
}

impl FaultyBody {
    pub(super) fn cut(self) -> Self {
        Self {
            is_cut: true,
            ..self
        }
    }
}

impl From<Vec<u8>> for FaultyBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            length: bytes.len() as u64,
            bytes: bytes.into(),
            is_cut: false,
            is_flushed: false,
        }
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.bytes.is_empty() && self.is_cut && !self.is_flushed {
            // While the body is pending, the server flushes the bytes that it has.
            self.is_flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.bytes.is_empty() {
            let cut_short = || std::io::Error::other("cut short");
            return Poll::Ready(self.is_cut.then(|| Err(cut_short())));
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

/// A JSON response.
pub(super) fn json(status: StatusCode, body: &serde_json::Value) -> Response<FaultyBody> {
    let mut response = Response::new(FaultyBody::from(body.to_string().into_bytes()));
    *response.status_mut() = status;
    set(&mut response, "content-type", "application/json");
    response
}

/// A response with these bytes as its body.
pub(super) fn bytes(bytes: Vec<u8>) -> Response<FaultyBody> {
    Response::new(FaultyBody::from(bytes))
}

/// An error in the format of the services.
pub(super) fn error(status: u16, code: &str, message: &str) -> Response<FaultyBody> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &json!({"code": code, "message": message}))
}

/// The response of a fault, if it replaces the service's response.
pub(super) fn faulty(fault: &Fault) -> Option<Response<FaultyBody>> {
    Some(match fault {
        Fault::Error(status, code) => error(*status, code, "An injected fault"),
        Fault::Throttle(seconds) => {
            let mut response = error(429, "TooManyRequests", "Too many requests for the tenant");
            set(&mut response, "retry-after", &seconds.to_string());
            response
        }
        Fault::Page(status) => {
            let page = format!("<html>\n<h1>{status}</h1>\n<p>no back end</p></html>");
            let mut response = bytes(page.into_bytes());
            *response.status_mut() = StatusCode::from_u16(*status).ok()?;
            set(&mut response, "content-type", "text/html");
            response
        }
        Fault::Body(body) => bytes(body.clone()),
        Fault::Refusal(status, body) => {
            let mut response = bytes(body.clone());
            *response.status_mut() = StatusCode::from_u16(*status).ok()?;
            response
        }
        Fault::Delay(_) | Fault::Hang | Fault::Cut => return None,
    })
}

/// Sets the headers that every response has.
pub(super) fn finish(response: &mut Response<FaultyBody>, now: SystemTime, request_id: &str) {
    set(
        response,
        header::DATE.as_str(),
        &httpdate::fmt_http_date(now),
    );
    set(response, "opc-request-id", request_id);
}

/// Sets a header.
pub(super) fn set(response: &mut Response<FaultyBody>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        header::HeaderName::try_from(name),
        HeaderValue::try_from(value),
    ) {
        response.headers_mut().insert(name, value);
    }
}
