//! A process from start to exit: how long it took, and the most memory that it and its children held.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// What a process cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    /// From start to exit.
    pub(crate) seconds: f64,
    /// The most resident memory of the process and all its children together, as seen every few milliseconds.
    pub(crate) peak_mib: f64,
    /// What it wrote to its standard output.
    #[serde(skip)]
    pub(crate) output: String,
    /// When it started.
    #[serde(skip)]
    pub(crate) started: Option<Instant>,
}

/// Runs it to its end, which must be one of these exit codes.
pub(crate) fn run(command: &mut Command, codes: &[i32]) -> Result<Cost> {
    let started = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let pid = child.id();
    let watch = std::thread::spawn(move || end_of(child, started));
    let mut peak = 0;
    while !watch.is_finished() {
        peak = peak.max(resident_tree(pid));
        std::thread::sleep(Duration::from_millis(10));
    }
    let Ok(ended) = watch.join() else {
        bail!("the watch over {command:?} failed");
    };
    let (output, took) = ended?;
    if !output
        .status
        .code()
        .is_some_and(|code| codes.contains(&code))
    {
        let log = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        bail!("{command:?} ended with {}: {last:#?}", output.status);
    }
    Ok(Cost {
        seconds: took.as_secs_f64(),
        peak_mib: peak as f64 / 1024.0,
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        started: Some(started),
    })
}

fn end_of(child: Child, started: Instant) -> Result<(std::process::Output, Duration)> {
    let output = child.wait_with_output()?;
    Ok((output, started.elapsed()))
}

/// KiB of resident memory of the process and everything below it; for the process itself the most it ever had.
fn resident_tree(root: u32) -> u64 {
    let own = status_number(root, "VmHWM:").unwrap_or_default();
    own + children(root).into_iter().map(resident_below).sum::<u64>()
}

fn resident_below(pid: u32) -> u64 {
    let own = status_number(pid, "VmRSS:").unwrap_or_default();
    own + children(pid).into_iter().map(resident_below).sum::<u64>()
}

/// A process that a thread started is listed with that thread.
fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn status_number(pid: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
