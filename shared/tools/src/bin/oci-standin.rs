//! The Oracle Cloud stand-in as a program: for scripts, for the official `oci` CLI, and to try Frontdoor without a
//! cloud. Nothing leaves this machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use testkit::oci_standin::Standin;
use tokio::signal::unix::{SignalKind, signal};

/// Object Storage, Vault, metadata and federation on loopback; every request must be signed.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// The folder for keys and configuration: `config` and `key.pem` for the CLI, `rpst` and `private.pem` of a
    /// resource principal, and `standin.env`, which a shell can source.
    #[arg(long)]
    folder: PathBuf,
    /// How many seconds the resource principal's token lasts; it is renewed when half of them are over.
    #[arg(long, default_value_t = 3600)]
    lifetime: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = arguments.folder;
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let cloud = Standin::listen(&arguments.listen).await?;
    let config = cloud.api_key(&folder)?;
    let lifetime = Duration::from_secs(arguments.lifetime);
    let mut variables = cloud.resource_principal(&folder, lifetime)?;
    variables.push(("OCI_ENDPOINT", cloud.endpoint()));
    variables.push(("OCI_CLI_ENDPOINT", cloud.endpoint()));
    variables.push(("OCI_CLI_CONFIG_FILE", config.display().to_string()));
    variables.push(("OCI_METADATA_BASE_URL", cloud.metadata()));
    let lines: String = variables
        .iter()
        .map(|(name, value)| format!("export {name}='{value}'\n"))
        .collect();
    // Last: who waits for this file finds everything else in its place.
    std::fs::write(folder.join("standin.env"), lines)?;
    println!("Oracle Cloud stands in at {}", cloud.endpoint());
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = interrupted.recv() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
            () = tokio::time::sleep(lifetime / 2) => {
                cloud.resource_principal(&folder, lifetime)?;
            }
        }
    }
}
