//! What the door costs, each figure as a ratio within this run: a request through the function's socket by raw
//! librdkafka's produce-to-acknowledgement on the same broker, its start by an empty hyper program's, its memory
//! after 10,000 requests, and the size of each program.
//!
//! The embedded broker answers at once and lives in this process, which is the hardest case for a ratio: there the way
//! to the function and back weighs as much as the way to the broker. `--kafka` measures on Apache Kafka instead.
#![allow(unsafe_code)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::agent::Agent;
use lab::broker::Broker;
use lab::kafka::{Kafka, Options};
use lab::program::built;
use lab::topics::Topics;
use lab::user::User;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka_sys as sys;

const CALLS: usize = 10_000;
const STARTS: usize = 60;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    if std::env::args().any(|flag| flag == "--kafka") {
        let kafka = Kafka::start(&Options::default())?;
        Topics::of(kafka.bootstrap())?
            .create("door", 1, &[])
            .await?;
        return calls(kafka.bootstrap(), CALLS / 5).await;
    }
    let broker = Broker::start()?;
    broker.create_topic("door", 1)?;
    calls(broker.bootstrap(), CALLS).await?;
    starts(broker.bootstrap())?;
    sizes()
}

/// A call to acknowledgement, raw librdkafka's, and an empty program's answer over the same kind of socket, in turn.
async fn calls(bootstrap: &str, count: usize) -> Result<()> {
    let settings = [
        ("KAFKA_BOOTSTRAPSERVER", bootstrap),
        ("KAFKA_TOPIC", "door"),
    ];
    let function = Agent::start(&built("fn-recep-avro")?, &settings).await?;
    let empty = Agent::start(&built("bench-empty")?, &[]).await?;
    let datum = User::new(1010, "Paul that goes to API type A").encode();
    let mut contenders = [
        Contender::Call(Wire::to(&function, &datum)?),
        Contender::Raw(Raw::start(bootstrap)?),
        Contender::Call(Wire::to(&empty, &datum)?),
    ];
    let mut times = [const { Vec::new() }; 3];
    for number in 0..count + 500 {
        // Who goes first changes, so that nobody always finds another's caches.
        for turn in 0..3 {
            let who = (number + turn) % 3;
            let time = contenders[who].run(&datum)?;
            if number >= 500 {
                times[who].push(time);
            }
        }
    }
    let [through, raw, hop] = times.map(Spread::of);
    println!("request to acknowledgement    {through}");
    println!("raw librdkafka                {raw}");
    println!("an empty program's answer     {hop}");
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "request / raw                 p50 {:.2}  p99 {:.2}   (aim 1.3 at the median)",
        micros(through.median) / micros(raw.median),
        micros(through.p99) / micros(raw.p99),
    );
    println!(
        "request / (raw + empty)       p50 {:.2}  p99 {:.2}   (what the door itself adds)",
        micros(through.median) / (micros(raw.median) + micros(hop.median)),
        micros(through.p99) / (micros(raw.p99) + micros(hop.p99)),
    );
    let resident = function.resident()? as f64 / 1e6;
    println!("resident after {count} requests  {resident:.1} MB   (aim 20 MB)");
    Ok(())
}

enum Contender {
    Call(Wire),
    Raw(Raw),
}

impl Contender {
    fn run(&mut self, datum: &[u8]) -> Result<Duration> {
        match self {
            Self::Call(wire) => wire.call(),
            Self::Raw(raw) => raw.produce(datum),
        }
    }
}

/// The agent's connection, without a client's own costs: one write, and reads until the reply is whole.
struct Wire {
    stream: UnixStream,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Wire {
    fn to(agent: &Agent, datum: &[u8]) -> Result<Self> {
        let mut request = format!(
            "POST /call HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\naccept-encoding: gzip\r\n\
             content-type: application/octet-stream\r\nfn-call-id: 01DWCALL000000000000000001\r\n\
             fn-deadline: 2999-01-01T00:00:00Z\r\n\r\n{:x}\r\n",
            datum.len()
        )
        .into_bytes();
        request.extend_from_slice(datum);
        request.extend_from_slice(b"\r\n0\r\n\r\n");
        Ok(Self {
            stream: UnixStream::connect(agent.socket())?,
            request,
            reply: vec![0; 4096],
        })
    }

    fn call(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.stream.write_all(&self.request)?;
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.reply[read..])?;
            ensure!(more > 0, "the function hung up");
            read += more;
            if whole(&self.reply[..read])? {
                return Ok(start.elapsed());
            }
        }
    }
}

