//! Measures how long a client needs until it may read: without a group, and with each group protocol. The forward job
//! chooses its protocol accordingly. Usage: `join_time BOOTSTRAP TOPIC`. Creates the topic if it does not exist.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kafka::config::{GroupProtocol, KafkaSettings};
use kafka::member::{GroupEvent, Member};
use kafka::reader::Reader;
use kafka::settings::KAFKA;
use offsets::window::{WindowEnd, WindowStart};
use settings::Settings;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let bootstrap = arguments.next().context("missing argument: BOOTSTRAP")?;
    let topic = arguments.next().context("missing argument: TOPIC")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let flags = [
        ("kafka_bootstrap_servers", bootstrap),
        ("kafka_topic", topic.clone()),
    ];
    let settings = runtime.block_on(Settings::gather(&[&KAFKA], &flags, |_| None))?;
    let kafka = KafkaSettings::from_settings(&settings)?;
    let timeout = Duration::from_secs(10);
    // An existing topic is not changed.
    let _ = runtime.block_on(testkit::topics::Topics::connect(&kafka.bootstrap)?.create(
        &topic,
        8,
        &[],
    ));
    for round in 0..5 {
        let begin = Instant::now();
        let reader = Reader::new(&kafka.reader("join-time"), &topic)?;
        let offsets = reader.list_offsets(
            &WindowStart::Committed,
            &WindowEnd::Now,
            timeout,
            &AtomicBool::new(false),
        )?;
        println!(
            "{round} list, no group:      {:>8.1?}  {} partitions",
            begin.elapsed(),
            offsets.partition_offsets.len()
        );
        for (name, protocol) in [
            ("consumer", GroupProtocol::Consumer),
            ("classic", GroupProtocol::Classic),
        ] {
            let group = format!("join-time-{name}-{}-{round}", std::process::id());
            let begin = Instant::now();
            let (member, events) =
                Member::join(&kafka.member(&group, protocol, timeout), &topic, timeout)?;
            loop {
                match events
                    .recv_timeout(timeout)
                    .context("no partition was assigned")?
                {
                    GroupEvent::Assigned(partitions) if !partitions.is_empty() => break,
                    GroupEvent::Failed(error) => return Err(error.into()),
                    _ => {}
                }
            }
            let joined = begin.elapsed();
            let begin = Instant::now();
            drop(member);
            println!(
                "{round} join, {name:<9} group: {joined:>8.1?}  leave {:>8.1?}",
                begin.elapsed()
            );
        }
    }
    Ok(())
}
