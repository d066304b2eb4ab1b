//! Problem details for HTTP APIs (RFC 9457).

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use serde_json::{Map, Value};

/// A problem type (RFC 9457, section 4): what is the same for every problem of one kind.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// The last part of the URI `urn:problem-type:frontdoor:NAME`, the member `type`.
    pub name: &'static str,
    /// The status of the response.
    pub status: StatusCode,
    /// The member `title`.
    pub title: &'static str,
}

/// The method is not allowed for this path.
pub const METHOD_NOT_ALLOWED: ProblemType = ProblemType {
    name: "method-not-allowed",
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "The method is not allowed",
};
/// A request header field is malformed.
pub const MALFORMED_HEADER: ProblemType = ProblemType {
    name: "malformed-header",
    status: StatusCode::BAD_REQUEST,
    title: "A request header field is malformed",
};
/// The server does not support an encoding that the request's header fields name.
pub const UNSUPPORTED_ENCODING: ProblemType = ProblemType {
    name: "unsupported-encoding",
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    title: "The encoding of the body is not supported",
};
/// The body is larger than a limit.
pub const BODY_TOO_LARGE: ProblemType = ProblemType {
    name: "body-too-large",
    status: StatusCode::PAYLOAD_TOO_LARGE,
    title: "The body is too large",
};
/// The connection failed before the end of the body.
pub const INCOMPLETE_BODY: ProblemType = ProblemType {
    name: "incomplete-body",
    status: StatusCode::BAD_REQUEST,
    title: "The body is incomplete",
};
/// The end of the body did not arrive before the deadline.
pub const BODY_TIMEOUT: ProblemType = ProblemType {
    name: "body-timeout",
    status: StatusCode::REQUEST_TIMEOUT,
    title: "The body did not arrive in time",
};

/// The most characters of a problem's detail.
pub const MAX_DETAIL: usize = 2_000;

/// An error response: a [`ProblemType`] and what is particular to this occurrence.
#[derive(Debug)]
pub struct Problem {
    kind: &'static ProblemType,
    detail: String,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    log_detail: Option<Cow<'static, str>>,
}

impl Problem {
    /// A problem with a `detail`: one or more sentences for the person who reads the response. It is cut after
    /// [`MAX_DETAIL`] characters, because it may quote the request: a name in a schema, for example, has any length.
    pub fn new(kind: &'static ProblemType, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
            detail.push('…');
        }
        Self {
            kind,
            detail,
            members: Vec::new(),
            headers: Vec::new(),
            log_detail: None,
        }
    }

    /// A [`METHOD_NOT_ALLOWED`] problem; `allowed` is the value of the `Allow` header (RFC 9110, section 10.2.1).
    pub fn method_not_allowed(method: &Method, allowed: &'static str) -> Self {
        let detail = format!("The method is {method}; this path accepts {allowed}.");
        Self::new(&METHOD_NOT_ALLOWED, detail).with_header(ALLOW, allowed)
    }

    /// Adds an extension member (RFC 9457, section 3.2).
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Adds a response header field.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// Sets what the log says instead of the detail, for a reason that the client must not receive.
    #[must_use]
    pub fn with_log_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.log_detail = Some(detail.into());
        self
    }

    /// The type of the problem.
    pub fn kind(&self) -> &'static ProblemType {
        self.kind
    }

    /// What is wrong, in one or more sentences.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What the log says: the detail, unless it is set.
    pub fn log_detail(&self) -> &str {
        self.log_detail.as_deref().unwrap_or(&self.detail)
    }

    /// The response, with a body of `application/problem+json`. Its extensions have the `&'static ProblemType`.
    pub fn into_response(self) -> Response<Bytes> {
        let ProblemType {
            name,
            status,
            title,
        } = *self.kind;
        let mut body = Map::new();
        let uri = format!("urn:problem-type:frontdoor:{name}");
        body.insert("type".to_owned(), uri.into());
        body.insert("title".to_owned(), title.into());
        body.insert("status".to_owned(), status.as_u16().into());
        body.insert("detail".to_owned(), self.detail.into());
        for (name, value) in self.members {
            body.insert(name.to_owned(), value);
        }
        let mut response = Response::new(Bytes::from(Value::Object(body).to_string()));
        *response.status_mut() = status;
        response.extensions_mut().insert(self.kind);
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

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn a_response_has_the_members_of_rfc_9457_and_the_extension_members() {
        let response = Problem::new(&BODY_TIMEOUT, "no \"id\"")
            .with_member("offset", 3)
            .with_header(RETRY_AFTER, "1")
            .into_response();
        assert_eq!(response.status(), 408);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let kind = response.extensions().get::<&'static ProblemType>();
        assert_eq!(kind, Some(&&BODY_TIMEOUT));
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:problem-type:frontdoor:body-timeout",
                "title": "The body did not arrive in time",
                "status": 408, "detail": "no \"id\"", "offset": 3
            })
        );
    }

    #[test]
    fn a_long_detail_is_cut_at_a_character() {
        let exact = "é".repeat(MAX_DETAIL);
        assert_eq!(Problem::new(&BODY_TIMEOUT, exact.clone()).detail(), exact);
        let longer = Problem::new(&BODY_TIMEOUT, exact.clone() + "é");
        assert_eq!(longer.detail(), exact + "…");
    }

    #[test]
    fn a_header_field_added_twice_is_sent_twice() {
        let response = Problem::method_not_allowed(&Method::PUT, "GET")
            .with_header(ALLOW, "HEAD")
            .into_response();
        let allowed: Vec<_> = response.headers().get_all(ALLOW).iter().collect();
        assert_eq!(allowed, ["GET", "HEAD"]);
    }
}
