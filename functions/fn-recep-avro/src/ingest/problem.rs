//! What a refused or failed call reads: problem details (RFC 9457), for people and machines. Pure, but for its log line.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use runtime::redact;
use serde_json::{Map, Value};
use tracing::{info, warn};

use super::Call;

/// What kind of problem it is; decides status, title and `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    EmptyBody,
    BrokenBody,
    MalformedEncoding,
    BodyDecodedAsText,
    MalformedHeader,
    MethodNotAllowed,
    SlowBody,
    HeaderFieldsTooLarge,
    BodyTooLarge,
    RecordTooLarge,
    UnsupportedMediaType,
    UnsupportedEncoding,
    MalformedDatum,
    MalformedContainer,
    ForeignSchema,
    TopicUnknown,
    PublishRefused,
    NotAcknowledged,
    NotOpenYet,
    Busy,
}

impl Kind {
    /// Status, the last part of `type`, and title.
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::EmptyBody => (S::BAD_REQUEST, "empty-body", "The body is empty"),
            Self::BrokenBody => (S::BAD_REQUEST, "broken-body", "The body broke off"),
            Self::MalformedEncoding => (
                S::BAD_REQUEST,
                "malformed-encoding",
                "The body is not what its encoding header says",
            ),
            Self::BodyDecodedAsText => (
                S::BAD_REQUEST,
                "body-decoded-as-text",
                "The body was decoded as text on its way",
            ),
            Self::MalformedHeader => (
                S::BAD_REQUEST,
                "malformed-header",
                "A request header is malformed",
            ),
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Only POST is answered here",
            ),
            Self::SlowBody => (
                S::REQUEST_TIMEOUT,
                "slow-body",
                "The body did not arrive in time",
            ),
            Self::HeaderFieldsTooLarge => (
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "header-fields-too-large",
                "The header fields are too large",
            ),
            Self::BodyTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
            ),
            Self::RecordTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "record-too-large",
                "A record is too large for the stream",
            ),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The content type is not one of Avro's",
            ),
            Self::UnsupportedEncoding => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-encoding",
                "The body's encoding is not understood",
            ),
            Self::MalformedDatum => (
                S::UNPROCESSABLE_ENTITY,
                "malformed-datum",
                "The body is not one datum of the schema",
            ),
            Self::MalformedContainer => (
                S::UNPROCESSABLE_ENTITY,
                "malformed-container",
                "The body is not a sound Avro container file",
            ),
            Self::ForeignSchema => (
                S::UNPROCESSABLE_ENTITY,
                "foreign-schema",
                "The body was written with another schema",
            ),
            Self::TopicUnknown => (
                S::INTERNAL_SERVER_ERROR,
                "topic-unknown",
                "The stream does not exist",
            ),
            Self::PublishRefused => (
                S::INTERNAL_SERVER_ERROR,
                "publish-refused",
                "The broker refused the message",
            ),
            Self::NotAcknowledged => (
                S::SERVICE_UNAVAILABLE,
                "not-acknowledged",
                "The broker did not acknowledge in time",
            ),
            Self::NotOpenYet => (
                S::SERVICE_UNAVAILABLE,
                "not-open-yet",
                "The function is still starting",
            ),
            Self::Busy => (
                S::SERVICE_UNAVAILABLE,
                "busy",
                "More calls than can be answered in time",
            ),
        }
    }
}

/// One problem, on its way to the caller.
#[derive(Debug)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with its detail, one or two sentences for whoever made the call.
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            kind,
            detail: detail.into(),
            members: Map::new(),
            headers: Vec::new(),
        })
    }

    /// Adds a member of its own, for machines.
    pub(super) fn with(mut self: Box<Self>, name: &str, value: impl Into<Value>) -> Box<Self> {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a response header.
    pub(super) fn header(mut self: Box<Self>, name: HeaderName, value: &'static str) -> Box<Self> {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// One log line: what the caller did wrong is information, what we could not do is a warning.
    pub(super) fn log(&self, call: &Call) {
        let (status, problem, _) = self.kind.facts();
        let (status, id) = (status.as_u16(), call.id.as_deref().unwrap_or_default());
        // Only in the log: in the response it would tell a caller whether a guess is right.
        let detail = redact::mask(&self.detail);
        if status < 500 {
            info!(call = id, status, problem, %detail, "refused");
        } else {
            warn!(call = id, status, problem, %detail, "not published");
        }
    }

    /// The response; the call's id is a member, so that a report of it leads to the log line.
    pub(super) fn into_response(self, call: &Call) -> Response<Bytes> {
        let (status, slug, title) = self.kind.facts();
        let mut body = Map::new();
        body.insert(
            "type".into(),
            format!("urn:problem-type:frontdoor:{slug}").into(),
        );
        body.insert("title".into(), title.into());
        body.insert("status".into(), status.as_u16().into());
        body.insert("detail".into(), self.detail.into());
        body.extend(self.members);
        if let Some(id) = &call.id {
            body.insert("call_id".into(), id.as_str().into());
        }
        let mut response = Response::new(Bytes::from(Value::Object(body).to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::RETRY_AFTER;

    #[test]
    fn a_problem_is_rfc_9457_json_with_its_own_members_and_the_call() {
        let call = Call {
            id: Some("01F".into()),
            ..Call::default()
        };
        let response = Problem::new(Kind::MalformedDatum, "no \"id\"")
            .with("offset", 3)
            .header(RETRY_AFTER, "1")
            .into_response(&call);
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:problem-type:frontdoor:malformed-datum",
                "title": "The body is not one datum of the schema",
                "status": 422, "detail": "no \"id\"", "offset": 3, "call_id": "01F"
            })
        );
    }
}
