//! `agent`: one call to a function that runs already, as Fn's agent makes it. For functions in containers, which a
//! script starts with the flags that Fn's server gives.
//!
//! The body comes from standard input; the reply goes to standard output as JSON. A reply that would cost a real
//! container its life is exit code 1.

use std::io::{Read, stdin};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::{Map, json};
use testkit::agent::{Call, Line};

/// Calls a function over its socket, once or in a row.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The name of the socket, as FN_LISTENER has it. It is waited for.
    socket: PathBuf,
    /// The method and the URL of the gateway's caller, as "POST /path"; without it, the call is a direct one.
    #[arg(long)]
    http: Option<String>,
    /// A header of the caller's, as "name: value".
    #[arg(long = "header")]
    headers: Vec<String>,
    /// How many seconds the function has.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// How many calls to make, one after another; the last one's reply is shown, and how long each took.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// How many milliseconds to wait for the socket.
    #[arg(long, default_value_t = 5000)]
    patience: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.times > 0, "--times is 0");
    let mut body = Vec::new();
    stdin()
        .read_to_end(&mut body)
        .context("reading the body from standard input")?;
    let mut call = match &arguments.http {
        Some(line) => {
            let (method, url) = line
                .split_once(' ')
                .context("--http is no method and URL, as \"POST /path\"")?;
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

    let end = Instant::now() + Duration::from_millis(arguments.patience);
    while std::fs::symlink_metadata(&arguments.socket).is_err() {
        ensure!(
            Instant::now() < end,
            "no socket {} within {} ms",
            arguments.socket.display(),
            arguments.patience
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut line = Line::open(&arguments.socket).await?;
    let mut took = Vec::new();
    let mut begun = Instant::now();
    let mut reply = line.call(call.clone()).await?;
    took.push(begun.elapsed().as_secs_f64() * 1e3);
    for _ in 1..arguments.times {
        begun = Instant::now();
        reply = line.call(call.clone()).await?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
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
            "milliseconds": took,
        })
    );
    Ok(())
}
