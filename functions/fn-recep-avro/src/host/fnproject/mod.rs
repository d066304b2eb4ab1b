//! A container of Fn Project or Oracle Cloud Functions (fnproject/docs, `fn/develop/fn-format.md`).
//!
//! The agent sends one call at a time, as HTTP/1.1 over a Unix socket, and freezes the container between calls. It
//! accepts the statuses 200, 502 and 504 and kills the container after any other. Therefore every response has status
//! 200, and the real status is in `Fn-Http-Status`; only the failure of a detached call has status 502.

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

use super::current_function::CurrentFunction;
use super::probe::Probe;
use header_limit::{LimitedListener, PARSER_MAX_BYTES, PARSER_MAX_FIELDS};
use headers::Intent;
use http_server::program::Failure;
use http_server::{server, signal};
use socket::Socket;

/// The most connections. The agent sends one call at a time, and may keep a few idle connections.
const MAX_CONNECTIONS: usize = 64;

/// A container whose socket is bound.
pub(super) struct FnContainer {
    socket: Socket,
    log_frame: Option<LogFrame>,
}

/// A line that is printed at the start of each call, so that a log service can separate the calls: `NAME=VALUE` with the
/// value of a request header.
#[derive(Clone)]
struct LogFrame {
    name: String,
    header: String,
}

impl FnContainer {
    /// Binds the socket that the environment names, if it names one.
    pub(super) fn detect(
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Failure> {
        let given = |name: &str| environment(name).filter(|value| !value.is_empty());
        let Some(listener) = given("FN_LISTENER") else {
            return Ok(None);
        };
        if let Some(format) = given("FN_FORMAT").filter(|format| format != "http-stream") {
            return Err(Failure::configuration(format!(
                "FN_FORMAT is {format:?}, expected http-stream: set the format of the function"
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

    /// Handles calls until the agent ends the process, usually by SIGKILL.
    pub(super) async fn serve(self, function: CurrentFunction) -> Result<(), Failure> {
        let Self { socket, log_frame } = self;
        let listener = LimitedListener(socket.listener().map_err(Failure::software)?);
        info!(socket = %socket, "listening");
        // No timeouts: the agent may keep a connection idle, and the container may be frozen at any time.
        let mut http = Builder::new();
        http.max_headers(PARSER_MAX_FIELDS)
            .max_buf_size(PARSER_MAX_BYTES);
        let handler = move |request: Request<Incoming>| {
            let function = function.clone();
            if let Some(frame) = &log_frame {
                frame.print(request.headers());
            }
            async move { handle(&function, request).await }
        };
        let shutdown = signal::shutdown()?;
        server::serve(listener, http, MAX_CONNECTIONS, handler, shutdown).await;
        Ok(())
    }
}

async fn handle(function: &CurrentFunction, request: Request<Incoming>) -> Response<Bytes> {
    let intent = Intent::of(request.headers());
    let call = headers::call(request.headers(), SystemTime::now(), Instant::now());
    let is_detached = headers::is_detached(request.headers());
    let path = headers::path(request.headers(), intent);
    let request = headers::unwrap(request, intent);
    let response = match Probe::of(request.method(), &path, request.headers()) {
        Some(probe) => probe.respond(function, &call).await,
        None => function.handle_measured(request, &call).await,
    };
    // The agent freezes the container after the response.
    function.flush_telemetry(&call).await;
    headers::wrap(response, intent, is_detached)
}

impl LogFrame {
    fn print(&self, headers: &HeaderMap) {
        let value = headers
            .get(&self.header)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .unwrap_or_default();
        let line = format!("\n{}={value}\n", self.name);
        // Standard output or standard error may be closed. The call continues without the line.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}
