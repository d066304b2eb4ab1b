//! Requests that test the function instead of publishing: health and readiness checks.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Response};

use super::current_function::CurrentFunction;
use crate::ingest::Call;

/// A check by a container platform or a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// `GET /health`: the process answers. Does not test the broker.
    Health,
    /// `GET /ready`: a broker answers.
    Ready,
}

impl Probe {
    /// The check that a request makes, if it is one. Only the last segment of the path counts: gateways and stages add
    /// a prefix. A load balancer of AWS checks a Lambda function by a GET of a configurable path.
    pub(super) fn of(method: &Method, path: &str, headers: &HeaderMap) -> Option<Self> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let is_load_balancer = || {
            headers
                .get(USER_AGENT)
                .is_some_and(|agent| agent.as_bytes().starts_with(b"ELB-HealthChecker/"))
        };
        match path.rsplit('/').next() {
            Some("ready") => Some(Self::Ready),
            Some("health") => Some(Self::Health),
            _ => is_load_balancer().then_some(Self::Health),
        }
    }

    /// 200, or 503 if the function is not ready.
    pub(super) async fn respond(self, function: &CurrentFunction, call: &Call) -> Response<Bytes> {
        match self {
            Self::Health => ok(),
            Self::Ready => match function.readiness(call).await {
                Some(problem) => problem,
                None => ok(),
            },
        }
    }
}

fn ok() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"ok\n"));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_or_head_is_a_check() {
        let none = HeaderMap::new();
        let check = |method, path| Probe::of(&method, path, &none);
        assert_eq!(check(Method::GET, "/health"), Some(Probe::Health));
        assert_eq!(check(Method::HEAD, "/prod/ready"), Some(Probe::Ready));
        assert_eq!(check(Method::GET, "/"), None);
        assert_eq!(check(Method::GET, "/unhealth"), None);
        assert_eq!(check(Method::POST, "/health"), None);
        let agent = HeaderValue::from_static("ELB-HealthChecker/2.0");
        let balancer = HeaderMap::from_iter([(USER_AGENT, agent)]);
        let check = |method, path| Probe::of(&method, path, &balancer);
        assert_eq!(check(Method::GET, "/"), Some(Probe::Health));
        assert_eq!(check(Method::GET, "/ready"), Some(Probe::Ready));
        assert_eq!(check(Method::POST, "/"), None);
    }
}
