//! Bounds the header section of each request before hyper parses it.
//!
//! hyper answers a header section beyond its limits with a bare 431 and closes the connection. fnserver turns that
//! into a 502 and kills the container, and every caller can cause it: fnserver accepts 1 MiB of header fields, in any
//! number and with names of any length, and lengthens each by the prefix `Fn-Http-H-`. The limiter forwards a section
//! within the limits unchanged. Of a larger one it forwards what the limits allow, drops the rest and adds the field
//! [`EXCESS`], so that the request is refused like any other.
//!
//! The limiter follows the message framing (RFC 9112, section 6) to find the next header section; it never changes a
//! body. From the first message with framing it does not understand, it forwards everything and leaves the rest to
//! hyper.

mod limiter;
mod section;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};

use http_server::server::Listener;
use limiter::HeaderLimiter;
use section::{EXCESS, MAX_BYTES, MAX_FIELDS, REQUIRED};

/// The limits to give to hyper. The limiter never exceeds them.
pub(super) const PARSER_MAX_FIELDS: usize = MAX_FIELDS + REQUIRED.len() + 1;
/// See [`PARSER_MAX_FIELDS`].
pub(super) const PARSER_MAX_BYTES: usize = MAX_BYTES + 16 * 1024;

/// How much is read at once.
const INPUT: usize = 16 * 1024;

/// What the header section has too much of, if it exceeds a limit.
pub(super) fn excess(headers: &HeaderMap) -> Option<&str> {
    headers.get(EXCESS)?.to_str().ok()
}

/// Accepts connections from the agent and limits the header sections on them.
pub(super) struct LimitedListener(pub(super) UnixListener);

impl Listener for LimitedListener {
    type Stream = LimitedStream;

    async fn next(&self) -> io::Result<LimitedStream> {
        let (stream, _) = self.0.accept().await?;
        Ok(LimitedStream {
            stream,
            limiter: HeaderLimiter::default(),
            input: vec![0; INPUT].into_boxed_slice(),
            output: Vec::new(),
            read: 0,
        })
    }
}

/// A connection whose reader receives what a [`HeaderLimiter`] forwards.
pub(super) struct LimitedStream {
    stream: UnixStream,
    limiter: HeaderLimiter,
    input: Box<[u8]>,
    output: Vec<u8>,
    /// How much of the output has been read.
    read: usize,
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // A read without output is not the end of the stream: everything in it was dropped.
        while this.read == this.output.len() {
            this.output.clear();
            this.output.shrink_to(INPUT);
            this.read = 0;
            let mut input = ReadBuf::new(&mut this.input);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut input))?;
            if input.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.limiter.push(input.filled(), &mut this.output);
        }
        let rest = &this.output[this.read..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LimitedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
