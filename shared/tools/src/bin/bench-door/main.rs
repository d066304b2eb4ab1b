//! What the door costs, each figure as a ratio within this run.
//!
//! - a request through the function's socket by raw librdkafka's produce-to-acknowledgement on the same broker
//! - its memory after all of them, its start by an empty hyper program's, and the size of each program
//! - with `--python`: the same calls, cold ones and calls after a freeze, beside the tutorial's own stack
//!   (`deploy/fn/python`: Python's FDK, fastavro, confluent-kafka), both as bare processes
//! - with `--images`, in place of all that: both, and an empty Rust function, in containers as Fn's server has them
//!
//! The embedded broker answers at once and lives in this process, which is the hardest case for a ratio: there the way
//! to the function and back weighs as much as the way to the broker. `--kafka` measures on Apache Kafka instead.

mod cold;
mod containers;
mod engine;
mod freeze;
mod python;
mod raw;
mod spread;
mod warm;
mod wire;

use std::fs;

use anyhow::{Result, bail};
use testkit::broker::Broker;
use testkit::kafka::{Kafka, Options};
use testkit::program::built;
use testkit::topics::Topics;
use testkit::user::User;

/// Rounds of warm calls on the embedded broker; a fifth of them on Apache Kafka.
const CALLS: usize = 10_000;

/// What is measured against what.
struct Field {
    bootstrap: String,
    datum: Vec<u8>,
    /// Python's function, where it takes part.
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
                bail!("{other} is no flag of this; there are --kafka, --python and --images")
            }
        }
    }
    let mut field = Field {
        bootstrap: String::new(),
        datum: User::new(1010, "Paul that goes to API type A").encode(),
        python: beside_python.then(python::Function::fetch).transpose()?,
    };
    // Either is held until the end.
    let (kafka, broker);
    let rounds = if on_kafka {
        kafka = Kafka::start(&Options::default())?;
        field.bootstrap = kafka.bootstrap().to_owned();
        Topics::of(&field.bootstrap)?.create("door", 1, &[]).await?;
        CALLS / 5
    } else {
        broker = Broker::start()?;
        broker.create_topic("door", 1)?;
        field.bootstrap = broker.bootstrap().to_owned();
        CALLS
    };
    if in_containers {
        return containers::calls(&field, rounds).await;
    }
    warm::calls(&field, rounds).await?;
    cold::calls(&field).await?;
    cold::sockets(&field.bootstrap)?;
    if let Some(python) = &field.python {
        python.after_a_freeze(&field).await?;
    }
    sizes()
}

impl Field {
    /// The settings of whatever function.
    fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("KAFKA_BOOTSTRAP_SERVERS", &self.bootstrap),
            ("KAFKA_TOPIC", "door"),
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
