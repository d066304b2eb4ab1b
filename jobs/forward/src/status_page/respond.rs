//! The response to a request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_server::problem::{Problem, ProblemType};
use telemetry::metrics;

use super::access::Access;
use super::board::Board;
use super::html;
use crate::metrics::JobMetrics;
use crate::report::html as report_html;
use crate::run_report;

/// What responses are made of.
pub(super) struct Sources {
    pub(super) board: Arc<Board>,
    pub(super) access: Access,
    pub(super) metrics: JobMetrics,
    /// For how long the schedule may be silent.
    pub(super) max_silence: Duration,
}

const NOT_FOUND: ProblemType = ProblemType {
    name: "not-found",
    status: StatusCode::NOT_FOUND,
    title: "The path does not exist",
};
const NO_REPORT: ProblemType = ProblemType {
    name: "no-report",
    status: StatusCode::NOT_FOUND,
    title: "There is no such report",
};
const NO_METRICS: ProblemType = ProblemType {
    name: "no-metrics",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "The metrics cannot be encoded",
};
const STALLED: ProblemType = ProblemType {
    name: "stalled",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "The schedule does not advance",
};
const NOT_READY: ProblemType = ProblemType {
    name: "not-ready",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "No window has read the topic yet",
};

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Page,
    Report,
    Metrics,
    Health,
    Ready,
}

impl Resource {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Page),
            "/report" => Some(Self::Report),
            "/metrics" => Some(Self::Metrics),
            "/health" => Some(Self::Health),
            "/ready" => Some(Self::Ready),
            _ => None,
        }
    }

    /// Whether it is a probe of a container platform, which has no token. The response is only a state.
    fn is_probe(self) -> bool {
        matches!(self, Self::Health | Self::Ready)
    }
}

/// The response to a request at the time `now`. It waits for nothing.
pub(super) fn respond(sources: &Sources, head: &Parts, now: SystemTime) -> Response<Bytes> {
    let mut response = answer(sources, head, now).unwrap_or_else(Problem::into_response);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    response
}

fn answer(sources: &Sources, head: &Parts, now: SystemTime) -> Result<Response<Bytes>, Problem> {
    let resource = Resource::of(head.uri.path());
    // First, so that a refused client learns nothing else about its request.
    if !resource.is_some_and(Resource::is_probe) {
        sources.access.check(head)?;
    }
    let Some(resource) = resource else {
        return Err(Problem::new(
            &NOT_FOUND,
            "The paths of the status page are /, /report, /metrics, /health and /ready.",
        ));
    };
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Problem::method_not_allowed(&head.method, "GET, HEAD"));
    }
    match resource {
        Resource::Page => {
            let refreshes = parameter(head, "refresh") != Some("off");
            let page = html::render(&sources.board.snapshot(), now, refreshes);
            Ok(html_response(page, &html::policy()))
        }
        Resource::Report => report(sources, head),
        Resource::Metrics => metrics(sources),
        Resource::Health => health(sources),
        Resource::Ready => ready(sources),
    }
}

/// The report of the newest window, or that of `run`; as JSON, or for people with `output=html`.
fn report(sources: &Sources, head: &Parts) -> Result<Response<Bytes>, Problem> {
    let run = parameter(head, "run");
    let snapshot = sources.board.snapshot();
    let Some(kept) = snapshot.history.report(run) else {
        let detail = match run {
            None => "No window has ended yet.",
            Some(_) => "No report of this run is kept.",
        };
        return Err(Problem::new(&NO_REPORT, detail));
    };
    match parameter(head, "output") {
        Some("html") => {
            let report = run_report::parse(&kept.json);
            let report = report.map_err(|error| Problem::new(&NO_REPORT, error.to_string()))?;
            let page = report_html::render(&report);
            Ok(html_response(page, &html::report_policy()))
        }
        _ => Ok(typed(kept.json.clone(), "application/json")),
    }
}

/// The metrics in Prometheus' text format.
fn metrics(sources: &Sources) -> Result<Response<Bytes>, Problem> {
    let text = sources.metrics.text();
    let text = text.map_err(|error| Problem::new(&NO_METRICS, format!("{error}.")))?;
    Ok(typed(text.into(), metrics::CONTENT_TYPE))
}

/// 200 while the schedule advances.
fn health(sources: &Sources) -> Result<Response<Bytes>, Problem> {
    let silence = sources.board.silence();
    if silence > sources.max_silence {
        let detail = format!("The schedule has not advanced for {} s.", silence.as_secs());
        return Err(Problem::new(&STALLED, detail));
    }
    Ok(ok())
}

/// 200 after the first window that had access to the topic and to the group.
fn ready(sources: &Sources) -> Result<Response<Bytes>, Problem> {
    let snapshot = sources.board.snapshot();
    if snapshot.history.has_read_topic() {
        return Ok(ok());
    }
    let detail = match snapshot.history.last() {
        None => "No window has ended yet.".to_owned(),
        Some(last) => format!("The last window ended with exit code {}.", last.exit_code),
    };
    Err(Problem::new(&NOT_READY, detail))
}

/// The value of a parameter of the query. Values of this server need no decoding.
fn parameter<'h>(head: &'h Parts, name: &str) -> Option<&'h str> {
    let mut pairs = head
        .uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn ok() -> Response<Bytes> {
    typed(Bytes::from_static(b"ok\n"), "text/plain")
}

fn html_response(page: String, policy: &str) -> Response<Bytes> {
    let mut response = typed(Bytes::from(page), "text/html; charset=utf-8");
    if let Ok(policy) = HeaderValue::from_str(policy) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn typed(body: Bytes, content_type: &'static str) -> Response<Bytes> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests;
