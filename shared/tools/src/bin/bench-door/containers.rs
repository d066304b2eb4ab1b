//! The function, an empty Rust function and the tutorial's own stack, each in a container of its own image.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Field;
use super::engine::{Container, size};
use super::freeze::{self, Frozen};
use super::spread::{Spread, ratio};
use super::warm::{self, Contender};
use super::wire::Wire;

/// What `deploy/fn/images` builds, each with what its replies must say: ours, the empty one, Python's.
const IMAGES: [(&str, &str); 3] = [
    ("fn-recep-avro", "\"offset\""),
    ("bench-empty", ""),
    ("bench-python", "\"offset\""),
];
/// Cold calls of each, after one that does not count.
const COLD: usize = 20;
/// Fn's server gives a container five seconds; a busy machine may have more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Cold calls, warm ones, calls after a freeze, then memory and the images' sizes.
pub(crate) async fn calls(field: &Field, rounds: usize) -> Result<()> {
    cold(field)?;
    let mut running = Vec::new();
    for image in IMAGES {
        running.push(start(image, field)?.0);
    }
    let mut contenders = Vec::new();
    for (container, (_, expected)) in running.iter().zip(IMAGES) {
        let wire = Wire::to(&container.socket(), &field.datum, expected)?;
        contenders.push(Contender::Call(wire));
    }
    compare(
        "warm call",
        &warm::in_turn(contenders, &field.datum, rounds)?,
        "",
    );
    let frozen: Vec<(&dyn Frozen, _)> = running
        .iter()
        .zip(IMAGES)
        .map(|(container, (_, expected))| (container as &dyn Frozen, expected))
        .collect();
    compare(
        "call after a freeze",
        &freeze::calls(&frozen, &field.datum).await?,
        "",
    );
    memory(&running)?;
    sizes()
}

/// From asking Docker for a container to its first reply. How much of it is Docker's, the empty function shows: it
/// binds its socket within two milliseconds.
fn cold(field: &Field) -> Result<()> {
    let mut parts = [const { [const { Vec::new() }; 3] }; 3];
    for round in 0..=COLD {
        for (image, [whole, sockets, firsts]) in IMAGES.into_iter().zip(&mut parts) {
            let (_, socket, first) = start(image, field)?;
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

/// A new container that has answered once: how long to a socket that takes a connection, and from there to the reply.
fn start(
    (image, expected): (&str, &'static str),
    field: &Field,
) -> Result<(Container, Duration, Duration)> {
    let [bootstrap, topic, _] = field.settings();
    let start = Instant::now();
    let container = Container::create(image, &[bootstrap, topic])?;
    let (socket, first) = thread::scope(|scope| {
        // The socket may be there before Docker says that the container runs.
        let starting = scope.spawn(|| container.start());
        let mut wire = loop {
            match Wire::to(&container.socket(), &field.datum, expected) {
                Ok(wire) => break wire,
                Err(error) => ensure!(start.elapsed() < PATIENCE, "{image}, no socket: {error}"),
            }
            thread::sleep(Duration::from_micros(100));
        };
        let socket = start.elapsed();
        wire.call()?;
        let first = start.elapsed() - socket;
        starting.join().ok().context("asking Docker")??;
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
