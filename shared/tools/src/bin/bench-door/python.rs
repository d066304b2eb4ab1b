//! The function in the tutorial's stack, Python.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::agent::Agent;
use testkit::program::built;

use super::Setup;
use super::freeze::{self, Freeze};
use super::spread::ratio;

/// The path of the schema.
pub(crate) const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/user.avsc");
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/fn/python/function"
);

/// The Python function.
pub(crate) struct Function {
    /// The path of its program.
    pub(crate) program: PathBuf,
}

impl Function {
    /// Installs its dependencies from PyPI, if they are not installed.
    pub(crate) fn install() -> Result<Self> {
        let output = Command::new(SCRIPT)
            .output()
            .with_context(|| format!("running {SCRIPT}"))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{SCRIPT}: {stderr}");
        Ok(Self {
            program: PathBuf::from(String::from_utf8(output.stdout)?.trim()),
        })
    }

    /// Measures the time from SIGCONT to the reply, of this function and of the Python function.
    pub(crate) async fn after_a_freeze(&self, setup: &Setup) -> Result<()> {
        let [ours, theirs] = [
            Agent::start(&built("fn-recep-avro")?, &setup.settings()).await?,
            Agent::start(&self.program, &setup.settings()).await?,
        ];
        let functions: [(&dyn Freeze, _); 2] = [(&ours, "\"offset\""), (&theirs, "\"offset\"")];
        let spreads = freeze::calls(&functions, &setup.datum).await?;
        let [ours, theirs] = &spreads[..] else {
            return Ok(());
        };
        println!("request after a freeze               {ours}");
        println!("Python: request after a freeze       {theirs}");
        ratio("after a freeze / Python's", ours, theirs, "");
        Ok(())
    }
}
