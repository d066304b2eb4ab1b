//! Writes the messages to files, with the program `create-avro-sample`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use testkit::program;
use tokio::io::AsyncWriteExt;

use crate::messages::{Body, Message};

/// Writes the message into `folder` and returns the path.
///
/// # Errors
/// `create-avro-sample` is not built or fails.
pub(crate) async fn create(message: &Message, folder: &Path) -> Result<PathBuf> {
    let path = folder.join(message.file);
    let read = |other: &str| {
        let path = folder.join(other);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
    };
    match &message.body {
        Body::Datum(record) => encode(&path, &[], &record.to_string()).await?,
        Body::Container(records) => {
            let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
            encode(&path, &["--container", "--codec", "deflate"], &lines).await?;
        }
        Body::OneByteMore(other) => {
            let mut bytes = read(other)?;
            bytes.push(0);
            write(&path, &bytes)?;
        }
        Body::OneByteLess(other) => {
            let mut bytes = read(other)?;
            bytes.pop();
            write(&path, &bytes)?;
        }
        Body::Text(text) => write(&path, text.as_bytes())?,
    }
    Ok(path)
}

async fn encode(path: &Path, flags: &[&str], json: &str) -> Result<()> {
    let mut child = program::command(&program::built("create-avro-sample")?)
        .args(flags)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting create-avro-sample")?;
    let mut stdin = child.stdin.take().context("standard input is not piped")?;
    stdin.write_all(json.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "create-avro-sample: {stderr}");
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
