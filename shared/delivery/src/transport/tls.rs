//! The TLS configuration of an endpoint.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use tokio_native_tls::TlsConnector;

/// The TLS configuration of the connections to an endpoint: trusted authorities, client certificate, protocol versions.
pub trait TlsConfig: fmt::Debug + Send + Sync {
    /// The connector for a new connection. It is called for each TLS connection: an implementation that reads files keeps
    /// the connector, which is cheap to clone.
    ///
    /// # Errors
    /// The configuration cannot be loaded. The request counts as a failed attempt.
    fn connector(&self) -> io::Result<TlsConnector>;
}

/// Trusts the system's authorities, or those in the file that `SSL_CERT_FILE` names. They are read once for the process,
/// when the first TLS connection is made.
#[derive(Clone, Copy, Debug)]
pub struct SystemTls;

static SYSTEM: OnceLock<TlsConnector> = OnceLock::new();

impl TlsConfig for SystemTls {
    fn connector(&self) -> io::Result<TlsConnector> {
        if let Some(connector) = SYSTEM.get() {
            return Ok(connector.clone());
        }
        let connector = native_tls::TlsConnector::new().map_err(io::Error::other)?;
        Ok(SYSTEM.get_or_init(|| connector.into()).clone())
    }
}
