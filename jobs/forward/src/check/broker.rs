//! Checks the broker, the topic and the committed offsets of the group.

use std::sync::atomic::AtomicBool;

use super::CheckError;
use crate::config::Config;
use kafka::list_offsets::Wait;
use kafka::reader::{Reader, SourceError};
use offsets::window::{WindowEnd, WindowStart};

type Finding = (&'static str, Result<String, CheckError>);

/// Broker, topic and group; checks that depend on a failed one are left out.
pub(super) fn ask(config: &Config) -> Vec<Finding> {
    let topic = &config.kafka.topic;
    let offsets = Reader::new(&config.kafka.reader(&config.group), topic)
        .map_err(|error| SourceError::client(&config.kafka, error))
        .and_then(|reader| {
            let never = AtomicBool::new(false);
            let wait = Wait {
                timeout: config.start_timeout,
                request_timeout: config.start_timeout,
                shutdown: &never,
            };
            reader.list_offsets(&WindowStart::Committed, &WindowEnd::Now, &wait)
        });
    let offsets = match offsets {
        Ok(offsets) => offsets,
        Err(SourceError::Connection { reason, remedy, .. }) => {
            let wrong = CheckError {
                detail: reason,
                advice: Some(remedy),
            };
            return vec![("broker", Err(wrong))];
        }
        Err(error @ SourceError::NoTopic { .. }) => {
            return vec![
                ("broker", Ok("reachable".to_owned())),
                ("topic", Err(CheckError::new(error))),
            ];
        }
        Err(error) => return vec![("broker", Err(CheckError::new(error)))],
    };
    let partitions = offsets.partition_offsets.len();
    let committed = offsets
        .partition_offsets
        .iter()
        .filter(|known| known.committed.is_some())
        .count();
    vec![
        ("broker", Ok(format!("cluster {}", offsets.stream.cluster))),
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
