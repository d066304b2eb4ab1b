//! The requests that a scripted endpoint has received, and its counters.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::answer::Answer;

/// A received request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its index among all requests, from 0.
    pub number: usize,
    /// The index of its connection, from 0.
    pub connection: usize,
    /// Its index among the requests of that connection, from 0.
    pub turn: usize,
    /// The time at which its body was complete.
    pub at: Instant,
    /// The method, such as `POST`.
    pub method: String,
    /// Path and query, as received.
    pub target: String,
    /// Names in lower case, values as received, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The status of the response; `None`: no complete response head was sent.
    pub answered: Option<u16>,
}

impl Request {
    /// The value of the first header with this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

pub(super) type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// The state that the endpoint shares with its connections.
pub(super) struct Shared {
    pub(super) script: Box<Script>,
    pub(super) requests: Mutex<Vec<Request>>,
    pub(super) connections: AtomicUsize,
    pub(super) in_flight: AtomicUsize,
    pub(super) peak_in_flight: AtomicUsize,
    pub(super) resetting: AtomicBool,
    pub(super) ignores_body: bool,
}

impl Shared {
    pub(super) fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