/// Whether head and body of the reply are there; the door's must say 202.
fn whole(reply: &[u8]) -> Result<bool> {
    let text = std::str::from_utf8(reply)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(false);
    };
    ensure!(
        !head.contains("fn-http-status") || head.contains("fn-http-status: 202"),
        "answered {text}"
    );
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .context("no length")?;
    Ok(body.len() >= length.parse()?)
}

/// librdkafka without anything round it, configured as the door configures it.
struct Raw {
    producer: BaseProducer,
    queue: *mut sys::rd_kafka_queue_t,
}

impl Raw {
    fn start(bootstrap: &str) -> Result<Self> {
        let producer = BaseProducer::from_config(
            ClientConfig::new()
                .set("bootstrap.servers", bootstrap)
                .set("acks", "all")
                .set("enable.idempotence", "true")
                .set("linger.ms", "0"),
        )?;
        // SAFETY: the producer is alive, and so is its queue until the process ends.
        let queue = unsafe { sys::rd_kafka_queue_get_main(producer.client().native_ptr()) };
        Ok(Self { producer, queue })
    }

    fn produce(&self, datum: &[u8]) -> Result<Duration> {
        let start = Instant::now();
        let mut headers = OwnedHeaders::new_with_capacity(3);
        for (key, value) in [
            ("content-type", "avro/binary"),
            ("avro-schema-fingerprint", "51d528be20c8a6cc"),
            ("call-id", "01DWCALL000000000000000001"),
        ] {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let record = BaseRecord::to("door")
            .key("1010")
            .payload(datum)
            .headers(headers);
        self.producer
            .send(record)
            .map_err(|(error, _)| error)
            .context("producing")?;
        loop {
            // SAFETY: the queue is alive; the event is ours to destroy, once.
            let delivered = unsafe {
                let event = sys::rd_kafka_queue_poll(self.queue, 1000);
                ensure!(!event.is_null(), "no acknowledgement");
                let kind = sys::rd_kafka_event_type(event);
                sys::rd_kafka_event_destroy(event);
                kind == sys::RD_KAFKA_EVENT_DR
            };
            if delivered {
                return Ok(start.elapsed());
            }
        }
    }
}

/// From spawn to a socket that takes a connection, the function's and the empty program's in turn.
fn starts(bootstrap: &str) -> Result<()> {
    let (function, empty) = (built("fn-recep-avro")?, built("bench-empty")?);
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        ours.push(start(&function, bootstrap)?);
        least.push(start(&empty, bootstrap)?);
    }
    let (ours, least) = (Spread::of(ours), Spread::of(least));
    println!("spawn to bound socket         {ours}");
    println!("an empty hyper program        {least}");
    println!(
        "ratio                         p50 {:.2}  min {:.2}   (aim 2)",
        ours.median.as_secs_f64() / least.median.as_secs_f64(),
        ours.least.as_secs_f64() / least.least.as_secs_f64(),
    );
    Ok(())
}

fn start(program: &Path, bootstrap: &str) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let name = folder.path().join("lsnr.sock");
    let start = Instant::now();
    let mut child = Command::new(program)
        .env_clear()
        .env("FN_LISTENER", format!("unix:{}", name.display()))
        .env("KAFKA_BOOTSTRAPSERVER", bootstrap)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    while UnixStream::connect(&name).is_err() {
        ensure!(start.elapsed() < Duration::from_secs(5), "no socket");
        std::thread::sleep(Duration::from_micros(20));
    }
    let time = start.elapsed();
    child.kill()?;
    child.wait()?;
    Ok(time)
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
            println!("{name:<29} {size:.1} MB");
        }
    }
    Ok(())
}

struct Spread {
    least: Duration,
    median: Duration,
    p99: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Self {
            least: at(0.0),
            median: at(0.5),
            p99: at(0.99),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        write!(
            f,
            "min {:.0} us  p50 {:.0} us  p99 {:.0} us",
            micros(self.least),
            micros(self.median),
            micros(self.p99)
        )
    }
}
