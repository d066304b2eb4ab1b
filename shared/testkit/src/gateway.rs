//! An API gateway: accepts HTTP requests and calls a function through its [`Agent`].
//!
//! Like Oracle's gateway it adds the caller's address to the headers and limits the size of bodies.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::agent::{Agent, Call};

/// The largest accepted body.
const MAX_BODY_BYTES: usize = 6_000_000;

/// A running gateway in front of one function. Dropping this stops it.
pub struct Gateway {
    address: SocketAddr,
    agent: Arc<Mutex<Agent>>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Listens on `address` (port 0: a free port) and calls the function for one request at a time.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(agent: Agent, address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("binding the gateway to {address}"))?;
        let address = listener.local_addr()?;
        let agent = Arc::new(Mutex::new(agent));
        let task = tokio::spawn(accept(listener, Arc::clone(&agent)));
        Ok(Self {
            address,
            agent,
            task,
        })
    }

    /// The gateway's URL, such as `http://127.0.0.1:1234/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The function's agent.
    pub fn agent(&self) -> &Mutex<Agent> {
        &self.agent
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, agent: Arc<Mutex<Agent>>) {
    while let Ok((stream, peer)) = listener.accept().await {
        let agent = Arc::clone(&agent);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let agent = Arc::clone(&agent);
                async move { Ok::<_, Infallible>(route(request, peer, &agent).await) }
            });
            // The caller may close the connection at any time.
            let _ = Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn route(
    request: Request<Incoming>,
    peer: SocketAddr,
    agent: &Mutex<Agent>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large");
    };
    let url = head.uri.path_and_query().map_or("/", |url| url.as_str());
    let mut call = Call::http(head.method.as_str(), url, body.to_bytes());
    for (name, value) in &head.headers {
        if let (false, Ok(value)) = (name == CONNECTION, value.to_str()) {
            call = call.header(name.as_str(), value);
        }
    }
    if !head.headers.contains_key("content-type") {
        call = call.header("content-type", "application/octet-stream");
    }
    call = call
        .header("x-real-ip", &peer.ip().to_string())
        .header("x-forwarded-for", &peer.ip().to_string());
    if let Some(host) = head.headers.get(HOST).and_then(|host| host.to_str().ok()) {
        call = call.header("x-forwarded-host", host);
    }
    match agent.lock().await.call(call).await {
        Ok(reply) => {
            let mut response = Response::new(Full::new(reply.body));
            *response.status_mut() =
                StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
            *response.headers_mut() = end_to_end(reply.headers);
            response
        }
        Err(reason) => {
            tracing::error!(error = %reason, "function call failed");
            error(StatusCode::BAD_GATEWAY, "Bad Gateway")
        }
    }
}

/// Removes the headers that concern one connection only (RFC 9110 7.6.1).
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

fn error(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let body = format!(r#"{{"code":{},"message":"{message}"}}"#, status.as_u16());
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}
