//! How long it takes from nothing to the right to read, by each way: measured against a real broker, for the choice
//! that `fence.rs` explains. `join_time BOOTSTRAP TOPIC`; a topic that is missing is made.

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
    let bootstrap = arguments.next().context("name the broker")?;
    let topic = arguments.next().context("name the topic")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let flags = [
        ("kafka_bootstrap_servers", bootstrap),
        ("kafka_topic", topic.clone()),
    ];
    let settings = runtime.block_on(Settings::gather(&[&KAFKA], &flags, |_| None))?;
    let kafka = KafkaSettings::from_settings(&settings)?;
    let patience = Duration::from_secs(10);
    // A topic that is there already stays as it is.
    let _ = runtime.block_on(testkit::topics::Topics::of(&kafka.bootstrap)?.create(&topic, 8, &[]));
    for round in 0..5 {
        let begin = Instant::now();
        let reader = Reader::new(&kafka.reader("join-time"), &topic)?;
        let list_offsets = reader.list_offsets(
            &WindowStart::Committed,
            &WindowEnd::Now,
            patience,
            &AtomicBool::new(false),
        )?;
        println!(
            "{round} look, no group:      {:>8.1?}  {} partitions",
            begin.elapsed(),
            list_offsets.partition_offsets.len()
        );
        for (name, protocol) in [
            ("consumer", GroupProtocol::Consumer),
            ("classic", GroupProtocol::Classic),
        ] {
            let group = format!("join-time-{name}-{}-{round}", std::process::id());
            let begin = Instant::now();
            let (member, events) =
                Member::join(&kafka.member(&group, protocol, patience), &topic, patience)?;
            loop {
                match events
                    .recv_timeout(patience)
                    .context("nothing was assigned")?
                {
                    GroupEvent::Assigned(partitions) if !partitions.is_empty() => break,
                    GroupEvent::Failed(error) => return Err(error.into()),
                    _ => {}
                }
            }
            let joined = begin.elapsed();
            let left = Instant::now();
            drop(member);
            println!(
                "{round} join, {name:<9} group: {joined:>8.1?}  leave {:>8.1?}",
                left.elapsed()
            );
        }
    }
    Ok(())
}
