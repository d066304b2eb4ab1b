//! `bench-window`: compares runs of the job with the limits of the machine, with Apache Kafka. Each figure is the ratio of two
//! consecutive measurements, the median of several rounds.
//!
//! 1. filtering, one record in a hundred matches ÷ a librdkafka consumer of the same topic;
//! 2. every record matches, one POST each ÷ a TCP client with the same number of connections to the same server;
//! 3. every record matches, many per POST ÷ the consumer;
//! 4. peak resident memory;
//! 5. process start to first request;
//! 6. one POST each with `ORDER=key` and `ORDER=partition` ÷ `ORDER=none`, over a thousand keys;
//! 7. fast routes beside a slow one ÷ alone;
//! 8. framed records, whose schema is in Apicurio Registry ÷ raw ones, filtering and one POST each;
//! 9. with `METRICS_FILE` ÷ without, filtering and one POST each.
//!
//! Times are from process start to exit. Broker, server and client share the processors, so the processor time of each side is
//! reported too.

mod ceiling;
mod drain;
mod fairness;
mod measure;
mod outcome;
mod rounds;
mod server;
mod topic;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Measures runs of the job.
#[derive(Parser)]
#[command(name = "bench-window", version)]
struct Flags {
    #[command(subcommand)]
    part: Option<Part>,
    /// How many records a window holds.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Also measures the memory with ten million records.
    #[arg(long)]
    long: bool,
    /// The number of rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The path of the job. Default: `forward` in the folder of this program.
    #[arg(long)]
    forward: Option<PathBuf>,
    /// The numbers of the measurements, such as 1,2,5.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5, 6, 7, 8, 9])]
    only: Vec<u8>,
    /// The format of the outcome.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

/// A comparison process.
#[derive(Subcommand)]
enum Part {
    /// Reads all records of a topic.
    #[command(hide = true)]
    Drain {
        /// `host:port`.
        bootstrap: String,
        /// Topic.
        topic: String,
    },
    /// Sends requests with a TCP client.
    #[command(hide = true)]
    Ceiling {
        /// `host:port`.
        address: std::net::SocketAddr,
        /// The number of requests.
        requests: usize,
        /// The number of connections.
        connections: usize,
    },
    /// The endpoint of the measurements, for a benchmark outside this program: prints its URL, and for each line of the
    /// standard input the number of requests since the previous one. Ends with the standard input.
    #[command(hide = true)]
    Serve,
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    match flags.part {
        Some(Part::Drain { bootstrap, topic }) => return drain::run(&bootstrap, &topic),
        Some(Part::Ceiling {
            address,
            requests,
            connections,
        }) => return ceiling::run(address, requests, connections),
        Some(Part::Serve) => return serve(),
        None => {}
    }
    let own = std::env::current_exe()?;
    let forward = flags
        .forward
        .unwrap_or_else(|| own.with_file_name("forward"));
    if !forward.is_file() {
        bail!(
            "{} does not exist: build it (cargo build --release -p forward --bin forward) or pass --forward",
            forward.display()
        );
    }
    if cfg!(debug_assertions) {
        eprintln!("bench-window: this is a debug build: its figures are not meaningful");
    }
    let plan = rounds::Plan {
        records: flags.records,
        long: flags.long,
        rounds: flags.rounds,
        only: flags.only,
        forward,
        own,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(rounds::run(&plan))?;
    if flags.output == "json" {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print!("{}", outcome.table());
    }
    Ok(())
}

fn serve() -> Result<()> {
    let server = server::Server::start()?;
    println!("{}", server.url());
    let mut reported = 0;
    for line in std::io::stdin().lines() {
        line?;
        let requests = server.requests();
        println!("{}", requests - reported);
        reported = requests;
    }
    Ok(())
}
