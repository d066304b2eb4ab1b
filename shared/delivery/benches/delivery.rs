//! The throughput of delivery, compared with a bare TCP client in the same run.
//!
//! `cargo bench -p delivery --bench delivery [-- rounds]` starts two local servers: one that only counts bytes, and one
//! with hyper, as real endpoints have. To each of them, in turns and over the same number of connections, send
//! 1. a bare TCP client that repeats one request and reads as many bytes as the response has;
//! 2. delivery, one record in a request;
//! 3. delivery, 500 records in a request.
//!
//! It prints the best of so many rounds. The ratio to the bare client is the result.

#![allow(clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::{Completion, Delivery, DeliveryConfig, DeliveryOutcome, EndpointConfig, Limits};
use http_body_util::{BodyExt, Full};
use record::{Coordinates, Message, StreamId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 64;
const SCHEMA: &str = r#"{"type":"record","name":"User","fields":[{"name":"id","type":"int"},{"name":"name","type":"string"},{"name":"email","type":"string"}]}"#;
const DATUM: &[u8] = b"\xe4\x0f\x14Ada Lovelace, Countess\x24ada@example.test";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nok";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(5);
    // Names select what is measured, for a profiler.
    let wanted = |name: &str| {
        let mut names = words
            .iter()
            .filter(|word| word.starts_with(char::is_alphabetic))
            .peekable();
        names.peek().is_none() || names.any(|word| word == name)
    };
    for (server, port) in [("plain", serve(converse)), ("hyper", serve(converse_hyper))] {
        if !wanted(server) {
            continue;
        }
        let mut best = [("bare TCP client", Measured::NONE); 3];
        best[1].0 = "delivery, 1 a request";
        best[2].0 = "delivery, 500 a request";
        let mut offer = f64::MAX;
        for _ in 0..rounds {
            if wanted("bare") {
                best[0].1.improve(&bare_client(port, 100_000));
            }
            if wanted("single") {
                best[1].1.improve(&delivery(port, 1, 100_000).0);
            }
            if wanted("batched") {
                let (measured, nanoseconds) = delivery(port, 500, 2_000_000);
                best[2].1.improve(&measured);
                offer = offer.min(nanoseconds);
            }
        }
        println!(
            "{server} server, {CONNECTIONS} connections, best of {rounds}; offer: {offer:.0} ns"
        );
        let bare = best[0].1.rate;
        for (name, Measured { rate, cpu }) in best {
            println!(
                "  {name:23} {rate:>9.0} records/s  {:>6.2}   {cpu:>6.2} µs CPU",
                rate / bare
            );
        }
    }
}

/// Records a second, and the CPU time of the HTTP thread for each, in microseconds.
#[derive(Clone, Copy)]
struct Measured {
    rate: f64,
    cpu: f64,
}

impl Measured {
    const NONE: Self = Self {
        rate: 0.0,
        cpu: f64::NAN,
    };

    /// Keeps the better of each figure. On a busy machine the CPU time varies less.
    fn improve(&mut self, other: &Self) {
        self.rate = self.rate.max(other.rate);
        self.cpu = self.cpu.min(other.cpu);
    }
}

/// The CPU time of this process's thread with that name, in nanoseconds, on Linux.
fn cpu_of(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let named = |path: &std::path::Path| {
        let comm = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        comm.trim() == name
    };
    let spent = |path: &std::path::Path| {
        let schedstat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<f64>().ok()
    };
    let mut paths = tasks.map(|task| task.path()).filter(|path| named(path));
    paths.find_map(|path| spent(&path)).unwrap_or(f64::NAN)
}

/// A client that knows the length of the response.
fn bare_client(port: u16, requests: usize) -> Measured {
    let client = move || bare_requests(port, requests);
    let thread = std::thread::Builder::new()
        .name("bare".into())
        .spawn(client);
    thread.expect("a thread").join().expect("a client")
}

fn bare_requests(port: u16, requests: usize) -> Measured {
    let request = format!(
        "POST / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nuser-agent: frontdoor/0.1.0\r\ncontent-type: \
         application/octet-stream\r\nidempotency-key: \"cluster/topic/0/1000000\"\r\ncontent-length: {}\r\n\r\n",
        DATUM.len()
    );
    let request: Arc<[u8]> = [request.as_bytes(), DATUM].concat().into();
    runtime().block_on(async {
        let remaining = Arc::new(AtomicUsize::new(requests));
        let start = Instant::now();
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let (request, remaining) = (Arc::clone(&request), Arc::clone(&remaining));
            connections.push(tokio::spawn(async move {
                let mut stream = TcpStream::connect(("127.0.0.1", port))
                    .await
                    .expect("connects");
                stream.set_nodelay(true).expect("nodelay");
                let mut answer = [0; ANSWER.len()];
                while remaining
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |remaining| {
                        remaining.checked_sub(1)
                    })
                    .is_ok()
                {
                    stream.write_all(&request).await.expect("written");
                    stream.read_exact(&mut answer).await.expect("answered");
                }
            }));
        }
        for connection in connections {
            connection.await.expect("a connection");
        }
        Measured {
            rate: requests as f64 / start.elapsed().as_secs_f64(),
            cpu: cpu_of("bare") / 1000.0 / requests as f64,
        }
    })
}

