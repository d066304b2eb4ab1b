//! `GET /metrics`: the metrics in Prometheus' text format, on the plain host only.
//!
//! Fn and Lambda start and stop instances as they need them, and a request reaches any of them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use telemetry::metrics::CONTENT_TYPE as TEXT_FORMAT;
use tracing::error;

use super::current_function::CurrentFunction;
use crate::ingest::Call;
use crate::metrics::IngestMetrics;

/// Whether a request asks for the metrics. The path is exact: a gateway that adds a prefix does not make them public.
pub(super) fn is_scrape<B>(request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() == "/metrics"
}

/// The metrics, or the response to a refused request. Checks first whether a broker answers, for a second at most.
pub(super) async fn respond(
    metrics: &IngestMetrics,
    function: &CurrentFunction,
    head: &Parts,
    call: &Call,
) -> Response<Bytes> {
    if let Some(refused) = function.refuse_scrape(head, call).await {
        return refused;
    }
    let _ = function.readiness(call).await;
    match metrics.text() {
        Ok(text) => {
            let mut response = Response::new(Bytes::from(text));
            let content_type = HeaderValue::from_static(TEXT_FORMAT);
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        }
        Err(error) => {
            error!(%error, "encoding the metrics failed");
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_or_head_of_the_exact_path_asks_for_the_metrics() {
        let is_scrape = |method, path| {
            is_scrape(
                &Request::builder()
                    .method(method)
                    .uri(path)
                    .body(())
                    .unwrap(),
            )
        };
        assert!(is_scrape("GET", "/metrics"));
        assert!(is_scrape("HEAD", "/metrics?a=b"));
        for (method, path) in [
            ("POST", "/metrics"),
            ("GET", "/"),
            ("GET", "/prefix/metrics"),
            ("GET", "/metrics/"),
            ("GET", "//metrics"),
            ("GET", "/metrics/health"),
            ("get", "/metrics"),
        ] {
            assert!(!is_scrape(method, path), "{method} {path}");
        }
    }
}
