//! Sources of connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::TcpListener;

use crate::program::Failure;
use crate::stream::{Stream, TcpConnection};
use crate::tls::TlsContext;

/// How long a peer may leave sent data unacknowledged, or keep its receive window closed, before its connection is
/// closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A source of connections.
pub trait Listener: Send {
    /// One connection.
    type Stream: Stream;

    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Accepts TCP connections, with TLS if [`TcpAcceptor::with_tls`] is called.
///
/// A connection is closed if its peer does not read for 10 seconds. Otherwise clients that never read their response
/// could occupy all connections.
pub struct TcpAcceptor {
    listener: TcpListener,
    write_timeout: Duration,
    tls: Option<TlsContext>,
}

impl TcpAcceptor {
    /// Binds the address of the setting `listen`: `host:port`. Port 0 is any free port.
    ///
    /// # Errors
    /// The address is malformed, in use, or not an address of this machine.
    pub async fn bind(address: &str) -> Result<Self, Failure> {
        Self::with_write_timeout(address, WRITE_TIMEOUT).await
    }

    /// Accepts from a listener that is bound already. To be called on a runtime.
    ///
    /// # Errors
    /// A system call fails.
    pub fn of(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            write_timeout: WRITE_TIMEOUT,
            tls: None,
        })
    }

    pub(crate) async fn with_write_timeout(
        address: &str,
        write_timeout: Duration,
    ) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::configuration(format!(
                "LISTEN is {address}, which cannot be bound: {error}"
            ))
        })?;
        Ok(Self {
            listener,
            write_timeout,
            tls: None,
        })
    }

    /// Accepts only TLS on the connections, if there is a context.
    #[must_use]
    pub fn with_tls(self, tls: Option<TlsContext>) -> Self {
        Self { tls, ..self }
    }

    /// The bound address.
    ///
    /// # Errors
    /// The system call fails.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Listener for TcpAcceptor {
    type Stream = TcpConnection;

    async fn accept(&self) -> io::Result<TcpConnection> {
        let (stream, _) = self.listener.accept().await?;
        // A response is small and written at once. Waiting for more data (Nagle's algorithm) would only delay it.
        stream.set_nodelay(true)?;
        // RFC 5482. Linux also counts the time in which the peer's receive window is closed.
        SockRef::from(&stream).set_tcp_user_timeout(Some(self.write_timeout))?;
        let tls = self.tls.as_ref();
        let session = tls.map(|tls| tls.session(Instant::now())).transpose()?;
        TcpConnection::new(stream, session)
    }
}
