//! The throughput of fast routes beside a slow one, compared with their throughput alone.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use testkit::endpoint::{Answer, Endpoint};
use testkit::spread::Spread;
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

/// The records of the slow route, which come first in partition 0.
const SLOW_RECORDS: usize = 20_000;
const SLOW_LATENCY: Duration = Duration::from_millis(100);
const FAST_LATENCY: Duration = Duration::from_millis(10);
const MAX_IN_FLIGHT: &str = "16";
const TIMEOUT: Duration = Duration::from_secs(120);

/// Where the records of the fast routes are.
struct Case {
    name: &'static str,
    topic: &'static str,
    partition: i32,
    fast_routes: i32,
    /// The records of all fast routes together: some seconds of requests.
    fast_records: usize,
}

const CASES: [Case; 3] = [
    Case {
        name: "same partition",
        topic: "fair-same",
        partition: 0,
        fast_routes: 1,
        fast_records: 5_000,
    },
    Case {
        name: "another partition",
        topic: "fair-other",
        partition: 1,
        fast_routes: 1,
        fast_records: 5_000,
    },
    Case {
        name: "19 fast routes, same partition",
        topic: "fair-many",
        partition: 0,
        fast_routes: 19,
        fast_records: 60_000,
    },
];

/// For each case, the throughput of the fast routes beside the slow one ÷ alone.
pub(crate) async fn measure(
    topics: &Topics,
    rounds: usize,
    mut job: impl FnMut(&str) -> Command,
) -> Result<BTreeMap<String, Spread>> {
    let mut ratios = BTreeMap::new();
    for case in &CASES {
        let alone = format!("{}-alone", case.topic);
        fill(topics, &alone, case, 0).await?;
        fill(topics, case.topic, case, SLOW_RECORDS).await?;
        let mut ratio = Vec::new();
        for round in 1..=rounds {
            let limit = seconds(job(&alone), case)?;
            let beside = seconds(job(case.topic), case)?;
            eprintln!(
                "bench-window: {}, round {round}: alone {limit:.2} s, beside a slow route {beside:.2} s",
                case.name
            );
            ratio.push(limit / beside);
        }
        let ratio = Spread::of(ratio).context("at least one round is needed")?;
        ratios.insert(case.name.to_owned(), ratio);
    }
    Ok(ratios)
}

async fn fill(topics: &Topics, topic: &str, case: &Case, slow_records: usize) -> Result<()> {
    topics.create(topic, 2, &[]).await?;
    let record = |partition, id| NewRecord::to(partition, User::new(id, "user").encode());
    let mut records: Vec<NewRecord> = (0..slow_records).map(|_| record(0, 0)).collect();
    let fast_id = |number| 1 + number % case.fast_routes;
    records.extend(
        (0..case.fast_records as i32).map(|number| record(case.partition, fast_id(number))),
    );
    topics.write(topic, &records)?;
    Ok(())
}

/// Seconds from the start of the job to the last request of the fast routes.
fn seconds(mut job: Command, case: &Case) -> Result<f64> {
    let slow = Endpoint::start(|_| Answer::ok().after(SLOW_LATENCY))?;
    let fast = Endpoint::start(|_| Answer::ok().after(FAST_LATENCY))?;
    let route = |id: i32| {
        let url = if id == 0 { slow.url() } else { fast.url() };
        json!({"name": format!("route-{id}"), "when": format!("id == {id}"), "url": url})
    };
    let routes: Vec<_> = (0..=case.fast_routes).map(route).collect();
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(&file, json!({"version": 1, "routes": routes}).to_string())?;
    let start = Instant::now();
    let mut child = job
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", file.path())
        .env("MAX_IN_FLIGHT", MAX_IN_FLIGHT)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let is_complete = fast.wait_for(case.fast_records, TIMEOUT);
    let elapsed = start.elapsed();
    child.kill()?;
    child.wait()?;
    ensure!(
        is_complete,
        "the fast routes received {} records",
        fast.count()
    );
    Ok(elapsed.as_secs_f64())
}
