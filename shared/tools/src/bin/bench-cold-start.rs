//! `bench-cold-start`: measures the time from the function's start to the first acknowledged message, with settings in a local
//! file and in bucket and vault, as ratios within one run.
//!
//! Oracle Cloud is the stand-in on the loopback without TLS. In a region, each sequential request takes one more round trip.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testkit::agent::{Agent, Call};
use testkit::broker::Broker;
use testkit::oci_standin::{NAMESPACE, Standin};
use testkit::program::built;
use testkit::user::User;

const STARTS: usize = 40;

type Variables = Vec<(&'static str, String)>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let broker = Broker::start()?;
    broker.create_topic("benchmark", 1)?;
    let cloud = Standin::start().await?;
    let folder = tempfile::tempdir()?;
    let schema = folder.path().join("user.avsc");
    let json = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../schemas/user.avsc"
    ))?;
    std::fs::write(&schema, &json)?;
    let values = [
        ("kafka_bootstrap_servers", broker.bootstrap()),
        ("kafka_topic", "benchmark"),
        ("kafka_profile", "kafka"),
        ("kafka_security_protocol", "plaintext"),
        ("kafka_key", "id"),
    ];
    let plain = values.map(|(name, value)| format!("{name}={value}\n"));
    let secret = cloud.put_secrets(&values);
    let file = folder.path().join("config.properties");
    std::fs::write(&file, plain.concat())?;
    cloud.put_object("config", "config.properties", secret.as_bytes());
    cloud.put_object("avro-schema-bucket", "user.avsc", &json);
    let mut principal = cloud.resource_principal(folder.path(), Duration::from_secs(3600))?;
    principal.push(("OCI_ENDPOINT", cloud.endpoint()));
    let in_cloud = |namespace: &str| -> Variables {
        let mut variables = principal.clone();
        let location = |bucket, object| format!("oci://{bucket}{namespace}/{object}");
        variables.push(("CONFIG_LOCATION", location("config", "config.properties")));
        variables.push(("AVRO_SCHEMA", location("avro-schema-bucket", "user.avsc")));
        variables
    };
    let local = vec![
        ("CONFIG_LOCATION", file.display().to_string()),
        ("AVRO_SCHEMA", schema.display().to_string()),
    ];
    let candidates = [
        ("local file", local),
        ("bucket and vault", in_cloud(&format!("@{NAMESPACE}"))),
        ("the same without the namespace", in_cloud("")),
    ];
    let mut times = [const { Vec::new() }; 3];
    let mut requests = [0; 3];
    for number in 0..STARTS {
        for turn in 0..3 {
            let index = (number + turn) % 3;
            cloud.clear_requests();
            times[index].push(cold_start(&candidates[index].1).await?);
            requests[index] = cloud.requests().len();
        }
    }
    println!(
        "{STARTS} cold starts each, from start to the first acknowledged message; five secrets, two objects"
    );
    let base = median(&mut times[0]);
    for ((name, _), (times, requests)) in candidates.iter().zip(times.iter_mut().zip(requests)) {
        let median = median(times);
        let slow = times[times.len() * 9 / 10];
        println!(
            "{name:<30}  p50 {:6.1} ms  p90 {:6.1} ms  {requests} HTTP requests  {:+.1} ms  x {:.2}",
            median.as_secs_f64() * 1e3,
            slow.as_secs_f64() * 1e3,
            (median.as_secs_f64() - base.as_secs_f64()) * 1e3,
            median.as_secs_f64() / base.as_secs_f64(),
        );
    }
    Ok(())
}

async fn cold_start(variables: &Variables) -> Result<Duration> {
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let datum = User::new(1010, "Paul that goes to API type A").encode();
    let binary = built("fn-recep-avro")?;
    let start = Instant::now();
    let mut function = Agent::start(&binary, &variables).await?;
    let reply = function.call(Call::direct(datum)).await?;
    let time = start.elapsed();
    ensure!(reply.status == 202, "{reply:?}\n{}", function.log());
    function.kill().await.context("ending the function")?;
    Ok(time)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
