//! `chaos`: runs the job while it kills the job and brokers and injects faults into the endpoints and the schema registry;
//! then an independent checker verifies that no record was lost.
//!
//! The same seed gives the same fault plan. The timing on the machine differs between runs.

mod answers;
mod body;
mod canary;
mod checker;
mod corpus;
mod faults;
mod form;
mod framed;
mod ingest;
mod job;
mod outcome;
mod registry;
mod rng;
mod runner;
mod stretch;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::outcome::Plan;

/// Kills the job and brokers, injects faults into endpoints and the schema registry, and verifies that no record is lost.
#[derive(Parser)]
#[command(name = "chaos", version)]
struct Flags {
    /// The seed of the fault plan. Default: the current time. It is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many times the job is killed.
    #[arg(long, default_value_t = 12)]
    kills: usize,
    /// Kills the job 200 times.
    #[arg(long)]
    long: bool,
    /// The path of the job. Default: `forward` in the folder of this program.
    #[arg(long)]
    forward: Option<PathBuf>,
    /// The format of the outcome.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

fn main() -> Result<ExitCode> {
    let flags = Flags::parse();
    let seed = match flags.seed {
        Some(seed) => seed,
        None => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_millis() as u64,
    };
    let plan = Plan {
        seed,
        kills: if flags.long { 200 } else { flags.kills },
        forward: job::find(flags.forward)?,
    };
    eprintln!("chaos: seed {seed}, {} kills", plan.kills);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime
        .block_on(runner::run(&plan))
        .with_context(|| format!("chaos with seed {seed}"))?;
    if flags.output == "json" {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print!("{}", table::of(&outcome));
    }
    Ok(if outcome.verdict.is_pass() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