/// Delivery, and the nanoseconds of an accepted offer.
fn delivery(port: u16, batch: usize, records: usize) -> (Measured, f64) {
    let endpoint = EndpointConfig::new("A", format!("http://127.0.0.1:{port}/"));
    let endpoint = match batch {
        1 => endpoint,
        records => endpoint.with_container_files(records, SCHEMA),
    };
    let limits = Limits {
        max_in_flight: CONNECTIONS,
        queue_messages: if batch > 1 { 100_000 } else { 10_000 },
        ..Limits::default()
    };
    let config = DeliveryConfig {
        endpoints: vec![EndpointConfig { limits, ..endpoint }],
        queue_bytes: 64 << 20,
        stream: StreamId {
            cluster: "lkc-0123456789abcdef0123".into(),
            topic: "FrontDoorTopic".into(),
        },
        seed: 1,
    };
    let (sender, completions) = channel();
    let start = Instant::now();
    let delivery = Delivery::start(config, sender).expect("starts");
    let topic: Arc<str> = "FrontDoorTopic".into();
    let payload = Bytes::copy_from_slice(DATUM);
    let (mut delivered, mut offer_time, mut timed) = (0, Duration::ZERO, 0_u32);
    let mut count = |group: Vec<Completion>| {
        delivered += group.len();
        assert!(group.iter().all(is_delivered));
    };
    for offset in 0..records {
        let mut message = Message {
            at: Coordinates {
                topic: Arc::clone(&topic),
                // As in a fetch: a few thousand records of a partition, then of the next.
                partition: (offset / 5000 % 4) as i32,
                offset: offset as i64,
            },
            key: None,
            value: Some(payload.clone()),
            payload: None,
            headers: Vec::new(),
            timestamp: None,
            client_key: None,
        };
        if offset.is_multiple_of(16) {
            let before = Instant::now();
            match delivery.offer(0, message) {
                Ok(()) => {
                    offer_time += before.elapsed();
                    timed += 1;
                    continue;
                }
                Err(back) => message = back,
            }
        }
        while let Err(back) = delivery.offer(0, message) {
            message = back;
            if let Ok(group) = completions.recv_timeout(Duration::from_millis(1)) {
                count(group);
            }
        }
        if offset.is_multiple_of(64) {
            completions.try_iter().for_each(&mut count);
        }
    }
    delivery.flush();
    while delivered < records {
        let group = completions.recv().expect("delivery runs");
        delivered += group.len();
        assert!(group.iter().all(is_delivered));
    }
    let measured = Measured {
        rate: records as f64 / start.elapsed().as_secs_f64(),
        cpu: cpu_of("delivery") / 1000.0 / records as f64,
    };
    (measured, offer_time.as_nanos() as f64 / f64::from(timed))
}

fn is_delivered(completion: &Completion) -> bool {
    matches!(completion.outcome, DeliveryOutcome::Delivered(_))
}

/// A server on a thread of its own that responds when a body is complete. Both servers send the same response.
fn serve<F: Future<Output = Option<()>> + Send + 'static>(
    converse: impl Fn(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    listener.set_nonblocking(true).expect("nonblocking");
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::from_std(listener).expect("listener");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("nodelay");
                tokio::spawn(converse(stream));
            }
        });
    });
    port
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
}

async fn converse_hyper(stream: TcpStream) -> Option<()> {
    let service =
        hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
            request.into_body().collect().await?;
            Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from_static(b"ok"))))
        });
    let io = hyper_util::rt::TokioIo::new(stream);
    hyper::server::conn::http1::Builder::new()
        .serve_connection(io, service)
        .await
        .ok()
}

/// Responds after as many bytes as the content length.
async fn converse(mut stream: TcpStream) -> Option<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.ok()?;
        if read == 0 {
            return None;
        }
        filled += read;
        let Some(end) = request_end(&buffer[..filled]) else {
            continue;
        };
        buffer.copy_within(end..filled, 0);
        filled -= end;
        stream.write_all(ANSWER).await.ok()?;
    }
}

/// The end of the first request, if it is complete.
fn request_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes
        .windows(4)
        .take(1024)
        .position(|window| window == b"\r\n\r\n")?;
    let name = b"content-length: ";
    let at = bytes[..head]
        .windows(name.len())
        .position(|window| window == name)?
        + name.len();
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    let end = head + 4 + length;
    (bytes.len() >= end).then_some(end)
}
