//! An HTTP client for tests: one request per connection, without TLS.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one request to an absolute `http://` URL on a new connection, and reads the whole response.
///
/// # Errors
/// The connection fails, there is no response within 30 seconds, or the response is malformed. A status is not an error.
pub async fn send(request: Request<Bytes>) -> Result<Response<Bytes>> {
    let uri = request.uri().clone();
    tokio::time::timeout(TIMEOUT, exchange(request))
        .await
        .with_context(|| format!("no response from {uri} within {TIMEOUT:?}"))?
        .with_context(|| format!("requesting {uri}"))
}

/// Sends a GET request to the URL.
///
/// # Errors
/// As [`send`].
pub async fn get(url: &str) -> Result<Response<Bytes>> {
    send(Request::get(url).body(Bytes::new())?).await
}

/// Sends a POST request with this body to the URL.
///
/// # Errors
/// As [`send`].
pub async fn post(url: &str, body: impl Into<Bytes>) -> Result<Response<Bytes>> {
    send(Request::post(url).body(body.into())?).await
}

async fn exchange(request: Request<Bytes>) -> Result<Response<Bytes>> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().context("no host in the URL")?.clone();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse::<Uri>()?;
    head.headers
        .entry(HOST)
        .or_insert(HeaderValue::from_str(authority.as_str())?);
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender
        .send_request(Request::from_parts(head, Full::new(body)))
        .await?;
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}
