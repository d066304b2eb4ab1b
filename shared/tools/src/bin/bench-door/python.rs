//! The tutorial's own stack: a function in Python that does the same work.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::agent::Agent;
use testkit::program::built;

use super::Field;
use super::freeze::{self, Frozen};
use super::spread::ratio;

/// What both functions decode by.
pub(crate) const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/user.avsc");
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/fn/python/function"
);

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
        let [ours, theirs] = [
            Agent::start(&built("fn-recep-avro")?, &field.settings()).await?,
            Agent::start(&self.program, &field.settings()).await?,
        ];
        let functions: [(&dyn Frozen, _); 2] = [(&ours, "\"offset\""), (&theirs, "\"offset\"")];
        let spreads = freeze::calls(&functions, &field.datum).await?;
        let [ours, theirs] = &spreads[..] else {
            return Ok(());
        };
        println!("request after a freeze               {ours}");
        println!("Python: request after a freeze       {theirs}");
        ratio("after a freeze / Python's", ours, theirs, "");
        Ok(())
    }
}
