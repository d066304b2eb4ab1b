//! Observes requests, for traces.

use std::fmt;

use http::{HeaderValue, Method};
use record::Message;

use crate::endpoint_url::EndpointUrl;

/// Observes the requests of all routes. It is called on the route's thread, once for each attempt, and must not wait.
pub trait RequestObserver: fmt::Debug + Send + Sync {
    /// Called before a request is sent. `None`: it is not observed, and keeps its headers.
    fn on_request(&self, request: &ObservedRequest<'_>) -> Option<Box<dyn RequestObservation>>;
}

/// The observation of one request. It is dropped without an end if the request is cancelled.
pub trait RequestObservation {
    /// The request's `traceparent`, instead of that of its record.
    fn traceparent(&self) -> Option<HeaderValue>;

    /// Called when the request has ended.
    fn on_end(self: Box<Self>, end: RequestEnd);
}

/// A request that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct ObservedRequest<'a> {
    /// The name of the route.
    pub route: &'a str,
    /// The URL of the endpoint.
    pub url: &'a EndpointUrl,
    /// The method.
    pub method: &'a Method,
    /// Its records: at least one.
    pub messages: &'a [Message],
    /// Whether it is of a batch format, even with a single record.
    pub is_batch: bool,
    /// The requests that were sent with these records before.
    pub resends: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestEnd {
    /// A response with this status.
    Response(u16),
    /// No response within the timeout.
    Timeout,
    /// No connection, or it failed before the response.
    ConnectionError,
}
