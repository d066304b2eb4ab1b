//! What the programs that answer HTTP have in common: accepting connections, serving requests, shutting down.
//!
//! The crate speaks HTTP/1.1 by hyper, with or without TLS. It does not route requests, and does not decide which clients
//! may send some: a program passes one handler for all requests.
//!
//! - [`server::serve`] serves the connections of a [`listener::Listener`] until a shutdown signal
//! - [`listener::TcpAcceptor`] accepts TCP connections, with the certificate of a [`tls::TlsContext`] if it has one
//! - [`body::read`] reads a request body within a limit and a deadline
//! - [`problem::Problem`] is an error response (RFC 9457)
//! - [`idempotency::parse_key`] reads the `Idempotency-Key` header
//! - [`settings`] declares the address and the limits of request bodies
//! - [`program::run`] runs an asynchronous main function and returns the exit code
//!
//! ```
//! use bytes::Bytes;
//! use http::Response;
//! use http_server::listener::TcpAcceptor;
//! use http_server::server::{http1, serve};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), http_server::program::Failure> {
//! let listener = TcpAcceptor::bind("127.0.0.1:0").await?;
//! let handler = |_request| async { Response::new(Bytes::from_static(b"ok")) };
//! // A program passes `signal::shutdown()?`. This server shuts down at once.
//! let shutdown = std::future::ready(());
//! serve(listener, http1(Duration::from_secs(10), 65_536), 16, handler, shutdown).await;
//! # Ok(())
//! # }
//! ```

pub mod body;
mod connections;
pub mod idempotency;
pub mod listener;
pub mod problem;
pub mod program;
pub mod server;
pub mod settings;
pub mod signal;
pub mod stream;
pub mod tls;
