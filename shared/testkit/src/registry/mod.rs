//! Apicurio Registry for tests: starts a schema registry with `deploy/schema-registry/schema-registry` on a free port,
//! stops and restarts it.
//!
//! Dropping the value stops the registry and deletes its files. So does the end of this process.

mod guids;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

pub use guids::with_guids;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/schema-registry/schema-registry"
);

/// A running registry without authentication.
pub struct Registry {
    dir: PathBuf,
    url: String,
}

impl Registry {
    /// Starts a registry without schemas and waits until it is ready. The first start on a machine downloads Apicurio
    /// Registry with Maven.
    ///
    /// # Errors
    /// Java or Maven is missing, or the registry did not start. The error contains the script's standard error.
    pub fn start() -> Result<Self> {
        // The script deletes the directory when the registry stops or this process ends.
        let dir = tempfile::Builder::new()
            .prefix("frontdoor-registry-")
            .tempdir()?
            .keep();
        let mut registry = Self {
            dir,
            url: String::new(),
        };
        let parent = std::process::id().to_string();
        registry.url = registry.script("start", &["--parent", &parent])?;
        Ok(registry)
    }

    /// One registry for all tests of a process. It stops when the process ends.
    ///
    /// # Errors
    /// The first caller could not start it.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Registry>> = OnceLock::new();
        match SHARED.get_or_init(Self::start) {
            Ok(registry) => Ok(registry),
            Err(error) => bail!("{error:#}"),
        }
    }

    /// The base URL of the Confluent-compatible API, for `SCHEMA_REGISTRY_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the registry. [`Registry::restart`] starts it again.
    ///
    /// # Errors
    /// The script failed.
    pub fn stop(&self) -> Result<()> {
        self.script("stop", &["--keep"]).map(drop)
    }

    /// Starts a stopped registry with its URL and its schemas, and waits until it is ready.
    ///
    /// # Errors
    /// The registry is running, or did not start.
    pub fn restart(&self) -> Result<()> {
        self.script("revive", &[]).map(drop)
    }

    /// The script's standard output.
    fn script(&self, verb: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(SCRIPT)
            .arg(verb)
            .arg("--dir")
            .arg(&self.dir)
            .args(arguments)
            .output()
            .with_context(|| format!("running {SCRIPT}"))?;
        if !output.status.success() {
            bail!(
                "{verb} a schema registry: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // If this fails, the script still stops the registry when this process ends.
        let _ = self.script("stop", &[]);
    }
}
