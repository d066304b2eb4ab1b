//! Which letters the replays of a selection have delivered, from the commits of their consumer groups.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka::reader::SourceError;
use offsets::offset_map::{self, InvalidMetadata, OffsetMap, Scope};
use serde::Serialize;

use super::error::LettersError;
use super::selection::Selection;
use super::target::{group, topic_route};
use super::topic::LetterTopic;
use crate::dead_letter::StoredDeadLetter;
use crate::job::Job;
use crate::lookup;
use crate::pipeline::LetterTarget;
use crate::scope;

/// The most time for the commits of a group. A coordinator that denies the request does not answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where a replay has delivered a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayedTo {
    /// To the route that took it.
    Route,
    /// To the topic that it came from.
    Source,
}

/// What the replays of a selection have completed.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    routes: BTreeMap<i32, Completed>,
    source: BTreeMap<i32, Completed>,
    /// The job's topic.
    topic: Arc<str>,
}

/// What is completed in a partition.
#[derive(Debug)]
struct Completed {
    /// All offsets below.
    below: i64,
    /// What is completed above it.
    map: Option<OffsetMap>,
}

impl Replayed {
    /// Reads the commits of the selection's replays. `None`: they are not known, such as without DESCRIBE on the groups.
    ///
    /// # Errors
    /// The route of the job's topic is invalid.
    pub(super) fn read(
        job: &Job,
        selection: &Selection,
        letters: &LetterTopic,
    ) -> Result<Option<Self>, LettersError> {
        let sources = &job.sources;
        let (configs, routes) = topic_route(sources)?;
        let scope_of =
            |routes, configs| scope::scope(routes, &sources.schemas, configs, &letters.listed);
        let completed = |target, scope| {
            let group = group(&job.config.group, selection, target);
            completed(job, &group, letters, &scope)
        };
        let read = completed(
            LetterTarget::Routes,
            scope_of(&job.routes, &job.route_configs),
        )
        .and_then(|to_routes| {
            let to_source = completed(LetterTarget::Topic, scope_of(&routes, &configs))?;
            Ok((to_routes, to_source))
        });
        match read {
            Ok((routes, source)) => Ok(Some(Self {
                routes,
                source,
                topic: job.config.kafka.topic.as_str().into(),
            })),
            Err(error) => {
                tracing::warn!(%error, "it is not known what replays have delivered");
                Ok(None)
            }
        }
    }

    /// Where the record of a letter that is not discarded was delivered. Some letters above the
    /// first one that is not completed may be missing.
    pub(super) fn targets(&self, letter: &StoredDeadLetter) -> Vec<ReplayedTo> {
        if letter.record.is_none() {
            return Vec::new();
        }
        let origin = letter.origin.as_ref();
        let is_of_topic = origin.is_some_and(|origin| origin.topic == self.topic);
        let (partition, offset) = (letter.at.partition, letter.at.offset);
        let all = [
            (ReplayedTo::Route, &self.routes, true),
            (ReplayedTo::Source, &self.source, is_of_topic),
        ];
        let done = all.into_iter().filter(|(_, completed, is_delivered)| {
            let completed = completed.get(&partition);
            *is_delivered && completed.is_some_and(|completed| completed.contains(offset))
        });
        done.map(|(target, ..)| target).collect()
    }
}

impl Completed {
    fn of(committed: i64, metadata: &str, scope: &Scope) -> Self {
        let (below, map) = match offset_map::decode(metadata, committed, scope) {
            Ok(map) => (committed, Some(map)),
            // The commit of a deleted topic with this name.
            Err(InvalidMetadata::TopicMismatch) => (0, None),
            // The next replay sends what is above the commit.
            Err(_) => (committed, None),
        };
        Self { below, map }
    }

    /// Whether a letter at this offset is completed for each route.
    fn contains(&self, offset: i64) -> bool {
        let map = self.map.as_ref();
        offset < self.below
            || map.is_some_and(|map| map.incomplete_below(offset.saturating_add(1), offset) == 0)
    }
}

fn completed(
    job: &Job,
    group: &str,
    letters: &LetterTopic,
    scope: &Scope,
) -> Result<BTreeMap<i32, Completed>, SourceError> {
    let reader = lookup::reader_of(&job.config, group, &letters.topic)?;
    let partitions = letters.listed.partition_offsets.iter();
    let partitions: Vec<i32> = partitions.map(|at| at.partition).collect();
    let timeout = TIMEOUT.min(job.config.start_timeout);
    let committed = reader.committed(&partitions, timeout)?.into_iter();
    let committed = committed.filter_map(|(partition, committed, metadata)| {
        Some((partition, Completed::of(committed?, &metadata, scope)))
    });
    Ok(committed.collect())
}

#[cfg(test)]
mod tests {
    use record::{Coordinates, Message};

    use super::*;
    use crate::dead_letter::Family;

    fn letter(offset: i64, origin: &str) -> StoredDeadLetter {
        let at = |topic: &str| Coordinates {
            topic: topic.into(),
            partition: 0,
            offset,
        };
        StoredDeadLetter {
            at: at("letters"),
            written: None,
            family: Family::Frontdoor,
            cause: String::new(),
            reason: String::new(),
            route: None,
            run: None,
            origin: Some(at(origin)),
            record: Some(Message {
                at: at("letters"),
                key: None,
                value: None,
                payload: None,
                origin: None,
                headers: Vec::new(),
                timestamp: None,
                client_key: None,
            }),
        }
    }

    fn scope(routes: u64) -> Scope {
        Scope {
            topic: "t".to_owned(),
            routes,
        }
    }

    /// The letters up to 20 are completed, except 12 and 15.
    fn replayed() -> Replayed {
        let map = OffsetMap {
            scanned: 20,
            gaps: vec![vec![(12, 13)], vec![(15, 16)]],
        };
        let metadata = offset_map::encode(&map, 12, &scope(7), 4096);
        let completed = |routes| Completed::of(12, &metadata, &scope(routes));
        Replayed {
            routes: [(0, completed(7))].into(),
            source: [(0, completed(8))].into(),
            topic: "orders".into(),
        }
    }

    #[test]
    fn a_letter_is_replayed_where_a_commit_shows_it_as_completed() {
        let replayed = replayed();
        let targets = |offset| replayed.targets(&letter(offset, "orders"));
        assert_eq!(targets(11), [ReplayedTo::Route, ReplayedTo::Source]);
        // The map above the commit is not valid for other routes.
        assert_eq!(targets(13), [ReplayedTo::Route]);
        for offset in [12, 15, 20] {
            assert_eq!(targets(offset), [], "{offset}");
        }
    }

    #[test]
    fn a_letter_that_replays_skip_is_not_replayed() {
        let replayed = replayed();
        assert_eq!(
            replayed.targets(&letter(11, "other")),
            [ReplayedTo::Route],
            "only records of the job's topic go back to it"
        );
        let mut without_copy = letter(11, "orders");
        without_copy.record = None;
        assert_eq!(replayed.targets(&without_copy), []);
        let mut elsewhere = letter(11, "orders");
        elsewhere.at.partition = 1;
        assert_eq!(replayed.targets(&elsewhere), []);
    }

    #[test]
    fn the_commit_of_a_deleted_topic_shows_nothing() {
        let map = OffsetMap {
            scanned: 12,
            gaps: Vec::new(),
        };
        let metadata = offset_map::encode(&map, 12, &scope(7), 4096);
        let other = Scope {
            topic: "other".to_owned(),
            routes: 7,
        };
        assert!(!Completed::of(12, &metadata, &other).contains(3));
        assert!(Completed::of(12, "", &other).contains(3));
    }
}
