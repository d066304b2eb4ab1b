//! Connections to endpoints: TCP or TLS, direct or through a proxy, HTTP/1.1, one request at a time on each.

mod client;
mod connection;
mod idle_pool;
mod movable;
mod nginx_status;
mod response_text;
mod stream;
mod tls;
mod tls_files;
mod tunnel;

pub(crate) use client::ConnectionSlot;
pub use client::{EndpointClient, ProbeError};
pub(crate) use idle_pool::IdlePool;
pub use tls::{SystemTls, TlsConfig};
pub use tls_files::{Pem, TlsFiles};
