//! The tutorial's own stack: a function in Python that does the same work.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::agent::Agent;
use lab::program::built;

use super::Field;
use super::spread::{Spread, ratio};
use super::wire::Wire;

/// What both functions decode by.
pub(crate) const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/user.avsc");
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/fn/python/function"
);
/// Fn pauses a container 50 ms after its reply.
const FROZEN: Duration = Duration::from_millis(150);
const FREEZES: usize = 40;

/// The function in Python.
pub(crate) struct Function {
    /// What starts it.
    pub(crate) program: PathBuf,
}

impl Function {
    /// Fetches what it needs from PyPI, unless that was done before.
    pub(crate) fn fetch() -> Result<Self> {
        let output = Command::new(SCRIPT)
            .output()
            .with_context(|| format!("running {SCRIPT}"))?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{SCRIPT}: {words}");
        Ok(Self {
            program: PathBuf::from(String::from_utf8(output.stdout)?.trim()),
        })
    }

    /// A call to a function that was frozen meanwhile, from SIGCONT to its reply, ours and Python's in turn.
    pub(crate) async fn after_a_freeze(&self, field: &Field) -> Result<()> {
        let mut times = [const { Vec::new() }; 2];
        let functions = [
            Agent::start(&built("fn-recep-avro")?, &field.settings()).await?,
            Agent::start(&self.program, &field.settings()).await?,
        ];
        for round in 0..=FREEZES {
            for (function, times) in functions.iter().zip(&mut times) {
                let mut wire = Wire::to(&function.socket(), &field.datum, "\"offset\"")?;
                wire.call()?;
                function.freeze()?;
                tokio::time::sleep(FROZEN).await;
                let start = Instant::now();
                function.thaw()?;
                wire.call()?;
                if round > 0 {
                    times.push(start.elapsed());
                }
            }
        }
        let [ours, theirs] = times.map(Spread::of);
        println!("request after a freeze               {ours}");
        println!("Python: request after a freeze       {theirs}");
        ratio("after a freeze / Python's", &ours, &theirs, "");
        Ok(())
    }
}
