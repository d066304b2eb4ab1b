//! `records`: prints the records of a topic as JSON lines, for tests that compare bytes.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::json;
use testkit::records::all;

/// Prints every record of a topic, by partition and offset; keys, values and headers as base64.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The broker, as host:port.
    bootstrap: String,
    /// The topic.
    topic: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let text = |bytes: &Vec<u8>| STANDARD.encode(bytes);
    for stored in all(&arguments.bootstrap, &arguments.topic)? {
        let headers: Vec<_> = stored
            .headers
            .iter()
            .map(|(name, value)| json!([name, value.as_ref().map(text)]))
            .collect();
        println!(
            "{}",
            json!({
                "partition": stored.partition,
                "offset": stored.offset,
                "timestamp": stored.timestamp,
                "key": stored.key.as_ref().map(text),
                "value": stored.value.as_ref().map(text),
                "headers": headers,
            })
        );
    }
    Ok(())
}
