//! A container of Fn Project or Oracle Cloud Functions: HTTP/1.1 over a Unix socket, one call at a time, frozen
//! between calls (fnproject/docs, `fn/develop/fn-format.md`).
//!
//! The agent takes only 200, 502 and 504 for an answer and kills the container over any other status. So every
//! reply, a refusal too, is a 200 whose true status is in `Fn-Http-Status`.

mod header_limit;
mod headers;
mod socket;

use std::io::Write;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use tracing::info;

use super::entrance::Entrance;
use header_limit::{LimitedListener, PARSER_MAX_BYTES, PARSER_MAX_FIELDS};
use headers::Intent;
use http_server::program::Failure;
use http_server::server;
use socket::Socket;

/// The agent keeps to one call at a time; a few more connections than that are closing ones.
const CONNECTIONS: usize = 16;

/// The contract with the agent, and the socket that it waits for.
pub(super) struct Host {
    socket: Socket,
    log_frame: Option<LogFrame>,
}

/// Which request header is printed at the start of each call, and under which name, so that a log service can tell
/// the calls apart.
#[derive(Clone)]
struct LogFrame {
    name: String,
    header: String,
}

impl Host {
    /// Takes the place of the host that the environment names: binds the socket, if it names one.
    pub(super) fn take(
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Failure> {
        let given = |name: &str| environment(name).filter(|value| !value.is_empty());
        let Some(listener) = given("FN_LISTENER") else {
            return Ok(None);
        };
        if let Some(format) = given("FN_FORMAT").filter(|format| format != "http-stream") {
            return Err(Failure::configuration(format!(
                "FN_FORMAT is {format:?}, expected http-stream: give the function that format"
            )));
        }
        let log_frame = match (given("FN_LOGFRAME_NAME"), given("FN_LOGFRAME_HDR")) {
            (Some(name), Some(header)) => Some(LogFrame { name, header }),
            _ => None,
        };
        Ok(Some(Self {
            socket: Socket::bind(&listener).map_err(Failure::configuration)?,
            log_frame,
        }))
    }

    /// Answers the agent until it ends us, which it does by SIGKILL.
    pub(super) async fn serve(self, entrance: Entrance) -> Result<(), Failure> {
        let Self { socket, log_frame } = self;
        let listener = LimitedListener(socket.listener().map_err(Failure::software)?);
        info!(socket = %socket, "listening");
        // No timeouts: the agent's silence is its right, and we may be frozen in the middle of anything.
        let mut http = Builder::new();
        http.max_headers(PARSER_MAX_FIELDS)
            .max_buf_size(PARSER_MAX_BYTES);
        let answer = move |request: Request<Incoming>| {
            let entrance = entrance.clone();
            if let Some(frame) = &log_frame {
                frame.print(request.headers());
            }
            async move { one_call(&entrance, request).await }
        };
        let stop = server::told_to_end()?;
        server::serve(listener, http, CONNECTIONS, answer, stop).await;
        Ok(())
    }
}

async fn one_call(entrance: &Entrance, request: Request<Incoming>) -> Response<Bytes> {
    let intent = Intent::of(request.headers());
    let call = headers::call(request.headers(), SystemTime::now(), Instant::now());
    let response = entrance
        .answer(headers::unwrap(request, intent), &call)
        .await;
    headers::wrap(response, intent)
}

impl LogFrame {
    fn print(&self, headers: &HeaderMap) {
        let value = headers
            .get(&self.header)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .unwrap_or_default();
        let line = format!("\n{}={value}\n", self.name);
        // Where nobody reads, there is nobody to tell.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}
