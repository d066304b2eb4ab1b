//! Calls one after another to functions that have had some: in turn, so that the machine's moods fall on all of them.

use std::time::Duration;

use anyhow::Result;
use testkit::agent::Agent;
use testkit::program::built;

use super::Field;
use super::raw::Raw;
use super::spread::{Spread, ratio};
use super::wire::Wire;

/// Rounds that nobody counts.
const UNCOUNTED: usize = 500;

/// A call to acknowledgement, raw librdkafka's, an empty program's answer over the same kind of socket, and Python's
/// call, if it takes part.
pub(crate) async fn calls(field: &Field, rounds: usize) -> Result<()> {
    let function = Agent::start(&built("fn-recep-avro")?, &field.settings()).await?;
    let empty = Agent::start(&built("bench-empty")?, &[]).await?;
    let python = match &field.python {
        Some(python) => Some(Agent::start(&python.program, &field.settings()).await?),
        None => None,
    };
    let mut contenders = vec![
        Contender::Call(Wire::to(&function.socket(), &field.datum, "\"offset\"")?),
        Contender::Raw(Raw::start(&field.bootstrap)?),
        Contender::Call(Wire::to(&empty.socket(), &field.datum, "")?),
    ];
    if let Some(python) = &python {
        let wire = Wire::to(&python.socket(), &field.datum, "\"offset\"")?;
        contenders.push(Contender::Call(wire));
    }
    let spreads = in_turn(contenders, &field.datum, rounds)?;
    let [through, raw, hop, ..] = &spreads[..] else {
        return Ok(());
    };
    println!("request to acknowledgement           {through}");
    println!("raw librdkafka                       {raw}");
    println!("an empty program's answer            {hop}");
    ratio("request / raw", through, raw, "aim 1.3 at the median");
    println!(
        "request / (raw + empty)              p50 {:.2}   (what the door itself adds)",
        through.median.as_secs_f64() / (raw.median + hop.median).as_secs_f64(),
    );
    let resident = function.resident()? as f64 / 1e6;
    println!("resident after {rounds:5} requests        {resident:.1} MB   (aim 20 MB)");
    if let (Some(python), Some(spread)) = (&python, spreads.get(3)) {
        let theirs = python.resident()? as f64 / 1e6;
        println!("Python: request to acknowledgement   {spread}");
        ratio("request / Python's", through, spread, "");
        println!(
            "Python: resident                     {theirs:.1} MB   ours / Python's {:.2}   (aim 0.2)",
            resident / theirs
        );
    }
    Ok(())
}

/// What takes its turn.
pub(crate) enum Contender {
    Call(Wire),
    Raw(Raw),
}

/// So many calls of each, after some that nobody counts.
pub(crate) fn in_turn(
    mut contenders: Vec<Contender>,
    datum: &[u8],
    rounds: usize,
) -> Result<Vec<Spread>> {
    let mut times = vec![Vec::new(); contenders.len()];
    for number in 0..UNCOUNTED + rounds {
        // Who goes first changes, so that nobody always finds another's caches.
        for turn in 0..contenders.len() {
            let who = (number + turn) % contenders.len();
            let time = contenders[who].run(datum)?;
            if number >= UNCOUNTED {
                times[who].push(time);
            }
        }
    }
    Ok(times.into_iter().map(Spread::of).collect())
}

impl Contender {
    fn run(&mut self, datum: &[u8]) -> Result<Duration> {
        match self {
            Self::Call(wire) => wire.call(),
            Self::Raw(raw) => raw.produce(datum),
        }
    }
}
