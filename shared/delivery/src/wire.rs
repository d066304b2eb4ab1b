//! A connection to an endpoint, beneath HTTP: TCP or TLS, and a count of what goes through.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_native_tls::TlsStream;

use super::target::Target;

/// An open connection.
pub(super) struct Wire {
    stream: Stream,
    traffic: Rc<Traffic>,
}

/// Bytes so far, of use after the wire has been handed to HTTP.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) sent: Cell<u64>,
    pub(super) received: Cell<u64>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to endpoints; the system's authorities are read when the first TLS connection is made.
#[derive(Default)]
pub(super) struct Connector {
    tls: std::sync::OnceLock<tokio_native_tls::TlsConnector>,
}

impl Connector {
    /// Opens a connection: every address of the name in turn, then TLS if the URL says so.
    pub(super) async fn connect(&self, target: &Target) -> io::Result<Wire> {
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
        stream.set_nodelay(true)?;
        let stream = if target.tls {
            let tls = self.tls()?.connect(&target.host, stream).await;
            Stream::Tls(Box::new(tls.map_err(io::Error::other)?))
        } else {
            Stream::Plain(stream)
        };
        Ok(Wire {
            stream,
            traffic: Rc::default(),
        })
    }

    fn tls(&self) -> io::Result<&tokio_native_tls::TlsConnector> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let tls = native_tls::TlsConnector::new().map_err(io::Error::other)?;
        Ok(self.tls.get_or_init(|| tls.into()))
    }
}

impl Wire {
    /// The counters.
    pub(super) fn traffic(&self) -> Rc<Traffic> {
        Rc::clone(&self.traffic)
    }

    fn note_sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = written {
            let sent = &self.traffic.sent;
            sent.set(sent.get() + *count as u64);
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        let count = (buffer.filled().len() - before) as u64;
        let received = &self.traffic.received;
        received.set(received.get() + count);
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.note_sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The system is quicker with one short piece than with a list of them.
        let mut short = [0; SHORT];
        if let Some(bytes) = joined(slices, &mut short) {
            return self.poll_write(cx, bytes);
        }
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        };
        self.note_sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Requests up to this length are sent from one piece.
const SHORT: usize = 1024;

/// The slices in a row, if they are short enough.
fn joined<'a>(slices: &[io::IoSlice<'_>], room: &'a mut [u8; SHORT]) -> Option<&'a [u8]> {
    let mut end = 0;
    for slice in slices {
        let place = room.get_mut(end..end + slice.len())?;
        place.copy_from_slice(slice);
        end += slice.len();
    }
    room.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pieces_are_joined_and_long_ones_are_not() {
        let (head, body, long) = ([1; 600], [2; 424], [3; 425]);
        let mut room = [0; SHORT];
        let slices = [
            io::IoSlice::new(&head),
            io::IoSlice::new(&[]),
            io::IoSlice::new(&body),
        ];
        let whole = [&head[..], &body[..]].concat();
        assert_eq!(joined(&slices, &mut room), Some(&whole[..]));
        let slices = [io::IoSlice::new(&head), io::IoSlice::new(&long)];
        assert_eq!(joined(&slices, &mut room), None);
        assert_eq!(joined(&[], &mut room), Some(&[][..]));
    }
}
