//! When a request is sent, and what follows from its outcome. Pure: the caller supplies the clock.
//!
//! - [`status`]: the meaning of a status code for a record
//! - [`StatusRules`]: a route's own meaning of status codes
//! - `retry`: the retry decision
//! - `partial`: the records of a batch that the endpoint reports as failed
//! - `limiter`: circuit breaker, rate limit and pauses

mod circuit;
mod endpoint_group;
pub(crate) mod limiter;
pub(crate) mod partial;
mod pause;
mod rate;
pub(crate) mod retry;
mod route_policy;
pub mod status;
mod status_rules;

pub(crate) use circuit::{CircuitChange, CircuitSettings};
pub(crate) use endpoint_group::{EndpointGroup, Reachability};
pub(crate) use limiter::Permit;
pub(crate) use route_policy::RoutePolicy;
pub use status_rules::{StatusRule, StatusRules};
