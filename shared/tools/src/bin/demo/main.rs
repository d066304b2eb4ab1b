//! `demo`: the whole pipeline on one machine, in a few seconds (`make demo`), or left running (`make up`).
//!
//! The broker is embedded unless KAFKA_BOOTSTRAP_SERVERS names another; everything else is the real programs, started
//! as processes and spoken to by HTTP. What is told at the end was seen, not assumed: where it differs from the
//! story, the exit code is 1.

mod observe;
mod samples;
mod story;
mod stream;
mod table;
mod world;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use http::Request;
use testkit::http::{get, send};
use testkit::program;
use tokio::signal::unix::{SignalKind, signal};

use observe::{Answer, Received, Report};
use world::{Ports, World};

#[derive(Parser)]
#[command(
    name = "demo",
    about = "Sends the tutorial's messages through everything and shows where each one went."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts everything and leaves it running until Ctrl-C.
    Up,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        None => tokio::select! {
            outcome = tell() => outcome,
            interrupted = told_to_end() => interrupted.map(|()| false),
        },
        Some(Verb::Up) => stay().await,
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

/// Completes at SIGINT, SIGTERM or SIGHUP; what was started ends with us.
async fn told_to_end() -> Result<()> {
    let watch = |kind| signal(kind).context("watching for signals");
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

/// The story, told once.
async fn tell() -> Result<bool> {
    let folder = tempfile::tempdir().context("making a folder for the messages")?;
    let world = World::start(folder.path(), Ports::any(), |_, _| {}).await?;
    println!("\nThis runs on your machine now:\n\n{}", world.summary());
    let mut sent = Vec::new();
    for message in story::messages() {
        let path = samples::create(&message, world.folder()).await?;
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let request = Request::post(world.door_url())
            .header("content-type", "application/octet-stream")
            .body(bytes.into())?;
        let answer = send(request).await?;
        let answer = Answer::read(answer.status().as_u16(), answer.body())?;
        sent.push((message, answer));
    }
    let (report, text) = run_window(&world).await?;
    let a = Received::read(get(&world.a_url("records")).await?.body())?;
    let b = Received::read(get(&world.b_url("records")).await?.body())?;
    print!("{}", table::render(&sent, &a, &b, &report));
    println!("\nThe run's report, as forward run prints it:\n");
    for line in text.lines() {
        println!("  {line}");
    }
    let stored = world.stream().stored()?;
    let differences = observe::differences(&sent, &a, &b, &report, stored.as_deref());
    for difference in &differences {
        eprintln!("NOT AS THE STORY SAYS: {difference}");
    }
    if differences.is_empty() {
        println!("\nEvery record is where it belongs. To try it yourself: make up");
    } else {
        eprintln!("\nWhat the programs said:\n{}", world.logs().await);
    }
    world.end().await?;
    Ok(differences.is_empty())
}

/// Everything started and left running until a signal comes, or one of the programs ends.
async fn stay() -> Result<bool> {
    let folder = program::built("demo")?.with_file_name("up");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let told = told_to_end();
    tokio::pin!(told);
    let running = async {
        let world = World::start(&folder, Ports::usual(), |name, line| {
            println!("{name} | {line}");
        })
        .await?;
        for message in story::messages() {
            samples::create(&message, world.folder()).await?;
        }
        println!("{}", world.invitation());
        Ok::<_, anyhow::Error>(world)
    };
    let mut world = tokio::select! {
        world = running => world?,
        told = &mut told => return told.map(|()| true),
    };
    let as_told = tokio::select! {
        ended = world.first_to_end() => {
            eprintln!("demo: {}; ending everything", ended?);
            false
        }
        told = &mut told => {
            told?;
            println!("\nEnding everything.");
            true
        }
    };
    // Whoever is in a hurry asks twice.
    tokio::select! {
        ended = world.end() => ended?,
        told = told_to_end() => told?,
    }
    Ok(as_told)
}

/// One window of the real job: its report for machines, and as it prints it for people.
async fn run_window(world: &World) -> Result<(Report, String)> {
    let file = world.folder().join("report.json");
    let output = program::command(&program::built("forward")?)
        .args(world.job_arguments())
        .envs(world.stream().settings().clone())
        .arg("--report")
        .arg(&file)
        .output()
        .await
        .context("running forward")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "forward run: {}\n{said}",
        output.status
    );
    let json = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let report = serde_json::from_slice(&json).context("the run's report is no JSON")?;
    let text = String::from_utf8(output.stdout).context("the run's report is no text")?;
    Ok((Report(report), text))
}
