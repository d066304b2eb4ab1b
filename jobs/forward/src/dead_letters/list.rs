//! `forward dead-letters list`: counts the selected dead letters and returns the newest.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use kafka::scan::ScanEnd;

use super::error::LettersError;
use super::replayed::Replayed;
use super::report::{LetterGroup, LetterReport, LettersReport, UnrecognizedReport, VERSION};
use super::selection::{Filter, Selection};
use super::topic::{Discards, LetterTopic};
use crate::dead_letter::{StoredDeadLetter, Unrecognized, shortened};
use crate::job::Job;

/// The most groups. The rest is counted as one, whose cause is [`OTHERS`].
pub(crate) const MAX_GROUPS: usize = 1_000;

/// The cause of the group for causes beyond [`MAX_GROUPS`].
pub(crate) const OTHERS: &str = "others";

/// The dead letters of the selection, with the newest `limit` ones. Writes nothing.
///
/// # Errors
/// The broker failed, or the selection does not fit the settings.
pub fn list(
    job: &Job,
    selection: &Selection,
    limit: usize,
    timeout: Duration,
    now: SystemTime,
) -> Result<LettersReport, LettersError> {
    let config = &job.config;
    let filter = selection.filter(&config.dead_letter_topic, now)?;
    let Some(topic) = LetterTopic::open(config, filter.since(), timeout)? else {
        let collected = Collected::new(&filter, Discards::new(), None, limit);
        return Ok(collected.report(&config.dead_letter_topic, true));
    };
    let ranges = filter.ranges(&topic.listed.partition_offsets);
    let replayed = Replayed::read(job, selection, &topic)?;
    let mut collected = Collected::new(&filter, topic.discards()?, replayed, limit);
    let end = topic.each(&ranges, |found| {
        collected.add(found);
        ControlFlow::Continue(())
    })?;
    Ok(collected.report(&topic.topic, end == ScanEnd::Complete))
}

/// The number of letters, of discarded ones, and of replayed ones.
#[derive(Default)]
struct Counts {
    all: u64,
    discarded: u64,
    replayed: u64,
}

/// The counts and the newest letters so far.
struct Collected<'f> {
    filter: &'f Filter,
    discards: Discards,
    /// `None`: not known.
    replayed: Option<Replayed>,
    limit: usize,
    groups: BTreeMap<(String, Option<String>), Counts>,
    /// By time, partition and offset.
    newest: BTreeMap<(Option<i64>, i32, i64), LetterReport>,
    unrecognized: UnrecognizedReport,
}

impl<'f> Collected<'f> {
    fn new(
        filter: &'f Filter,
        discards: Discards,
        replayed: Option<Replayed>,
        limit: usize,
    ) -> Self {
        Self {
            filter,
            discards,
            replayed,
            limit,
            groups: BTreeMap::new(),
            newest: BTreeMap::new(),
            unrecognized: UnrecognizedReport::default(),
        }
    }

    fn add(&mut self, found: Result<StoredDeadLetter, (String, Unrecognized)>) {
        let letter = match found {
            Ok(letter) => letter,
            Err((at, error)) => {
                self.unrecognized.count += 1;
                self.unrecognized.first.get_or_insert(at);
                let reason = &mut self.unrecognized.reason;
                reason.get_or_insert_with(|| error.to_string());
                return;
            }
        };
        if !self.filter.selects(&letter) {
            return;
        }
        let at = (letter.at.partition, letter.at.offset);
        let discarded = self.discards.get(&at);
        let mut group = (letter.cause.clone(), letter.route.as_deref().map(shortened));
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&group) {
            group = (OTHERS.to_owned(), None);
        }
        let counts = self.groups.entry(group).or_default();
        counts.all += 1;
        counts.discarded += u64::from(discarded.is_some());
        let replayed = self.replayed.as_ref().filter(|_| discarded.is_none());
        let replayed = replayed.map(|replayed| replayed.targets(&letter));
        counts.replayed += u64::from(replayed.as_ref().is_some_and(|to| !to.is_empty()));
        let order = (letter.written, at.0, at.1);
        let report = LetterReport {
            replayed,
            ..LetterReport::new(letter, discarded.map(|reason| &**reason))
        };
        self.newest.insert(order, report);
        if self.newest.len() > self.limit {
            self.newest.pop_first();
        }
    }

    fn report(self, topic: &str, complete: bool) -> LettersReport {
        let is_known = self.replayed.is_some();
        let groups = self.groups.into_iter();
        let mut groups: Vec<LetterGroup> = groups
            .map(|((cause, route), counts)| LetterGroup {
                cause,
                route,
                count: counts.all,
                discarded: counts.discarded,
                replayed: is_known.then_some(counts.replayed),
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        LettersReport {
            version: VERSION,
            topic: topic.to_owned(),
            total: groups.iter().map(|group| group.count).sum(),
            discarded: groups.iter().map(|group| group.discarded).sum(),
            replayed: match is_known {
                true => groups.iter().map(|group| group.replayed).sum(),
                false => None,
            },
            groups,
            letters: self.newest.into_values().collect(),
            unrecognized: self.unrecognized,
            complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use record::Coordinates;

    use super::*;
    use crate::dead_letter::Family;

    fn letter(offset: i64, cause: &str) -> StoredDeadLetter {
        StoredDeadLetter {
            at: Coordinates {
                topic: "letters".into(),
                partition: 0,
                offset,
            },
            written: Some(1000 - offset),
            family: Family::Frontdoor,
            cause: cause.to_owned(),
            reason: String::new(),
            route: None,
            run: None,
            origin: None,
            record: None,
        }
    }

    #[test]
    fn all_are_counted_and_the_newest_are_rows() {
        let filter = Selection::default().filter("letters", UNIX_EPOCH).unwrap();
        let discards = Discards::from([((0, 2), "a test".into())]);
        let mut collected = Collected::new(&filter, discards, None, 2);
        for (offset, cause) in [(0, "a"), (1, "b"), (2, "b"), (3, "b")] {
            collected.add(Ok(letter(offset, cause)));
        }
        for at in ["letters/0@4", "letters/0@5"] {
            collected.add(Err((at.to_owned(), Unrecognized::NoDeadLetter)));
        }
        let report = collected.report("letters", true);
        assert_eq!((report.total, report.discarded), (4, 1));
        let groups = report.groups.iter();
        let groups: Vec<_> = groups
            .map(|group| (group.cause.as_str(), group.count, group.discarded))
            .collect();
        assert_eq!(groups, [("b", 3, 1), ("a", 1, 0)]);
        // The timestamps fall with the offsets.
        let rows = report.letters.iter();
        let rows: Vec<_> = rows.map(|row| row.coordinates.as_str()).collect();
        assert_eq!(rows, ["letters/0@1", "letters/0@0"]);
        assert_eq!(report.unrecognized.count, 2);
        assert_eq!(report.unrecognized.first.as_deref(), Some("letters/0@4"));
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let filter = Selection::default().filter("letters", UNIX_EPOCH).unwrap();
        let mut collected = Collected::new(&filter, Discards::new(), None, 0);
        for offset in 0..2 * MAX_GROUPS {
            collected.add(Ok(letter(offset as i64, &format!("cause-{offset}"))));
        }
        let report = collected.report("letters", true);
        assert_eq!(report.groups.len(), MAX_GROUPS + 1);
        assert_eq!(report.groups[0].cause, OTHERS);
        assert_eq!(report.total, 2 * MAX_GROUPS as u64);
        assert!(report.letters.is_empty());
    }
}
