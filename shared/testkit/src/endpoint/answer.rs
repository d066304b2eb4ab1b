//! The responses of a scripted endpoint, including those that a correct server never sends.

use std::time::Duration;

/// The scripted response to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) delay: Duration,
    pub(super) behavior: Behavior,
}

/// What happens to the connection while the response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    KeepAlive,
    Close,
    CloseUnannounced,
    Hang,
    Reset,
    ResetInHead,
    ResetInBody,
    StallInBody,
    TwoWrites,
    Garbage,
}

impl Answer {
    /// This status, without a body. The connection stays open.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            delay: Duration::ZERO,
            behavior: Behavior::KeepAlive,
        }
    }

    /// 200, without a body.
    pub fn ok() -> Self {
        Self::status(200)
    }

    /// Sends no response. The connection stays open.
    pub fn hang() -> Self {
        Self::ok().behavior(Behavior::Hang)
    }

    /// Reads the whole request, then resets the connection without a response.
    pub fn reset() -> Self {
        Self::ok().behavior(Behavior::Reset)
    }

    /// Sends bytes that are not HTTP.
    pub fn garbage() -> Self {
        Self::ok().behavior(Behavior::Garbage)
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits before the response or the reset.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends `Connection: close` and closes the connection after the response.
    pub fn closing(self) -> Self {
        self.behavior(Behavior::Close)
    }

    /// Closes the connection after the response without `Connection: close`, so that the client has a stale connection.
    pub fn closing_unannounced(self) -> Self {
        self.behavior(Behavior::CloseUnannounced)
    }

    /// Resets the connection in the middle of the status line.
    pub fn reset_in_head(self) -> Self {
        self.behavior(Behavior::ResetInHead)
    }

    /// Sends the whole head and half of the body, then resets.
    pub fn reset_in_body(self) -> Self {
        self.behavior(Behavior::ResetInBody)
    }

    /// Sends the whole head and half of the body, then nothing. The connection stays open.
    pub fn stalling_in_body(self) -> Self {
        self.behavior(Behavior::StallInBody)
    }

    /// Sends the head and half of the body, and the rest 50 ms later.
    pub fn in_two_writes(self) -> Self {
        self.behavior(Behavior::TwoWrites)
    }

    fn behavior(mut self, behavior: Behavior) -> Self {
        self.behavior = behavior;
        self
    }
}
