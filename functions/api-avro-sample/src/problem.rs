//! A refusal, as RFC 9457 problem JSON that says what was wrong.

use avro::Fault;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value};

/// Why a request was refused: a status, a sentence, and what a machine may want to know besides.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(http::HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            members: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 400: these bytes are not what the schema describes.
    pub(super) fn unreadable(what: &str, fault: &Fault) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("{what}: {fault}"))
            .member("offset", fault.offset.into())
            .member("field", fault.path.as_str().into())
    }

    /// 401; `schemes` are offered in `WWW-Authenticate`, as RFC 9110 section 11.6.1 asks.
    pub(super) fn unauthorised(detail: &str, schemes: &[&'static str]) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, detail);
        problem.headers = schemes
            .iter()
            .map(|scheme| (WWW_AUTHENTICATE, HeaderValue::from_static(scheme)))
            .collect();
        problem
    }

    /// 405 with the methods that would do.
    pub(super) fn method_not_allowed(allowed: &'static str) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("this path answers {allowed} only"),
        );
        problem.headers = vec![(ALLOW, HeaderValue::from_static(allowed))];
        problem
    }

    /// Ends the connection with the answer, for a body that was not read to its end.
    pub(super) fn and_close(mut self) -> Self {
        self.headers
            .push((CONNECTION, HeaderValue::from_static("close")));
        self
    }

    pub(super) fn member(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }

    /// The answer itself. The type is `about:blank`, so the title is the status's own phrase (RFC 9457, 4.2.1).
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut body = Map::new();
        body.insert(
            "title".into(),
            self.status.canonical_reason().unwrap_or("Refused").into(),
        );
        body.insert("status".into(), self.status.as_u16().into());
        body.insert("detail".into(), self.detail.into());
        for (name, value) in self.members {
            body.insert(name.into(), value);
        }
        let mut response = Response::new(Full::from(Value::Object(body).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}
