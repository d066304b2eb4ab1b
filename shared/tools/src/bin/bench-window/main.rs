//! Benchmarks of one window against what the machine can do, on a real broker: each figure is a ratio of two runs that
//! follow one another, best of several rounds.
//!
//! 1. filter only, one record in a hundred matching ÷ a bare librdkafka drain of the same topic;
//! 2. every record matching, one POST each ÷ a bare TCP client with as many connections to the same server;
//! 3. every record matching, many per POST ÷ the bare drain;
//! 4. peak resident memory;
//! 5. process start to first request;
//! 6. one POST each with `ORDER=key` and `ORDER=partition` ÷ `ORDER=none`, over a thousand keys;
//! 7. with `--spark`, the first window by Spark Structured Streaming.
//!
//! Both sides of a ratio are timed from process start to exit. Broker, server and client share the processors, so what
//! each side costs in processor time is told beside it.

mod ceiling;
mod drain;
mod measure;
mod outcome;
mod rounds;
mod server;
mod topic;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Measures windows of the job.
#[derive(Parser)]
#[command(name = "bench-window", version)]
struct Flags {
    #[command(subcommand)]
    part: Option<Part>,
    /// How many records a window holds.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// The long form: ten million records more, for memory.
    #[arg(long)]
    long: bool,
    /// How often each pair is run; the best run of each counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The job; unset: `forward` beside this program.
    #[arg(long)]
    forward: Option<PathBuf>,
    /// Compares with Spark, by this script (deploy/kafka/spark/run).
    #[arg(long)]
    spark: Option<PathBuf>,
    /// Only the numbered parts, as 1,2,5.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5, 6])]
    only: Vec<u8>,
    /// How the outcome is printed: text, or json.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

/// What a round runs as a process of its own.
#[derive(Subcommand)]
enum Part {
    /// Reads a topic from end to end and does nothing with it.
    #[command(hide = true)]
    Drain {
        /// `host:port`.
        bootstrap: String,
        /// Topic.
        topic: String,
    },
    /// Fills a new topic and leaves it, for a profiler.
    #[command(hide = true)]
    Fill {
        /// `host:port`.
        bootstrap: String,
        /// Topic.
        topic: String,
        /// How many records.
        records: usize,
        /// One in so many matches.
        every: usize,
    },
    /// Answers requests until it is killed, for a profiler.
    #[command(hide = true)]
    Serve,
    /// Sends requests from a bare TCP client.
    #[command(hide = true)]
    Ceiling {
        /// `host:port`.
        address: std::net::SocketAddr,
        /// How many requests.
        requests: usize,
        /// Over how many connections.
        connections: usize,
    },
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
        Some(Part::Fill {
            bootstrap,
            topic,
            records,
            every,
        }) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let topics = testkit::topics::Topics::of(&bootstrap)?;
            return runtime.block_on(topic::fill(&topics, &topic, records, every));
        }
        Some(Part::Serve) => {
            println!("{}", server::Server::start()?.url());
            loop {
                std::thread::park();
            }
        }
        None => {}
    }
    let own = std::env::current_exe()?;
    let forward = flags
        .forward
        .unwrap_or_else(|| own.with_file_name("forward"));
    if !forward.is_file() {
        bail!(
            "{} is not there: build it (cargo build --release -p forward --bin forward), or name it with --forward",
            forward.display()
        );
    }
    if cfg!(debug_assertions) {
        eprintln!("bench-window: this is a debug build; its figures mean nothing");
    }
    let plan = rounds::Plan {
        records: flags.records,
        long: flags.long,
        rounds: flags.rounds,
        only: flags.only,
        forward,
        spark: flags.spark,
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
