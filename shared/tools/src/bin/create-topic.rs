//! `create-topic`: creates a topic; for scripts and for trying things out. `create-topic 127.0.0.1:9092 TOPIC 4`.

use anyhow::Result;
use clap::Parser;
use testkit::topics::Topics;

/// Creates a topic on a broker without TLS and SASL, and waits until it can be written to.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The broker, as host:port.
    bootstrap: String,
    /// The topic.
    topic: String,
    /// The number of partitions.
    partitions: i32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    Topics::connect(&arguments.bootstrap)?
        .create(&arguments.topic, arguments.partitions, &[])
        .await
}
