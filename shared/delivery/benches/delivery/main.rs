//! The throughput of delivery, compared with a bare TCP client in the same run.
//!
//! `cargo bench -p delivery --bench delivery [-- rounds]` starts two local servers: one that only counts bytes, and one
//! with hyper, as real endpoints have. To each of them, in turns and over the same number of connections, send
//! 1. a bare TCP client that repeats one request and reads as many bytes as the response has;
//! 2. delivery, one record in a request;
//! 3. delivery, 500 records in a request.
//!
//! It prints the best of so many rounds. The ratio to the bare client is the result.
//!
//! Then it compares the formats of a body with Avro, and access tokens and TLS with plain requests, all with hyper.

#![allow(clippy::expect_used)]

mod access;
mod formats;
mod measure;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use delivery::EndpointConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use measure::{CONNECTIONS, DATUM, Measured, SCHEMA, cpu_of, deliver};
use server::{ANSWER, converse, converse_hyper, runtime, serve};

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
        let endpoint = EndpointConfig::new("A", format!("http://127.0.0.1:{port}/"));
        let mut best = [("bare TCP client", Measured::NONE); 3];
        best[1].0 = "delivery, 1 a request";
        best[2].0 = "delivery, 500 a request";
        let mut offer = f64::MAX;
        for _ in 0..rounds {
            if wanted("bare") {
                best[0].1.improve(&bare_client(port, 100_000));
            }
            if wanted("single") {
                best[1].1.improve(&deliver(endpoint.clone(), 100_000).0);
            }
            if wanted("batched") {
                let batched = endpoint.clone().with_container_files(500, SCHEMA);
                let (measured, nanoseconds) = deliver(batched, 2_000_000);
                best[2].1.improve(&measured);
                offer = offer.min(nanoseconds);
            }
        }
        println!(
            "{server} server, {CONNECTIONS} connections, best of {rounds}; offer: {offer:.0} ns"
        );
        print(&best);
    }
    if wanted("formats") {
        formats::compare(rounds);
    }
    if wanted("access") {
        access::compare(rounds);
    }
}

/// Prints each figure, and its ratio to the first.
fn print(measured: &[(&str, Measured)]) {
    let base = measured.first().map_or(f64::NAN, |(_, first)| first.rate);
    for (name, Measured { rate, cpu }) in measured {
        println!(
            "  {name:23} {rate:>9.0} records/s  {:>6.2}   {cpu:>6.2} µs CPU",
            rate / base
        );
    }
}

/// The best of so many rounds for each endpoint, in turns.
fn best_of<'n>(
    rounds: usize,
    endpoints: &[(&'n str, EndpointConfig)],
    records: usize,
) -> Vec<(&'n str, Measured)> {
    let mut best: Vec<_> = endpoints
        .iter()
        .map(|(name, _)| (*name, Measured::NONE))
        .collect();
    for _ in 0..rounds {
        for ((_, endpoint), (_, best)) in endpoints.iter().zip(&mut best) {
            best.improve(&deliver(endpoint.clone(), records).0);
        }
    }
    best
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
