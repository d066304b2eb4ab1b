//! The outcome of one request.

use std::time::Duration;

use http::StatusCode;

use crate::answer::Answer;

/// The outcome of one request.
#[derive(Debug)]
pub(crate) enum RequestOutcome {
    /// The head of a response arrived completely.
    Answered(EndpointResponse),
    /// No response within the timeout.
    TimedOut,
    /// The connection failed before a complete response head arrived.
    Failed(ConnectionError),
}

/// A response, as far as delivery needs it.
#[derive(Debug)]
pub(crate) struct EndpointResponse {
    pub(crate) status: StatusCode,
    /// The endpoint refused the credentials, and another attempt has other ones.
    pub(crate) has_new_credentials: bool,
    /// The delay that `Retry-After` requests.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of the body in printable characters, unless the status is a success.
    pub(crate) text: String,
    pub(crate) report: FailureReport,
    /// What the route keeps of it.
    pub(crate) answer: Option<Box<Answer>>,
    /// From the start of the request to the head of the response.
    pub(crate) latency: Duration,
}

/// The body of a success response that can report failed records: JSON, in response to a batch.
#[derive(Debug)]
pub(crate) enum FailureReport {
    /// The response cannot report failed records.
    None,
    /// The whole body.
    Complete(Vec<u8>),
    /// The body did not arrive completely, or was too large.
    Truncated,
}

/// Why a request got no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// Name resolution, TCP, TLS, or the proxy's connection failed; with the causes.
    #[error("connecting: {0}")]
    Connect(String),
    /// The proxy rejected the connection, and another attempt cannot help: credentials, or a rule of the proxy.
    #[error("connecting: {0}")]
    ProxyRejected(String),
    /// [`RequestAuthorization`](crate::request::RequestAuthorization) failed; nothing was sent.
    #[error("authorizing the request: {0}")]
    Authorization(String),
    /// The response was malformed, or the connection failed while it was read; with the causes.
    #[error("reading the response: {0}")]
    Response(String),
    /// The endpoint closed the connection.
    #[error("the connection was closed without a response")]
    Closed,
    /// A success arrived before the whole request was sent: it cannot be about the records in it.
    #[error("status {0} arrived before the whole request was sent")]
    EarlySuccess(u16),
}
