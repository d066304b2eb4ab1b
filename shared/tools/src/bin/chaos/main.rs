//! Chaos: known records, windows of the real job, kill -9 of the job and of brokers, endpoints that do everything an
//! endpoint should not; then an independent checker says whether a promise was broken. The same seed plans the same
//! storm; what the machine makes of its timing differs.

mod checker;
mod corpus;
mod dice;
mod forward;
mod storm;
mod table;
mod weather;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::storm::Plan;

/// Runs windows of the job through a storm and checks that nothing was lost.
#[derive(Parser)]
#[command(name = "chaos", version)]
struct Flags {
    /// What the storm is made from; printed, so that it can be had again. Unset: the time.
    #[arg(long)]
    seed: Option<u64>,
    /// How often the job is killed.
    #[arg(long, default_value_t = 25)]
    kills: usize,
    /// The long form: 200 kills.
    #[arg(long)]
    long: bool,
    /// The job; unset: `forward` beside this program.
    #[arg(long)]
    forward: Option<PathBuf>,
    /// How the outcome is printed: text, or json.
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
        forward: forward::find(flags.forward)?,
    };
    eprintln!("chaos: seed {seed}, {} kills", plan.kills);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime
        .block_on(storm::rage(&plan))
        .with_context(|| format!("the storm of seed {seed}"))?;
    if flags.output == "json" {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print!("{}", table::of(&outcome));
    }
    Ok(if outcome.verdict.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
