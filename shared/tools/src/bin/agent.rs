//! `agent`: calls a running function as Fn's agent does. Tests use it for functions in containers.
//!
//! The body is read from standard input; the reply is written to standard output as JSON. The exit code is 1 after a
//! reply for which Fn would kill the container.

use std::io::{Read, stdin};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::{Map, json};
use testkit::agent::{Call, Connection};

/// Calls a function over its socket.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The path of the socket, as in FN_LISTENER.
    socket: PathBuf,
    /// The method and the URL of a gateway's caller, such as "POST /path". Default: a direct call.
    #[arg(long)]
    http: Option<String>,
    /// A header of the caller, as "name: value".
    #[arg(long = "header")]
    headers: Vec<String>,
    /// The timeout of each call, in seconds.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// The number of calls. Prints the reply of the last one and the duration of each.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// How long to wait for the socket, in milliseconds.
    #[arg(long, default_value_t = 5000)]
    socket_timeout: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.times > 0, "--times must be greater than zero");
    let mut body = Vec::new();
    stdin()
        .read_to_end(&mut body)
        .context("reading the body from standard input")?;
    let mut call = match &arguments.http {
        Some(line) => {
            let (method, url) = line
                .split_once(' ')
                .context("--http must be a method and a URL, such as \"POST /path\"")?;
            Call::http(method, url, body)
        }
        None => Call::direct(body),
    };
    for header in &arguments.headers {
        let (name, value) = header
            .split_once(':')
            .with_context(|| format!("--header {header:?} has no colon"))?;
        call = call.header(name, value.trim());
    }
    call = call.timeout(Duration::from_secs(arguments.timeout));

    let end = Instant::now() + Duration::from_millis(arguments.socket_timeout);
    while std::fs::symlink_metadata(&arguments.socket).is_err() {
        ensure!(
            Instant::now() < end,
            "no socket {} within {} ms",
            arguments.socket.display(),
            arguments.socket_timeout
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut connection = Connection::open(&arguments.socket).await?;
    let mut milliseconds = Vec::new();
    let mut started = Instant::now();
    let mut reply = connection.call(call.clone()).await?;
    milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
    for _ in 1..arguments.times {
        started = Instant::now();
        reply = connection.call(call.clone()).await?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let headers: Map<_, _> = reply
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), json!(value))
        })
        .collect();
    println!(
        "{}",
        json!({
            "outer": reply.outer,
            "status": reply.status,
            "headers": headers,
            "body": String::from_utf8_lossy(&reply.body),
            "body_base64": STANDARD.encode(&reply.body),
            "milliseconds": milliseconds,
        })
    );
    Ok(())
}
