//! A Kafka broker that rejects every password and repeats it in the error message, after padding of a given length.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result};

const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;
const UNSUPPORTED_VERSION: i16 = 35;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// The largest request that is read, in bytes.
const MAX_REQUEST: usize = 64 << 10;

/// Starts the broker and returns its address. The broker stops when the process ends.
///
/// # Errors
/// There is no free port, or the thread cannot be started.
pub fn start(padding: usize) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("binding a broker")?;
    let address = listener.local_addr()?.to_string();
    std::thread::Builder::new().spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // The client closes the connection after the error.
                let _ = serve(stream, padding);
            });
        }
    })?;
    Ok(address)
}

fn serve(mut stream: TcpStream, padding: usize) -> std::io::Result<()> {
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
            (API_VERSIONS, version) => {
                let error = if version == 0 { 0 } else { UNSUPPORTED_VERSION };
                answer.extend(error.to_be_bytes());
                answer.extend(3_u32.to_be_bytes());
                for (api, max) in [
                    (API_VERSIONS, 0),
                    (SASL_HANDSHAKE, 1),
                    (SASL_AUTHENTICATE, 0),
                ] {
                    for number in [api, 0, max] {
                        answer.extend(number.to_be_bytes());
                    }
                }
            }
            (SASL_HANDSHAKE, _) => {
                answer.extend(0_i16.to_be_bytes());
                answer.extend(1_u32.to_be_bytes());
                push_text(&mut answer, "PLAIN");
            }
            (SASL_AUTHENTICATE, _) => {
                // \0user\0password (RFC 4616) is the last field.
                let password = request.rsplit(|byte| *byte == 0).next().unwrap_or_default();
                let password = String::from_utf8_lossy(password);
                answer.extend(SASL_AUTHENTICATION_FAILED.to_be_bytes());
                push_text(
                    &mut answer,
                    &format!("{}refused: {password}", ".".repeat(padding)),
                );
                answer.extend(0_u32.to_be_bytes());
            }
            _ => return Ok(()),
        }
        stream.write_all(&(answer.len() as u32).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

fn push_text(answer: &mut Vec<u8>, text: &str) {
    answer.extend((text.len() as u16).to_be_bytes());
    answer.extend(text.as_bytes());
}
