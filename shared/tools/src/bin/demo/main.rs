//! `demo`: runs the whole pipeline on one machine, once (`make demo`) or until Ctrl-C (`make up`).
//!
//! The broker is embedded unless KAFKA_BOOTSTRAP_SERVERS is set. Function, endpoints and job are the real programs, started
//! as processes and called by HTTP. The demo reads the results from their responses and from the run report. The exit code
//! is 1 if a result differs from the expected one.

mod environment;
mod kafka;
mod messages;
mod results;
mod samples;
mod table;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use http::Request;
use testkit::http::{get, send};
use testkit::program;
use tokio::signal::unix::{SignalKind, signal};

use environment::{Environment, Ports};
use results::{Received, Report, Response};

#[derive(Parser)]
#[command(
    name = "demo",
    about = "Sends the tutorial's messages through the pipeline and shows the destination of each record."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts the pipeline and keeps it running until Ctrl-C.
    Up,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        None => tokio::select! {
            outcome = run_once() => outcome,
            interrupted = shutdown_signal() => interrupted.map(|()| false),
        },
        Some(Verb::Up) => keep_running().await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Completes at SIGINT, SIGTERM or SIGHUP.
async fn shutdown_signal() -> Result<()> {
    let watch = |kind| signal(kind).context("registering a signal handler");
    let mut interrupt = watch(SignalKind::interrupt())?;
    let mut terminate = watch(SignalKind::terminate())?;
    let mut hang_up = watch(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// Sends all messages, runs the job once and prints the results; false if a result differs from the expected one.
async fn run_once() -> Result<bool> {
    let folder = tempfile::tempdir().context("creating a folder for the messages")?;
    let environment = Environment::start(folder.path(), Ports::any(), |_, _| {}).await?;
    println!("\nRunning on this machine:\n\n{}", environment.summary());
    let mut sent = Vec::new();
    for message in messages::all() {
        let path = samples::create(&message, environment.folder()).await?;
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let request = Request::post(environment.function_url())
            .header("content-type", "application/octet-stream")
            .body(bytes.into())?;
        let response = send(request).await?;
        let response = Response::read(response.status().as_u16(), response.body())?;
        sent.push((message, response));
    }
    let (report, text) = run_job(&environment).await?;
    let a = Received::read(get(&environment.a_url("records")).await?.body())?;
    let b = Received::read(get(&environment.b_url("records")).await?.body())?;
    print!("{}", table::render(&sent, &a, &b, &report));
    println!("\nThe run report, as `forward run` prints it:\n");
    for line in text.lines() {
        println!("  {line}");
    }
    let stored = environment.kafka().stored()?;
    let differences = results::differences(&sent, &a, &b, &report, stored.as_deref());
    for difference in &differences {
        eprintln!("FAIL: {difference}");
    }
    if differences.is_empty() {
        println!("\nPASS: every record has the expected destination. To send your own: make up");
    } else {
        eprintln!("\nLogs of the programs:\n{}", environment.logs().await);
    }
    environment.stop().await?;
    Ok(differences.is_empty())
}

/// Starts the pipeline and keeps it running until a signal arrives or one of the programs ends.
async fn keep_running() -> Result<bool> {
    let folder = program::built("demo")?.with_file_name("up");
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let shutdown = shutdown_signal();
    tokio::pin!(shutdown);
    let starting = async {
        let environment = Environment::start(&folder, Ports::preferred(), |name, line| {
            println!("{name} | {line}");
        })
        .await?;
        for message in messages::all() {
            samples::create(&message, environment.folder()).await?;
        }
        println!("{}", environment.instructions());
        Ok::<_, anyhow::Error>(environment)
    };
    let mut environment = tokio::select! {
        environment = starting => environment?,
        signal = &mut shutdown => return signal.map(|()| true),
    };
    let is_requested = tokio::select! {
        ended = environment.first_exit() => {
            eprintln!("demo: {}; stopping all programs", ended?);
            false
        }
        signal = &mut shutdown => {
            signal?;
            println!("\nStopping all programs.");
            true
        }
    };
    // A second signal ends the demo at once.
    tokio::select! {
        stopped = environment.stop() => stopped?,
        signal = shutdown_signal() => signal?,
    }
    Ok(is_requested)
}

/// Runs the job once, and returns its report as JSON and as text.
async fn run_job(environment: &Environment) -> Result<(Report, String)> {
    let file = environment.folder().join("report.json");
    let output = program::command(&program::built("forward")?)
        .args(environment.job_arguments())
        .envs(environment.kafka().settings().clone())
        .arg("--report")
        .arg(&file)
        .output()
        .await
        .context("running forward")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "forward run: {}\n{stderr}",
        output.status
    );
    let json = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let report = serde_json::from_slice(&json).context("the run report is not JSON")?;
    let text = String::from_utf8(output.stdout).context("the run report is not UTF-8")?;
    Ok((Report(report), text))
}
