//! Measures the function, an empty Rust function and the Python function in containers.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Setup;
use super::connection::Connection;
use super::engine::{Container, size};
use super::freeze::{self, Freeze};
use super::spread::{Spread, ratio};
use super::warm::{self, Candidate};

/// The images that `deploy/fn/images` builds, each with a text that its replies must contain.
const IMAGES: [(&str, &str); 3] = [
    ("fn-recep-avro", "\"offset\""),
    ("bench-empty", ""),
    ("bench-python", "\"offset\""),
];
/// The number of cold calls of each, after one that is not counted.
const COLD: usize = 20;
/// Fn's server waits five seconds for the socket. This timeout allows for a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Measures cold calls, warm calls, calls after a freeze, memory and the sizes of images.
pub(crate) async fn calls(setup: &Setup, rounds: usize) -> Result<()> {
    cold(setup)?;
    let mut running = Vec::new();
    for image in IMAGES {
        running.push(start(image, setup)?.0);
    }
    let mut candidates = Vec::new();
    for (container, (_, expected)) in running.iter().zip(IMAGES) {
        let connection = Connection::open(&container.socket(), &setup.datum, expected)?;
        candidates.push(Candidate::Call(connection));
    }
    compare(
        "warm call",
        &warm::in_turn(candidates, &setup.datum, rounds)?,
        "",
    );
    let frozen: Vec<(&dyn Freeze, _)> = running
        .iter()
        .zip(IMAGES)
        .map(|(container, (_, expected))| (container as &dyn Freeze, expected))
        .collect();
    compare(
        "call after a freeze",
        &freeze::calls(&frozen, &setup.datum).await?,
        "",
    );
    memory(&running)?;
    sizes()
}

/// Measures the time from the creation of a container to the first reply. The empty function shows Docker's part: it binds its
/// socket within two milliseconds.
fn cold(setup: &Setup) -> Result<()> {
    let mut parts = [const { [const { Vec::new() }; 3] }; 3];
    for round in 0..=COLD {
        for (image, [whole, sockets, firsts]) in IMAGES.into_iter().zip(&mut parts) {
            let (_, socket, first) = start(image, setup)?;
            if round > 0 {
                whole.push(socket + first);
                sockets.push(socket);
                firsts.push(first);
            }
        }
    }
    let [ours, least, theirs] = parts.map(|times| times.map(Spread::of));
    let by_part = |part: usize| [ours[part], least[part], theirs[part]];
    compare("cold: first reply", &by_part(0), "aim 0.5");
    ratio("the same / empty", &ours[0], &least[0], "aim 1.15");
    compare("of it: to the bound socket", &by_part(1), "");
    compare("of it: the call", &by_part(2), "");
    Ok(())
}

/// Starts a container and calls it once. Returns the time to a socket that accepts connections, and from there to the reply.
fn start(
    (image, expected): (&str, &'static str),
    setup: &Setup,
) -> Result<(Container, Duration, Duration)> {
    let [bootstrap, topic, _] = setup.settings();
    let start = Instant::now();
    let container = Container::create(image, &[bootstrap, topic])?;
    let (socket, first) = thread::scope(|scope| {
        // The socket can exist before Docker reports the container as running.
        let starting = scope.spawn(|| container.start());
        let mut connection = loop {
            match Connection::open(&container.socket(), &setup.datum, expected) {
                Ok(connection) => break connection,
                Err(error) => ensure!(
                    start.elapsed() < START_TIMEOUT,
                    "{image}, no socket: {error}"
                ),
            }
            thread::sleep(Duration::from_micros(100));
        };
        let socket = start.elapsed();
        connection.call()?;
        let first = start.elapsed() - socket;
        starting.join().ok().context("starting the container")??;
        Ok((socket, first))
    })?;
    Ok((container, socket, first))
}

fn compare(what: &str, spreads: &[Spread], aim: &str) {
    println!("{what}");
    for ((name, _), spread) in IMAGES.iter().zip(spreads) {
        println!("  {name:<35}{spread}");
    }
    if let [ours, _, theirs] = spreads {
        ratio("  ours / Python's", ours, theirs, aim);
    }
}

fn memory(running: &[Container]) -> Result<()> {
    let mut all = Vec::new();
    for (container, (name, _)) in running.iter().zip(IMAGES) {
        let (counted, resident) = container.memory()?;
        let (counted, resident) = (counted as f64 / 1e6, resident as f64 / 1e6);
        println!(
            "memory of {name:<27}{counted:.1} MB without page cache, resident {resident:.1} MB"
        );
        all.push((counted, resident));
    }
    if let [ours, _, theirs] = all[..] {
        let (counted, resident) = (ours.0 / theirs.0, ours.1 / theirs.1);
        println!(
            "  ours / Python's                    {counted:.2}   resident {resident:.2}   (aim 0.2)"
        );
    }
    Ok(())
}

fn sizes() -> Result<()> {
    let mut all = Vec::new();
    for (name, _) in IMAGES {
        let size = size(name)? as f64 / 1e6;
        println!("image {name:<31}{size:.1} MB");
        all.push(size);
    }
    if let [ours, _, theirs] = all[..] {
        println!(
            "  ours / Python's                    {:.3}   (aim 0.125)",
            ours / theirs
        );
    }
    Ok(())
}
