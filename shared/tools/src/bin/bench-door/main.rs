//! `bench-door`: measures the ingest function, as ratios within one run.
//!
//! - the latency of a request, with Avro and with JSON, compared with librdkafka's produce on the same broker
//! - memory, the time of a start compared with an empty function, and program sizes
//! - with `--python`: warm calls, cold calls and calls after a freeze, compared with the tutorial's stack
//!   (`deploy/fn/python`: Python's FDK, fastavro, confluent-kafka), both as processes
//! - with `--images`, instead of the above: both, and an empty Rust function, in containers with the settings of Fn's server
//!
//! The embedded broker is in this process and responds at once, so the path to the function weighs as much as the path to
//! the broker: the worst case for a ratio. `--kafka` measures with Apache Kafka.

mod cold;
mod connection;
mod containers;
mod engine;
mod freeze;
mod python;
mod raw;
mod spread;
mod warm;

use std::fs;

use anyhow::{Result, bail};
use testkit::broker::Broker;
use testkit::kafka::{Kafka, Options};
use testkit::program::built;
use testkit::topics::Topics;
use testkit::user::User;

/// The number of warm calls with the embedded broker; with Apache Kafka a fifth of it.
const CALLS: usize = 10_000;

/// The inputs of all measurements.
struct Setup {
    bootstrap: String,
    datum: Vec<u8>,
    /// The record of the datum.
    json: String,
    /// The Python function, with `--python`.
    python: Option<python::Function>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (mut on_kafka, mut beside_python, mut in_containers) = (false, false, false);
    for flag in std::env::args().skip(1) {
        match flag.as_str() {
            "--kafka" => on_kafka = true,
            "--python" => beside_python = true,
            "--images" => in_containers = true,
            other => {
                bail!("unknown flag {other}, expected --kafka, --python or --images")
            }
        }
    }
    let user = User::new(1010, "Paul that goes to API type A");
    let mut setup = Setup {
        bootstrap: String::new(),
        datum: user.encode(),
        json: serde_json::json!({"id": user.id, "name": user.name, "email": user.email})
            .to_string(),
        python: beside_python.then(python::Function::install).transpose()?,
    };
    // Both must live until the end.
    let (kafka, broker);
    let rounds = if on_kafka {
        kafka = Kafka::start(&Options::default())?;
        setup.bootstrap = kafka.bootstrap().to_owned();
        Topics::connect(&setup.bootstrap)?
            .create("benchmark", 1, &[])
            .await?;
        CALLS / 5
    } else {
        broker = Broker::start()?;
        broker.create_topic("benchmark", 1)?;
        setup.bootstrap = broker.bootstrap().to_owned();
        CALLS
    };
    if in_containers {
        return containers::calls(&setup, rounds).await;
    }
    warm::calls(&setup, rounds).await?;
    cold::calls(&setup).await?;
    cold::sockets(&setup.bootstrap)?;
    if let Some(python) = &setup.python {
        python.after_a_freeze(&setup).await?;
    }
    sizes()
}

impl Setup {
    /// The settings of a function.
    fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("KAFKA_BOOTSTRAP_SERVERS", &self.bootstrap),
            ("KAFKA_TOPIC", "benchmark"),
            ("AVRO_SCHEMA", python::SCHEMA),
        ]
    }
}

fn sizes() -> Result<()> {
    for name in [
        "fn-recep-avro",
        "api-avro-sample",
        "create-avro-sample",
        "forward",
    ] {
        if let Ok(path) = built(name) {
            let size = fs::metadata(path)?.len() as f64 / 1e6;
            println!("{name:<36} {size:.1} MB");
        }
    }
    Ok(())
}
