//! Bounds the header section of each request before hyper parses it.
//!
//! hyper answers a header section beyond its limits with a bare 431 and closes the connection. fnserver then responds
//! with 502 and kills the container. Every client can cause this: fnserver accepts 1 MiB of header fields, in any number
//! and with names of any length, and adds the prefix `Fn-Http-H-` to each. The limiter forwards a section within the
//! limits unchanged. Of a larger section it forwards what the limits allow, drops the rest and adds the field
//! [`EXCESS`], so that the function rejects the request with a problem.
//!
//! The limiter follows the message framing (RFC 9112, section 6) to find the next header section. It never changes a
//! body. If it does not understand the framing of a message, it forwards the rest of the connection unchanged.

mod limiter;
mod section;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};

use http_server::listener::Listener;
use limiter::HeaderLimiter;
use section::{EXCESS, MAX_BYTES, MAX_FIELDS, REQUIRED};

/// The most header fields that the limiter forwards: hyper's limit.
pub(super) const PARSER_MAX_FIELDS: usize = MAX_FIELDS + REQUIRED.len() + 1;
/// The most bytes of a header section that the limiter forwards: hyper's limit.
pub(super) const PARSER_MAX_BYTES: usize = MAX_BYTES + 16 * 1024;

/// The size of the read buffer, in bytes.
const INPUT: usize = 16 * 1024;

/// Which limit the header section exceeded, if any: `more than 1024 header fields`.
pub(super) fn excess(headers: &HeaderMap) -> Option<&str> {
    headers.get(EXCESS)?.to_str().ok()
}

/// Accepts connections from the agent.
pub(super) struct LimitedListener(pub(super) UnixListener);

impl Listener for LimitedListener {
    type Stream = LimitedStream;

    async fn accept(&self) -> io::Result<LimitedStream> {
        let (stream, _) = self.0.accept().await?;
        Ok(LimitedStream {
            stream,
            limiter: HeaderLimiter::default(),
            input: vec![0; INPUT].into_boxed_slice(),
            output: Vec::new(),
            consumed: 0,
        })
    }
}

/// A connection whose input goes through a [`HeaderLimiter`].
pub(super) struct LimitedStream {
    stream: UnixStream,
    limiter: HeaderLimiter,
    input: Box<[u8]>,
    output: Vec<u8>,
    /// How many bytes of the output the reader has consumed.
    consumed: usize,
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Input without output was dropped. Returning without output would mean the end of the stream.
        while this.consumed == this.output.len() {
            this.output.clear();
            this.output.shrink_to(INPUT);
            this.consumed = 0;
            let mut input = ReadBuf::new(&mut this.input);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut input))?;
            if input.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.limiter.push(input.filled(), &mut this.output);
        }
        let rest = &this.output[this.consumed..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.consumed += count;
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
