//! `oci-standin`: runs the stand-in for Oracle Cloud, for scripts, for the official `oci` CLI, and to run Frontdoor without a
//! cloud.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use testkit::oci_standin::Standin;
use tokio::signal::unix::{SignalKind, signal};

/// Serves Object Storage, Vault, metadata and federation on the loopback, and verifies the signature of every request.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The address; port 0 selects a free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// The folder for keys and configuration: `config` and `key.pem` for the CLI, `rpst` and `private.pem` of a
    /// resource principal, and `standin.env`, which a shell can source.
    #[arg(long)]
    folder: PathBuf,
    /// The lifetime of the resource principal's token in seconds. The token is renewed after half of it.
    #[arg(long, default_value_t = 3600)]
    lifetime: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = arguments.folder;
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
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
    // Write this file last: scripts wait for it.
    std::fs::write(folder.join("standin.env"), lines)?;
    println!("listening on {}", cloud.endpoint());
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
