//! A connection with minimal overhead, so that the measurement contains the function and not its caller.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// A connection to a function: one write per call, and reads until the reply is complete.
pub(crate) struct Connection {
    stream: UnixStream,
    request: Vec<u8>,
    reply: Vec<u8>,
    expected: &'static str,
}

impl Connection {
    /// Connects to the function at `socket`, for calls with `datum` whose replies must contain `expected`.
    pub(crate) fn open(socket: &Path, datum: &[u8], expected: &'static str) -> Result<Self> {
        Self::with_type(socket, "application/octet-stream", datum, expected)
    }

    /// The same with a body of this content type.
    pub(crate) fn with_type(
        socket: &Path,
        content_type: &str,
        body: &[u8],
        expected: &'static str,
    ) -> Result<Self> {
        let mut request = format!(
            "POST /call HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\naccept-encoding: gzip\r\n\
             content-type: {content_type}\r\nfn-call-id: 01DWCALL000000000000000001\r\n\
             fn-deadline: 2999-01-01T00:00:00Z\r\n\r\n{:x}\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        request.extend_from_slice(b"\r\n0\r\n\r\n");
        Ok(Self {
            stream: UnixStream::connect(socket)?,
            request,
            reply: vec![0; 4096],
            expected,
        })
    }

    /// Calls the function and returns the duration.
    pub(crate) fn call(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.stream.write_all(&self.request)?;
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.reply[read..])?;
            ensure!(more > 0, "the function closed the connection");
            read += more;
            if let Some(body) = complete_body(&self.reply[..read])? {
                let time = start.elapsed();
                ensure!(body.contains(self.expected), "unexpected reply: {body}");
                return Ok(time);
            }
        }
    }
}

/// The body of a complete reply; `None` if the reply is incomplete.
fn complete_body(reply: &[u8]) -> Result<Option<&str>> {
    let text = std::str::from_utf8(reply)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(None);
    };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("the reply has no content-length")?
        .1;
    Ok((body.len() >= length.parse()?).then_some(body))
}
