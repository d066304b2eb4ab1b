//! The byte stream of a connection, with or without TLS.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use openssl::ssl::Ssl;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::tls::PeerCertificate;

/// The address of the other end of a connection, in the extensions of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

impl PeerAddress {
    /// Whether the peer is a program on this machine. It may be a proxy that passes on requests of other machines.
    pub fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

/// The byte stream of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Does what is necessary before the first request, and returns the client's certificate if it has presented one.
    fn handshake(&mut self) -> impl Future<Output = io::Result<Option<PeerCertificate>>> + Send {
        std::future::ready(Ok(None))
    }

    /// The address of the other end, if it has one.
    fn peer_address(&self) -> Option<PeerAddress> {
        None
    }
}

/// A TCP connection.
pub enum TcpConnection {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(SslStream<TcpStream>),
}

impl TcpConnection {
    pub(crate) fn new(stream: TcpStream, session: Option<Ssl>) -> io::Result<Self> {
        match session {
            None => Ok(Self::Plain(stream)),
            Some(session) => Ok(Self::Tls(SslStream::new(session, stream)?)),
        }
    }
}

impl Stream for TcpConnection {
    async fn handshake(&mut self) -> io::Result<Option<PeerCertificate>> {
        let Self::Tls(stream) = self else {
            return Ok(None);
        };
        let accepted = Pin::new(&mut *stream).accept().await;
        accepted.map_err(io::Error::other)?;
        let certificate = stream.ssl().peer_certificate();
        Ok(certificate.map(|certificate| PeerCertificate::of(&certificate)))
    }

    fn peer_address(&self) -> Option<PeerAddress> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
        };
        stream.peer_addr().ok().map(PeerAddress)
    }
}

impl AsyncRead for TcpConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for TcpConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
