//! Measures a process: duration, processor time, and peak memory with its descendants.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// The measurements of a process.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    /// The duration from start to exit.
    pub(crate) seconds: f64,
    /// Processor time of the process and its children, user and system.
    pub(crate) cpu_seconds: f64,
    /// Processor time of this program meanwhile: of the server.
    pub(crate) server_cpu_seconds: f64,
    /// Peak resident memory of the process and its descendants, sampled every 20 ms.
    pub(crate) peak_mib: f64,
    /// The standard output.
    #[serde(skip)]
    pub(crate) output: String,
    /// The time of the start.
    #[serde(skip)]
    pub(crate) started: Option<Instant>,
}

/// Runs a command until it exits with one of these codes.
pub(crate) fn run(command: &mut Command, codes: &[i32]) -> Result<Cost> {
    let (own_before, child_before) = processor_time();
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
        std::thread::sleep(Duration::from_millis(20));
    }
    let Ok(ended) = watch.join() else {
        bail!("the thread that waits for {command:?} panicked");
    };
    let (output, took) = ended?;
    let (own_after, child_after) = processor_time();
    if !output
        .status
        .code()
        .is_some_and(|code| codes.contains(&code))
    {
        let log = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        bail!("{command:?} exited with {}: {last:#?}", output.status);
    }
    Ok(Cost {
        seconds: took.as_secs_f64(),
        cpu_seconds: child_after - child_before,
        server_cpu_seconds: own_after - own_before,
        peak_mib: peak as f64 / 1024.0,
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        started: Some(started),
    })
}

fn end_of(child: Child, started: Instant) -> Result<(std::process::Output, Duration)> {
    let output = child.wait_with_output()?;
    Ok((output, started.elapsed()))
}

/// Processor seconds of this process and of its ended children (`man 5 proc`: utime, stime, cutime and cstime, in hundredths of
/// a second).
fn processor_time() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in parentheses, which may contain spaces.
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse().ok())
        .collect();
    match ticks[..] {
        [user, system, child_user, child_system] => {
            ((user + system) / 100.0, (child_user + child_system) / 100.0)
        }
        _ => (f64::NAN, f64::NAN),
    }
}

/// Resident memory of the process and its descendants in KiB; the peak for the process itself.
fn resident_tree(root: u32) -> u64 {
    let own = status_number(root, "VmHWM:").unwrap_or_default();
    own + children(root).into_iter().map(resident_below).sum::<u64>()
}

fn resident_below(pid: u32) -> u64 {
    let own = status_number(pid, "VmRSS:").unwrap_or_default();
    own + children(pid).into_iter().map(resident_below).sum::<u64>()
}

/// The children of all threads of a process.
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
