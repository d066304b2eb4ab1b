//! Asks the broker for what a run begins with: the topic, and where its group stands.

use std::sync::atomic::AtomicBool;

use super::Wrong;
use crate::config::Config;
use kafka::reader::{Reader, SourceError};
use offsets::window::{WindowEnd, WindowStart};

type Answer = (&'static str, Result<String, Wrong>);

/// Broker, topic and group; what cannot be asked any more is left out.
pub(super) fn ask(config: &Config) -> Vec<Answer> {
    let topic = &config.kafka.topic;
    let list_offsets = Reader::new(&config.kafka.reader(&config.group), topic)
        .map_err(|error| SourceError::client(&config.kafka, error))
        .and_then(|reader| {
            let never = AtomicBool::new(false);
            reader.list_offsets(
                &WindowStart::Committed,
                &WindowEnd::Now,
                config.start_timeout,
                &never,
            )
        });
    let list_offsets = match list_offsets {
        Ok(list_offsets) => list_offsets,
        Err(SourceError::Connection { reason, advice, .. }) => {
            let wrong = Wrong {
                detail: reason,
                advice: Some(advice),
            };
            return vec![("broker", Err(wrong))];
        }
        Err(error @ SourceError::NoTopic { .. }) => {
            return vec![
                ("broker", Ok("answers".to_owned())),
                ("topic", Err(Wrong::new(error))),
            ];
        }
        Err(error) => return vec![("broker", Err(Wrong::new(error)))],
    };
    let partitions = list_offsets.partition_offsets.len();
    let committed = list_offsets
        .partition_offsets
        .iter()
        .filter(|known| known.committed.is_some())
        .count();
    vec![
        (
            "broker",
            Ok(format!("cluster {}", list_offsets.stream.cluster)),
        ),
        ("topic", Ok(format!("{topic}, {partitions} partitions"))),
        (
            "group",
            Ok(format!(
                "{}, offsets committed for {committed} of {partitions} partitions",
                config.group
            )),
        ),
    ]
}
