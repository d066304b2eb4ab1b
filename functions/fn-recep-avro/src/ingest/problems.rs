//! The problem types of the ingest function. Those that other programs share are in [`http_server::problem`].

use http::StatusCode;
use http_server::problem::ProblemType;

pub(super) const EMPTY_BODY: ProblemType = ProblemType {
    name: "empty-body",
    status: StatusCode::BAD_REQUEST,
    title: "The body is empty",
};
pub(super) const MALFORMED_ENCODING: ProblemType = ProblemType {
    name: "malformed-encoding",
    status: StatusCode::BAD_REQUEST,
    title: "The body does not have the encoding that its header names",
};
pub(super) const BODY_DECODED_AS_TEXT: ProblemType = ProblemType {
    name: "body-decoded-as-text",
    status: StatusCode::BAD_REQUEST,
    title: "A gateway decoded the body as text",
};
pub(super) const INVALID_KEY: ProblemType = ProblemType {
    name: "invalid-key",
    status: StatusCode::BAD_REQUEST,
    title: "The record has no valid Kafka key",
};
pub(super) const INVALID_TIMESTAMP: ProblemType = ProblemType {
    name: "invalid-timestamp",
    status: StatusCode::BAD_REQUEST,
    title: "The record has no valid Kafka timestamp",
};
pub(super) const INVALID_EVENT: ProblemType = ProblemType {
    name: "invalid-event",
    status: StatusCode::BAD_REQUEST,
    title: "The headers are not those of a valid CloudEvent",
};
pub(super) const HEADER_FIELDS_TOO_LARGE: ProblemType = ProblemType {
    name: "header-fields-too-large",
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    title: "The header fields are too large",
};
pub(super) const RECORD_TOO_LARGE: ProblemType = ProblemType {
    name: "record-too-large",
    status: StatusCode::PAYLOAD_TOO_LARGE,
    title: "A record is too large for the topic",
};
pub(super) const UNSUPPORTED_MEDIA_TYPE: ProblemType = ProblemType {
    name: "unsupported-media-type",
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    title: "The content type is not a media type of Avro or JSON",
};
pub(super) const MALFORMED_DATUM: ProblemType = ProblemType {
    name: "malformed-datum",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The body is not one datum of the schema",
};
pub(super) const MALFORMED_CONTAINER: ProblemType = ProblemType {
    name: "malformed-container",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The body is not a valid Avro container file",
};
pub(super) const SCHEMA_MISMATCH: ProblemType = ProblemType {
    name: "schema-mismatch",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The body was written with an incompatible schema",
};
pub(super) const MALFORMED_JSON: ProblemType = ProblemType {
    name: "malformed-json",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The body is not JSON of the schema",
};
pub(super) const UNKNOWN_SCHEMA: ProblemType = ProblemType {
    name: "unknown-schema",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The schema registry does not have the schema of the body",
};
pub(super) const SCHEMA_NOT_REGISTERED: ProblemType = ProblemType {
    name: "schema-not-registered",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "The schema registry does not have the function's schema",
};
pub(super) const REGISTRY_REJECTED: ProblemType = ProblemType {
    name: "registry-rejected",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "The schema registry rejected the request",
};
pub(super) const REGISTRY_UNAVAILABLE: ProblemType = ProblemType {
    name: "registry-unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "The schema registry does not answer",
};
pub(super) const TOPIC_UNKNOWN: ProblemType = ProblemType {
    name: "topic-unknown",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "The topic does not exist",
};
pub(super) const PUBLISH_REJECTED: ProblemType = ProblemType {
    name: "publish-rejected",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "The broker rejected the message",
};
pub(super) const NOT_ACKNOWLEDGED: ProblemType = ProblemType {
    name: "not-acknowledged",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "The broker did not acknowledge in time",
};
pub(super) const STARTING: ProblemType = ProblemType {
    name: "starting",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "The function is starting",
};
pub(super) const CANNOT_START: ProblemType = ProblemType {
    name: "cannot-start",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "The function cannot start with its settings",
};
pub(super) const BUSY: ProblemType = ProblemType {
    name: "busy",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "Too many calls are in flight",
};
pub(super) const NOT_READY: ProblemType = ProblemType {
    name: "not-ready",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "No broker answers",
};
