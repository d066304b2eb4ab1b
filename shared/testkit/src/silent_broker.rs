//! A Kafka broker that answers ApiVersions and Metadata and no other request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result};

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;
/// The API keys and the newest version that the broker claims to support.
const SUPPORTED: [(i16, i16); 12] = [
    (0, 7),
    (1, 11),
    (2, 5),
    (METADATA, 1),
    (8, 7),
    (9, 5),
    (10, 2),
    (11, 5),
    (12, 3),
    (14, 3),
    (API_VERSIONS, 0),
    (22, 1),
];
/// The largest request that is read, in bytes.
const MAX_REQUEST: usize = 64 << 10;

/// A running broker. It stops when the process ends.
pub struct SilentBroker {
    /// The bootstrap server.
    pub address: String,
    /// The API key of each request that is not answered.
    pub unanswered: Receiver<i16>,
}

/// Starts the broker with one topic of one partition.
///
/// # Errors
/// There is no free port, or the thread cannot be started.
pub fn start(topic: &'static str) -> Result<SilentBroker> {
    start_advertising(topic, None, Duration::ZERO)
}

/// Starts the broker, which advertises this address instead of its own, and answers Metadata after this delay.
///
/// # Errors
/// There is no free port, or the thread cannot be started.
pub fn start_advertising(
    topic: &'static str,
    advertised: Option<SocketAddr>,
    delay: Duration,
) -> Result<SilentBroker> {
    let listener = TcpListener::bind("127.0.0.1:0").context("binding a broker")?;
    let address = listener.local_addr()?;
    let advertised = advertised.unwrap_or(address);
    let (sender, unanswered) = channel();
    std::thread::Builder::new().spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                // The client closes the connection.
                let _ = serve(stream, topic, advertised, delay, &sender);
            });
        }
    })?;
    Ok(SilentBroker {
        address: address.to_string(),
        unanswered,
    })
}

fn serve(
    mut stream: TcpStream,
    topic: &str,
    advertised: SocketAddr,
    delay: Duration,
    unanswered: &Sender<i16>,
) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if !(8..=MAX_REQUEST).contains(&length) {
            return Ok(());
        }
        let mut request = vec![0; length];
        stream.read_exact(&mut request)?;
        let short = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let mut answer = request[4..8].to_vec();
        match (short(0), short(2)) {
            (API_VERSIONS, version) => push_versions(&mut answer, version),
            (METADATA, _) => {
                std::thread::sleep(delay);
                push_metadata(&mut answer, topic, advertised);
            }
            (key, _) => {
                let _ = unanswered.send(key);
                continue;
            }
        }
        stream.write_all(&(answer.len() as u32).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

fn push_versions(answer: &mut Vec<u8>, version: i16) {
    let error = if version == 0 { 0 } else { UNSUPPORTED_VERSION };
    answer.extend(error.to_be_bytes());
    answer.extend((SUPPORTED.len() as u32).to_be_bytes());
    for (key, newest) in SUPPORTED {
        for number in [key, 0, newest] {
            answer.extend(number.to_be_bytes());
        }
    }
}

/// Metadata, version 1: this broker, and the topic with one partition.
fn push_metadata(answer: &mut Vec<u8>, topic: &str, address: SocketAddr) {
    const NODE: i32 = 1;
    answer.extend(1_i32.to_be_bytes());
    answer.extend(NODE.to_be_bytes());
    push_text(answer, &address.ip().to_string());
    answer.extend(i32::from(address.port()).to_be_bytes());
    // No rack.
    answer.extend((-1_i16).to_be_bytes());
    // The controller, and the number of topics.
    answer.extend(NODE.to_be_bytes());
    answer.extend(1_i32.to_be_bytes());
    answer.extend(0_i16.to_be_bytes());
    push_text(answer, topic);
    answer.push(0);
    answer.extend(1_i32.to_be_bytes());
    answer.extend(0_i16.to_be_bytes());
    // Partition, leader, replicas, in-sync replicas.
    for number in [0, NODE, 1, NODE, 1, NODE] {
        answer.extend(number.to_be_bytes());
    }
}

fn push_text(answer: &mut Vec<u8>, text: &str) {
    answer.extend((text.len() as u16).to_be_bytes());
    answer.extend(text.as_bytes());
}
