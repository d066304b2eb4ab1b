//! A TCP stream that can move to another thread: tokio binds a stream to the runtime in which it was opened.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream, or its place while the stream moves.
pub(super) struct MovableTcp(Option<TcpStream>);

impl MovableTcp {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(Some(stream))
    }

    /// Removes the stream from the runtime. Until [`MovableTcp::attach`], reading and writing fail.
    pub(super) fn detach(&mut self) -> io::Result<std::net::TcpStream> {
        match self.0.take() {
            Some(stream) => stream.into_std(),
            None => Err(moving()),
        }
    }

    /// Registers a stream that was detached with the runtime of the caller.
    pub(super) fn attach(&mut self, stream: std::net::TcpStream) -> io::Result<()> {
        self.0 = Some(TcpStream::from_std(stream)?);
        Ok(())
    }

    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        self.get_mut().0.as_mut().map(Pin::new).ok_or_else(moving)
    }
}

fn moving() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for MovableTcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for MovableTcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
