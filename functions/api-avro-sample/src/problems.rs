//! The problem types of the endpoint. Those that other programs share are in [`http_server::problem`].

use http::StatusCode;
use http_server::problem::ProblemType;

pub(super) const NOT_FOUND: ProblemType = ProblemType {
    name: "not-found",
    status: StatusCode::NOT_FOUND,
    title: "The path does not exist",
};
pub(super) const MALFORMED_RECORDS: ProblemType = ProblemType {
    name: "malformed-records",
    status: StatusCode::BAD_REQUEST,
    title: "The body is not valid Avro of the schema",
};
pub(super) const MALFORMED_KEYS: ProblemType = ProblemType {
    name: "malformed-keys",
    status: StatusCode::BAD_REQUEST,
    title: "The idempotency keys in the container's metadata are malformed",
};
pub(super) const KEY_IN_USE: ProblemType = ProblemType {
    name: "key-in-use",
    status: StatusCode::CONFLICT,
    title: "A request with the same idempotency key is in progress",
};
pub(super) const KEY_REUSED: ProblemType = ProblemType {
    name: "key-reused",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The idempotency key was used with another payload",
};
