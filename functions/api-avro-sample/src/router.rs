//! Routes requests by method and path.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_server::problem::Problem;
use hyper::body::Incoming;
use runtime::redact;
use serde_json::json;
use tracing::warn;

use super::access;
use super::api::Api;
use super::clock::now_ms;
use super::problems::NOT_FOUND;
use super::receive;
use super::respond;

/// Handles one request.
pub(super) async fn handle(api: &Api, request: Request<Incoming>) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let (path, method) = (head.uri.path(), &head.method);
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let result = match path {
        "/" if method == Method::POST => {
            let result = receive::receive(api, &head, body).await;
            if let Err(problem) = &result {
                api.state().log.count_refused();
                let status = problem.kind().status.as_u16();
                let detail = redact::mask(problem.log_detail());
                warn!(title = %api.config.title, status, %detail, "request rejected");
            }
            result
        }
        "/" if is_read => page(api, &head).await,
        "/" => Err(Problem::method_not_allowed(method, "GET, HEAD, POST")),
        "/records" if is_read => records(api, &head).await,
        "/health" if is_read => {
            let body = json!({"status": "ok", "title": api.config.title});
            Ok(respond::json(&body))
        }
        "/records" | "/health" => Err(Problem::method_not_allowed(method, "GET, HEAD")),
        _ => Err(Problem::new(
            &NOT_FOUND,
            "The paths of this endpoint are /, /records and /health.",
        )),
    };
    let mut response = result.unwrap_or_else(Problem::into_response);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn page(api: &Api, head: &Parts) -> Result<Response<Bytes>, Problem> {
    access::check_read(&api.callers(), head).await?;
    let html = api.page.render(&api.state().log, now_ms());
    let mut response = Response::new(Bytes::from(html));
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

async fn records(api: &Api, head: &Parts) -> Result<Response<Bytes>, Problem> {
    access::check_read(&api.callers(), head).await?;
    let records = api.state().log.to_json(&api.config.title);
    Ok(respond::json(&records))
}
