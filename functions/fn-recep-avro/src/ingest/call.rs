//! What a host knows about a request beyond HTTP.

use std::time::{Duration, Instant};

/// One call of the function.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// When the response must be sent. `None`: only `PUBLISH_TIMEOUT` limits the wait.
    pub deadline: Option<Instant>,
    /// The host's id of this call, for the log and for the message header `call-id`.
    pub id: Option<String>,
    /// How long the body may take to arrive. `None`: until the deadline.
    pub body_timeout: Option<Duration>,
    /// How many bytes of a rejected body are read and dropped, so that a client that is still sending receives the
    /// response.
    pub max_discard: u64,
    /// Why the host rejects the request, whatever it contains.
    pub rejection: Option<Rejection>,
}

impl Call {
    /// When reading the body must end.
    pub(crate) fn body_deadline(&self, now: Instant) -> Option<Instant> {
        let timeout = self.body_timeout.map(|timeout| now + timeout);
        timeout.into_iter().chain(self.deadline).min()
    }
}

/// A request that did not reach the function as the client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The header section exceeds a limit of the host. The text says which: `more than 1024 header fields`.
    HeaderFieldsTooLarge(String),
    /// A gateway decoded the body as text. The text says how this was detected.
    BodyDecodedAsText(String),
}
