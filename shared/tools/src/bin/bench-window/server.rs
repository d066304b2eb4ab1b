//! The endpoint of the benchmarks: responds with 200, counts requests, and records the time of the first one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The response to every request.
pub(crate) const ANSWER: &[u8; 38] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A running server. It stops when the process ends.
pub(crate) struct Server {
    address: SocketAddr,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    requests: AtomicUsize,
    first: OnceLock<Instant>,
}

impl Server {
    /// Starts a server in a new thread.
    pub(crate) fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        let serving = Arc::clone(&counters);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&serving)));
                }
            });
        });
        Ok(Self { address, counters })
    }

    /// The address of the server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://host:port/`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The number of requests.
    pub(crate) fn requests(&self) -> usize {
        self.counters.requests.load(Ordering::Relaxed)
    }

    /// The time of the first request.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.counters.first.get().copied()
    }
}

async fn serve(mut stream: TcpStream, counters: Arc<Counters>) {
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::with_capacity(64 * 1024);
    loop {
        let whole = loop {
            if let Some(length) = request_length(&unread)
                && unread.len() >= length
            {
                break length;
            }
            match stream.read_buf(&mut unread).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        unread.drain(..whole);
        counters.first.get_or_init(Instant::now);
        counters.requests.fetch_add(1, Ordering::Relaxed);
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

/// The length of the request at the start of the bytes; `None` if the head is incomplete.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = bytes[..head]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        })
        .next();
    Some(head + length.unwrap_or(0))
}
