//! Middleware that signs every request with the current credentials of the principal.

use std::sync::Arc;
use std::time::SystemTime;

use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::clock::Clock;
use crate::principal::{Credentials, Principal};
use crate::signature::{self, Body, Signable};

/// Signs each request. Retries are outside: the signature covers the date, so each attempt is signed again.
pub(super) struct SigningMiddleware {
    pub(super) principal: Arc<Principal>,
    pub(super) clock: Clock,
}

/// Marks a request, in its extensions, as an upload to Object Storage, which is signed without its body.
#[derive(Clone, Copy)]
pub(super) struct Upload;

#[async_trait::async_trait]
impl Middleware for SigningMiddleware {
    /// After a 401, renews the credentials and sends the request once more.
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let covers_body = extensions.get::<Upload>().is_none();
        let credentials = self.principal.credentials((self.clock)()).await;
        let spare = request.try_clone();
        sign(&mut request, covers_body, &credentials, (self.clock)())?;
        let response = next.clone().run(request, extensions).await?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(mut request) = spare
            && let Some(fresh) = self.principal.renew(&credentials).await
        {
            sign(&mut request, covers_body, &fresh, (self.clock)())?;
            return next.run(request, extensions).await;
        }
        Ok(response)
    }
}

/// The parts of a request that are signed, in addition to its headers.
pub(crate) struct SignableRequest<'a> {
    pub(crate) method: &'a Method,
    /// Path and query, percent-encoded.
    pub(crate) target: &'a str,
    /// The `host` header.
    pub(crate) host: &'a str,
    /// The body, if the signature covers it.
    pub(crate) body: Option<&'a [u8]>,
}

fn sign(
    request: &mut Request,
    covers_body: bool,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<()> {
    let host = host(request.url());
    let target = target(request.url());
    let method = request.method().clone();
    let covers_body = covers_body && matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let body = request
        .body()
        .and_then(|body| body.as_bytes())
        .unwrap_or_default()
        .to_vec();
    let signable = SignableRequest {
        method: &method,
        target: &target,
        host: &host,
        body: covers_body.then_some(&body),
    };
    sign_headers(&signable, request.headers_mut(), credentials, now)
        .map_err(|reason| Error::middleware(std::io::Error::other(reason)))
}

/// Adds the headers of a signature, and those that it covers.
pub(crate) fn sign_headers(
    request: &SignableRequest<'_>,
    headers: &mut HeaderMap,
    credentials: &Credentials,
    now: SystemTime,
) -> std::result::Result<(), String> {
    let date = httpdate::fmt_http_date(now);
    let content_type = match headers.get(header::CONTENT_TYPE) {
        Some(value) => value
            .to_str()
            .map_err(|error| error.to_string())?
            .to_owned(),
        None => "application/json".to_owned(),
    };
    let signable = Signable {
        method: request.method,
        target: request.target,
        host: Some(request.host),
        date: &date,
        body: request.body.map(|bytes| Body {
            content_type: &content_type,
            bytes,
        }),
    };
    let key_id = credentials.key_id.reveal();
    let authorization = signature::authorization(&signable, key_id, &credentials.key)
        .map_err(|error| error.to_string())?;
    let mut authorization =
        HeaderValue::try_from(authorization).map_err(|_| "the key id is not a header value")?;
    authorization.set_sensitive(true);
    headers.insert(header::DATE, value(date)?);
    headers.insert(header::HOST, value(request.host.to_owned())?);
    if let Some(bytes) = request.body {
        let digest = signature::content_sha256(bytes);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        headers.insert(header::CONTENT_TYPE, value(content_type)?);
        headers.insert("x-content-sha256", value(digest)?);
    }
    headers.insert(header::AUTHORIZATION, authorization);
    Ok(())
}

fn value(text: String) -> std::result::Result<HeaderValue, String> {
    HeaderValue::try_from(text).map_err(|error| error.to_string())
}

/// The `host` header as it is sent: with the port, unless it is the scheme's default.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Path and query as they are sent.
fn target(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}
