//! Cold starts: the time to the first reply, which includes the connection to the broker, and to the bound socket.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testkit::agent::Agent;
use testkit::program::built;

use super::Setup;
use super::connection::Connection;
use super::raw::Raw;
use super::spread::{Spread, ratio};

const COLD: usize = 20;
const STARTS: usize = 60;

/// Measures the time from spawn to the reply to the first call. The first produce of a new librdkafka client is printed but
/// not compared, because an idempotent client waits half a second for its producer id.
pub(crate) async fn calls(setup: &Setup) -> Result<()> {
    let (function, empty) = (built("fn-recep-avro")?, built("bench-empty")?);
    let [mut ours, mut least, mut clients, mut theirs] = [const { Vec::new() }; 4];
    for _ in 0..COLD {
        ours.push(first(&function, setup, "\"offset\"").await?);
        least.push(first(&empty, setup, "").await?);
        let start = Instant::now();
        let client = Raw::start(&setup.bootstrap)?;
        client.produce(&setup.datum)?;
        clients.push(start.elapsed());
        if let Some(python) = &setup.python {
            theirs.push(first(&python.program, setup, "\"offset\"").await?);
        }
    }
    let (ours, least, clients) = (Spread::of(ours), Spread::of(least), Spread::of(clients));
    println!("cold first request                   {ours}");
    println!("empty function: cold first request   {least}");
    println!("librdkafka: first produce            {clients}");
    ratio("cold / empty function", &ours, &least, "without a broker");
    if !theirs.is_empty() {
        let theirs = Spread::of(theirs);
        println!("Python: cold first request           {theirs}");
        ratio("cold / Python's", &ours, &theirs, "aim 0.5");
    }
    Ok(())
}

async fn first(program: &Path, setup: &Setup, expected: &'static str) -> Result<Duration> {
    let start = Instant::now();
    let mut function = Agent::start(program, &setup.settings()).await?;
    Connection::open(&function.socket(), &setup.datum, expected)?.call()?;
    let time = start.elapsed();
    function.kill().await?;
    Ok(time)
}

/// Measures the time from spawn to a socket that accepts connections, for the function and the empty function.
pub(crate) fn sockets(bootstrap: &str) -> Result<()> {
    let (function, empty) = (built("fn-recep-avro")?, built("bench-empty")?);
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        ours.push(socket(&function, bootstrap)?);
        least.push(socket(&empty, bootstrap)?);
    }
    let (ours, least) = (Spread::of(ours), Spread::of(least));
    println!("spawn to bound socket                {ours}");
    println!("empty function: spawn to socket      {least}");
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
        ensure!(
            start.elapsed() < Duration::from_secs(5),
            "no socket within five seconds"
        );
        std::thread::sleep(Duration::from_micros(20));
    }
    let time = start.elapsed();
    child.kill()?;
    child.wait()?;
    Ok(time)
}
