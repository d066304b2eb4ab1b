//! A byte stream to an endpoint, TCP or TLS, with a count of the bytes in each direction.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_native_tls::TlsStream;

use super::movable::MovableTcp;
use super::tls::TlsConfig;
use crate::endpoint_url::EndpointUrl;

/// An open stream.
pub(super) struct EndpointStream {
    socket: Socket,
    counts: Arc<ByteCounts>,
}

/// The bytes that a stream has sent and received. Only the stream changes them.
#[derive(Debug, Default)]
pub(super) struct ByteCounts {
    sent: AtomicU64,
    received: AtomicU64,
}

/// An open stream that belongs to no runtime.
#[derive(Debug)]
pub(super) struct DetachedStream {
    /// Without its TCP stream.
    stream: EndpointStream,
    tcp: std::net::TcpStream,
}

enum Socket {
    Tcp(MovableTcp),
    Tls(Box<TlsStream<MovableTcp>>),
}

impl ByteCounts {
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Load and store: with a single writer, that is a cheaper `fetch_add`.
    fn add(count: &AtomicU64, bytes: usize) {
        let sum = count.load(Ordering::Relaxed) + bytes as u64;
        count.store(sum, Ordering::Relaxed);
    }
}

impl EndpointStream {
    /// Uses a connection to the endpoint or its proxy; starts TLS if the URL's scheme is `https`.
    pub(super) async fn start(
        stream: TcpStream,
        url: &EndpointUrl,
        tls: &dyn TlsConfig,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let stream = MovableTcp::new(stream);
        let socket = if url.tls {
            let connector = tls.connector()?;
            let stream = connector.connect(&url.host, stream).await;
            Socket::Tls(Box::new(stream.map_err(io::Error::other)?))
        } else {
            Socket::Tcp(stream)
        };
        Ok(Self {
            socket,
            counts: Arc::default(),
        })
    }

    /// Removes the stream from the runtime of the caller.
    pub(super) fn detach(mut self) -> io::Result<DetachedStream> {
        let tcp = self.tcp().detach()?;
        Ok(DetachedStream { stream: self, tcp })
    }

    fn tcp(&mut self) -> &mut MovableTcp {
        match &mut self.socket {
            Socket::Tcp(tcp) => tcp,
            Socket::Tls(tls) => tls.get_mut().get_mut().get_mut(),
        }
    }

    /// The counters, which remain readable after the stream has been moved into the HTTP connection.
    pub(super) fn counts(&self) -> Arc<ByteCounts> {
        Arc::clone(&self.counts)
    }

    fn count_sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            ByteCounts::add(&self.counts.sent, *bytes);
        }
    }
}

impl DetachedStream {
    /// Whether the endpoint has neither closed the connection nor sent anything.
    pub(super) fn is_idle(&self) -> bool {
        let peeked = self.tcp.peek(&mut [0]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Adds the stream to the runtime of the caller.
    pub(super) fn attach(mut self) -> io::Result<EndpointStream> {
        self.stream.tcp().attach(self.tcp)?;
        Ok(self.stream)
    }
}

impl fmt::Debug for EndpointStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointStream").finish_non_exhaustive()
    }
}

impl AsyncRead for EndpointStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        let bytes = buffer.filled().len() - before;
        ByteCounts::add(&self.counts.received, bytes);
        read
    }
}

impl AsyncWrite for EndpointStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.count_sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // One write of a short buffer is faster than a vectored write.
        let mut buffer = [0; MAX_JOINED];
        if let Some(bytes) = join(slices, &mut buffer) {
            return self.poll_write(cx, bytes);
        }
        let written = match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        };
        self.count_sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Tcp(stream) => stream.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Requests up to this length are written from one buffer.
const MAX_JOINED: usize = 1024;

/// Copies the slices into the buffer, if they fit.
fn join<'a>(slices: &[io::IoSlice<'_>], buffer: &'a mut [u8; MAX_JOINED]) -> Option<&'a [u8]> {
    let mut end = 0;
    for slice in slices {
        let target = buffer.get_mut(end..end + slice.len())?;
        target.copy_from_slice(slice);
        end += slice.len();
    }
    buffer.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_slices_are_joined() {
        let (head, body, long) = ([1; 600], [2; 424], [3; 425]);
        let mut buffer = [0; MAX_JOINED];
        let slices = [
            io::IoSlice::new(&head),
            io::IoSlice::new(&[]),
            io::IoSlice::new(&body),
        ];
        let whole = [&head[..], &body[..]].concat();
        assert_eq!(join(&slices, &mut buffer), Some(&whole[..]));
        let slices = [io::IoSlice::new(&head), io::IoSlice::new(&long)];
        assert_eq!(join(&slices, &mut buffer), None);
        assert_eq!(join(&[], &mut buffer), Some(&[][..]));
    }
}
