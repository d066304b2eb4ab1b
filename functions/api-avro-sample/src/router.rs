//! Method and path → handler; every path on one screen.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use runtime::redact;
use serde_json::json;
use tracing::warn;

use super::access::{self, Wish};
use super::answer::{json, now_ms};
use super::problem::Problem;
use super::{Api, receive};

/// Answers one request; never fails.
pub(super) async fn answer(api: &Api, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let looks = head.method == Method::GET || head.method == Method::HEAD;
    let outcome = match head.uri.path() {
        "/" if head.method == Method::POST => {
            let outcome = receive::receive(api, &head.headers, body).await;
            if let Err(problem) = &outcome {
                api.state().ledger.refused();
                warn!(title = %api.config.title, status = problem.status.as_u16(), reason = %redact::mask(&problem.detail), "refused");
            }
            outcome
        }
        "/" if looks => page(api, &head.headers),
        "/" => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        "/records" if looks => records(api, &head.headers),
        "/health" if looks => Ok(json(
            &json!({"status": "ok", "title": api.config.title}).to_string(),
        )),
        "/records" | "/health" => Err(Problem::method_not_allowed("GET, HEAD")),
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "there is nothing here; the paths are /, /records and /health",
        )),
    };
    let mut response = outcome.unwrap_or_else(Problem::into_response);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn page(api: &Api, headers: &HeaderMap) -> Result<Response<Full<Bytes>>, Problem> {
    access::check(api.token().as_ref(), Wish::Look, headers)?;
    let html = api.page.render(&api.state().ledger, now_ms());
    let mut response = Response::new(Full::from(html));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    if let Ok(policy) = HeaderValue::from_str(api.page.policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

fn records(api: &Api, headers: &HeaderMap) -> Result<Response<Full<Bytes>>, Problem> {
    access::check(api.token().as_ref(), Wish::Look, headers)?;
    let shown = api.state().ledger.to_json(&api.config.title);
    Ok(json(&shown.to_string()))
}
