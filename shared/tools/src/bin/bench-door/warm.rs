//! Warm calls, alternating between the candidates, so that variations of the machine affect all of them.

use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::agent::Agent;
use testkit::endpoint::{Answer, Endpoint};
use testkit::program::built;

use super::Setup;
use super::connection::Connection;
use super::raw::Raw;
use super::spread::{Spread, ratio};

/// Rounds before the measurement.
const WARM_UP: usize = 500;

/// Measures calls to the function with Avro, with JSON, with metrics and with traces, librdkafka's produce, calls to the empty
/// function, and calls to the Python function if there is one.
pub(crate) async fn calls(setup: &Setup, rounds: usize) -> Result<()> {
    let function = Agent::start(&built("fn-recep-avro")?, &setup.settings()).await?;
    // The Fn host serves one connection at a time.
    let for_json = Agent::start(&built("fn-recep-avro")?, &setup.settings()).await?;
    let collector = Endpoint::always(Answer::ok())?;
    let url = collector.url();
    let exporting = |signal: &'static str| {
        let settings = setup.settings().into_iter();
        settings.chain([(signal, url.as_str())]).collect::<Vec<_>>()
    };
    let metrics = exporting("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
    let with_metrics = Agent::start(&built("fn-recep-avro")?, &metrics).await?;
    let traces = exporting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let with_traces = Agent::start(&built("fn-recep-avro")?, &traces).await?;
    let empty = Agent::start(&built("bench-empty")?, &[]).await?;
    let python = match &setup.python {
        Some(python) => Some(Agent::start(&python.program, &setup.settings()).await?),
        None => None,
    };
    let mut candidates = vec![
        Candidate::Call(Connection::open(
            &function.socket(),
            &setup.datum,
            "\"offset\"",
        )?),
        Candidate::Raw(Raw::start(&setup.bootstrap)?),
        Candidate::Call(Connection::open(&empty.socket(), &setup.datum, "")?),
        Candidate::Call(Connection::with_type(
            &for_json.socket(),
            "application/json",
            setup.json.as_bytes(),
            "\"offset\"",
        )?),
        Candidate::Call(Connection::open(
            &with_metrics.socket(),
            &setup.datum,
            "\"offset\"",
        )?),
        Candidate::Call(Connection::open(
            &with_traces.socket(),
            &setup.datum,
            "\"offset\"",
        )?),
    ];
    if let Some(python) = &python {
        let connection = Connection::open(&python.socket(), &setup.datum, "\"offset\"")?;
        candidates.push(Candidate::Call(connection));
    }
    let spreads = in_turn(candidates, &setup.datum, rounds)?;
    let [through, raw, hop, json, metrics, traces, ..] = &spreads[..] else {
        return Ok(());
    };
    println!("request to acknowledgement           {through}");
    println!("librdkafka                           {raw}");
    println!("empty function                       {hop}");
    println!("the same record as JSON              {json}");
    ratio(
        "request / librdkafka",
        through,
        raw,
        "aim 1.3 at the median",
    );
    ratio("JSON / Avro", json, through, "");
    println!("with metrics over OTLP               {metrics}");
    println!("with traces over OTLP                {traces}");
    ratio(
        "with metrics / without",
        metrics,
        through,
        "aim 1.02 at the median",
    );
    ratio(
        "with traces / without",
        traces,
        through,
        "a response waits for the export",
    );
    ensure!(
        collector.count() > rounds,
        "the collector received {} requests",
        collector.count()
    );
    println!(
        "request / (librdkafka + empty)       p50 {:.2}   (the function's own share)",
        through.median.as_secs_f64() / (raw.median + hop.median).as_secs_f64(),
    );
    let resident = function.resident_memory()? as f64 / 1e6;
    println!("resident after {rounds:5} requests        {resident:.1} MB   (aim 20 MB)");
    if let (Some(python), Some(spread)) = (&python, spreads.get(6)) {
        let theirs = python.resident_memory()? as f64 / 1e6;
        println!("Python: request to acknowledgement   {spread}");
        ratio("request / Python's", through, spread, "");
        println!(
            "Python: resident                     {theirs:.1} MB   ours / Python's {:.2}   (aim 0.2)",
            resident / theirs
        );
    }
    Ok(())
}

/// A candidate of the comparison.
pub(crate) enum Candidate {
    Call(Connection),
    Raw(Raw),
}

/// Measures `rounds` calls of each candidate, after the warm-up.
pub(crate) fn in_turn(
    mut candidates: Vec<Candidate>,
    datum: &[u8],
    rounds: usize,
) -> Result<Vec<Spread>> {
    let mut times = vec![Vec::new(); candidates.len()];
    for number in 0..WARM_UP + rounds {
        // The order rotates, so that no candidate always follows the same one.
        for turn in 0..candidates.len() {
            let index = (number + turn) % candidates.len();
            let time = candidates[index].run(datum)?;
            if number >= WARM_UP {
                times[index].push(time);
            }
        }
    }
    Ok(times.into_iter().map(Spread::of).collect())
}

impl Candidate {
    fn run(&mut self, datum: &[u8]) -> Result<Duration> {
        match self {
            Self::Call(connection) => connection.call(),
            Self::Raw(raw) => raw.produce(datum),
        }
    }
}
