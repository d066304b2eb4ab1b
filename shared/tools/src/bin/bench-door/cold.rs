//! Starts: to the first answer, which takes a connection to the broker, and to the bound socket.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testkit::agent::Agent;
use testkit::program::built;

use super::Field;
use super::raw::Raw;
use super::spread::{Spread, ratio};
use super::wire::Wire;

const COLD: usize = 20;
const STARTS: usize = 60;

/// From spawn to the reply of the first call, of each in turn. The first produce of a new raw client is shown and not
/// compared: an idempotent client, left to itself, waits half a second for its id.
pub(crate) async fn calls(field: &Field) -> Result<()> {
    let (function, empty) = (built("fn-recep-avro")?, built("bench-empty")?);
    let [mut ours, mut least, mut clients, mut theirs] = [const { Vec::new() }; 4];
    for _ in 0..COLD {
        ours.push(first(&function, field, "\"offset\"").await?);
        least.push(first(&empty, field, "").await?);
        let start = Instant::now();
        let client = Raw::start(&field.bootstrap)?;
        client.produce(&field.datum)?;
        clients.push(start.elapsed());
        if let Some(python) = &field.python {
            theirs.push(first(&python.program, field, "\"offset\"").await?);
        }
    }
    let (ours, least, clients) = (Spread::of(ours), Spread::of(least), Spread::of(clients));
    println!("cold first request                   {ours}");
    println!("an empty program's                   {least}");
    println!("a new raw client's first produce     {clients}");
    ratio(
        "cold / an empty program's",
        &ours,
        &least,
        "which has no broker to reach",
    );
    if !theirs.is_empty() {
        let theirs = Spread::of(theirs);
        println!("Python: cold first request           {theirs}");
        ratio("cold / Python's", &ours, &theirs, "aim 0.5");
    }
    Ok(())
}

async fn first(program: &Path, field: &Field, expected: &'static str) -> Result<Duration> {
    let start = Instant::now();
    let mut function = Agent::start(program, &field.settings()).await?;
    Wire::to(&function.socket(), &field.datum, expected)?.call()?;
    let time = start.elapsed();
    function.kill().await?;
    Ok(time)
}

/// From spawn to a socket that takes a connection, the function's and the empty program's in turn.
pub(crate) fn sockets(bootstrap: &str) -> Result<()> {
    let (function, empty) = (built("fn-recep-avro")?, built("bench-empty")?);
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        ours.push(socket(&function, bootstrap)?);
        least.push(socket(&empty, bootstrap)?);
    }
    let (ours, least) = (Spread::of(ours), Spread::of(least));
    println!("spawn to bound socket                {ours}");
    println!("an empty hyper program's             {least}");
    ratio("spawn / empty", &ours, &least, "aim 2");
    Ok(())
}

fn socket(program: &Path, bootstrap: &str) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let name = folder.path().join("lsnr.sock");
    let start = Instant::now();
    let mut child = Command::new(program)
        .env_clear()
        .env("FN_LISTENER", format!("unix:{}", name.display()))
        .env("KAFKA_BOOTSTRAP_SERVERS", bootstrap)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    while UnixStream::connect(&name).is_err() {
        ensure!(start.elapsed() < Duration::from_secs(5), "no socket");
        std::thread::sleep(Duration::from_micros(20));
    }
    let time = start.elapsed();
    child.kill()?;
    child.wait()?;
    Ok(time)
}
