//! `bench-share`: measures the throughput of concurrent runs that share a topic, with Apache Kafka.
//!
//! Each round fills a new topic and starts several jobs in one group (CONCURRENT_RUNS=share). The endpoint responds slowly, so
//! that the requests in flight limit a process, and not the processors. While records are left, a job is started again, as a
//! platform does. The time is from the first start to the last response. Every record must arrive; repeats are counted.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use testkit::endpoint::{Answer, Endpoint};
use testkit::kafka::{Kafka, Options};
use testkit::spread::Spread;
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

/// Measures processes that share a topic.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// The number of records of a round.
    #[arg(long, default_value_t = 16_000)]
    records: usize,
    /// The number of partitions.
    #[arg(long, default_value_t = 8)]
    partitions: i32,
    /// The response time of the endpoint in milliseconds.
    #[arg(long, default_value_t = 20)]
    delay: u64,
    /// The requests in flight of each process.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// The numbers of processes.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    processes: Vec<usize>,
    /// The number of rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The path of the job. Default: `forward` in the folder of this program.
    #[arg(long)]
    forward: Option<PathBuf>,
}

/// The result of a round.
#[derive(Clone, Copy)]
struct Outcome {
    /// From the first start to the last response.
    seconds: f64,
    /// From the first request to the last response.
    delivering: f64,
    /// Repeated records.
    repeats: usize,
    /// Processes that delivered a record.
    busy: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let flags = Flags::parse();
    let forward = match &flags.forward {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("forward"),
    };
    ensure!(
        forward.is_file(),
        "{} does not exist: build it or pass --forward",
        forward.display()
    );
    let kafka = Kafka::start(&Options {
        fast_join: true,
        ..Options::default()
    })?;
    let topics = Topics::connect(kafka.bootstrap())?;
    let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::new(); flags.processes.len()];
    for round in 0..flags.rounds {
        for (place, processes) in flags.processes.iter().enumerate() {
            let topic = format!("share-{round}-{processes}");
            let outcome = measure(&flags, &forward, &kafka, &topics, &topic, *processes).await?;
            eprintln!("{processes} processes: {:.2} s", outcome.seconds);
            outcomes[place].push(outcome);
        }
    }
    println!(
        "{} records in {} partitions; response time {} ms; {} requests in flight per process; the median of {} rounds (lowest to highest).\n",
        flags.records, flags.partitions, flags.delay, flags.in_flight, flags.rounds
    );
    println!(
        "| processes | with deliveries | start to last response | records/s | while delivering | × one process | repeats |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let one = outcomes.first().cloned().unwrap_or_default();
    for (processes, outcomes) in flags.processes.iter().zip(outcomes) {
        let spread = |number: fn(&Outcome) -> f64| {
            Spread::of(outcomes.iter().map(number)).context("at least one round is needed")
        };
        let (seconds, delivering) = (
            spread(|round| round.seconds)?,
            spread(|round| round.delivering)?,
        );
        let rounds = one.iter().zip(&outcomes);
        let ratio = Spread::of(rounds.map(|(one, round)| one.seconds / round.seconds));
        println!(
            "| {processes} | {:.0} | {seconds:.1} s | {:.0} | {:.0}/s | {} | {:.0} |",
            spread(|round| round.busy as f64)?,
            flags.records as f64 / seconds.median,
            flags.records as f64 / delivering.median,
            ratio.context("at least one round is needed")?,
            spread(|round| round.repeats as f64)?,
        );
    }
    Ok(())
}

async fn measure(
    flags: &Flags,
    forward: &Path,
    kafka: &Kafka,
    topics: &Topics,
    topic: &str,
    processes: usize,
) -> Result<Outcome> {
    topics.create(topic, flags.partitions, &[]).await?;
    let records: Vec<NewRecord> = (0..flags.records)
        .map(|number| {
            let user = User::new(1010, &format!("u-{number}"));
            NewRecord::to(number as i32 % flags.partitions, user.encode())
        })
        .collect();
    topics.write(topic, &records)?;
    let slow = Answer::ok().after(Duration::from_millis(flags.delay));
    let endpoint = Endpoint::always(slow)?;
    let start = || {
        Command::new(forward)
            .args(["run", "--output", "json", "--concurrent-runs", "share"])
            .args(["--kafka-topic", topic, "--kafka-group-id", topic])
            .args(["--max-in-flight", &flags.in_flight.to_string()])
            .args(["--kafka-bootstrap-servers", kafka.bootstrap()])
            .args(["--api-type-a-url", &endpoint.url()])
            .args(["--api-type-b-url", &endpoint.url()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", forward.display()))
    };
    let started = Instant::now();
    let mut jobs = Vec::new();
    for _ in 0..processes {
        jobs.push(start()?);
    }
    let mut busy = 0;
    while let Some(job) = jobs.pop() {
        let (code, delivered) = end(job)?;
        ensure!(
            [0, 11, 12, 20].contains(&code),
            "a job ended with exit code {code}"
        );
        busy += usize::from(delivered > 0);
        eprintln!(
            "  after {:.1} s: a job ended with exit code {code}, {delivered} delivered",
            started.elapsed().as_secs_f64()
        );
        let committed: i64 = topics
            .committed(topic, topic)?
            .values()
            .map(|committed| committed.offset)
            .sum();
        if jobs.is_empty() && committed < flags.records as i64 {
            ensure!(
                started.elapsed() < Duration::from_secs(300),
                "only {committed} records are committed after five minutes"
            );
            jobs.push(start()?);
        }
    }
    let requests = endpoint.requests();
    let first = requests.iter().map(|request| request.at).min();
    let last = requests.iter().map(|request| request.at).max();
    let (Some(first), Some(last)) = (first, last) else {
        bail!("the endpoint received no request");
    };
    let last = last + Duration::from_millis(flags.delay);
    let distinct: HashSet<&[u8]> = requests.iter().map(|request| &request.body[..]).collect();
    ensure!(
        distinct.len() == flags.records,
        "{} of {} records arrived",
        distinct.len(),
        flags.records
    );
    Ok(Outcome {
        seconds: (last - started).as_secs_f64(),
        delivering: (last - first).as_secs_f64(),
        repeats: requests.len() - distinct.len(),
        busy,
    })
}

/// Waits until a job ends; returns its exit code and the delivered records of its report.
fn end(job: Child) -> Result<(i32, u64)> {
    let output = job.wait_with_output()?;
    let code = output.status.code().context("a signal ended the job")?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok((
        code,
        report["totals"]["delivered"].as_u64().unwrap_or_default(),
    ))
}
