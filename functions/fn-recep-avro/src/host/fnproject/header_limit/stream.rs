//! Connections whose header sections are limited.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_server::listener::Listener;
use http_server::stream::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};

use super::limiter::HeaderLimiter;

/// The size of the read buffer, in bytes.
const INPUT: usize = 16 * 1024;

/// Accepts connections from the agent.
pub(in super::super) struct LimitedListener(pub(in super::super) UnixListener);

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
pub(in super::super) struct LimitedStream {
    stream: UnixStream,
    limiter: HeaderLimiter,
    input: Box<[u8]>,
    output: Vec<u8>,
    /// How many bytes of the output the reader has consumed.
    consumed: usize,
}

impl Stream for LimitedStream {}

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
