//! Which dead letters a command is about. Pure.

use std::fmt::Write;
use std::time::SystemTime;

use offsets::window::{OffsetRange, PartitionOffsets};
use openssl::sha::sha256;
use record::{Coordinates, InvalidCoordinates};
use runtime::text::hex;

use crate::dead_letter::StoredDeadLetter;
use crate::time_bound::TimeBound;

/// Dead letters. Each member that is set narrows the selection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Those with these coordinates in the dead-letter topic, as text; empty: all.
    pub coordinates: Vec<String>,
    /// Those with this cause.
    pub cause: Option<String>,
    /// Those of records that this route took.
    pub route: Option<String>,
    /// Those that were written at this time or later.
    pub since: Option<TimeBound>,
    /// Those that were written before this time.
    pub until: Option<TimeBound>,
    /// Those in this partition of the dead-letter topic.
    pub partition: Option<i32>,
    /// Those at these offsets of the partition, both included.
    pub offsets: Option<(i64, i64)>,
}

/// Coordinates that do not name a record of the dead-letter topic.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSelection {
    /// They have another form.
    #[error("{0:?}: {1}")]
    Coordinates(String, InvalidCoordinates),
    /// They name another topic.
    #[error("{0} is not in the dead-letter topic {1}: DEAD_LETTER_TOPIC selects the topic")]
    Topic(Coordinates, String),
}

/// A selection at a point in time.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    selection: Selection,
    coordinates: Vec<(i32, i64)>,
    since: Option<i64>,
    until: Option<i64>,
}

impl Selection {
    /// The filter for letters of `topic`.
    ///
    /// # Errors
    /// The coordinates do not name records of the topic.
    pub(crate) fn filter(&self, topic: &str, now: SystemTime) -> Result<Filter, InvalidSelection> {
        let coordinates = self.coordinates.iter().map(|text| {
            let at = Coordinates::parse(text, Some(topic))
                .map_err(|error| InvalidSelection::Coordinates(text.clone(), error))?;
            match *at.topic == *topic {
                true => Ok((at.partition, at.offset)),
                false => Err(InvalidSelection::Topic(at, topic.to_owned())),
            }
        });
        Ok(Filter {
            coordinates: coordinates.collect::<Result<_, _>>()?,
            since: self.since.map(|bound| bound.milliseconds(now)),
            until: self.until.map(|bound| bound.milliseconds(now)),
            selection: self.clone(),
        })
    }

    /// 16 hexadecimal digits that are the same for equal selections with the same `purpose`. A time relative to now is part
    /// of it as a duration.
    pub(crate) fn fingerprint(&self, purpose: &str) -> String {
        let mut text = purpose.to_owned();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = write!(text, "\0{name}\0{value}");
            }
        };
        let bound = |bound: TimeBound| match bound {
            TimeBound::At(_) => bound.milliseconds(SystemTime::UNIX_EPOCH).to_string(),
            TimeBound::Ago(duration) => format!("-{}", duration.as_millis()),
        };
        // The topic is left out: a group has commits for each topic.
        let named = |text: &String| text.rsplit('/').next().map(str::to_owned);
        let mut coordinates: Vec<String> = self.coordinates.iter().filter_map(named).collect();
        coordinates.sort_unstable();
        for one in coordinates {
            add("at", Some(one));
        }
        add("cause", self.cause.clone());
        add("route", self.route.clone());
        add("since", self.since.map(bound));
        add("until", self.until.map(bound));
        add("partition", self.partition.map(|number| number.to_string()));
        add("offsets", self.offsets.map(|range| format!("{range:?}")));
        hex(&sha256(text.as_bytes())[..8])
    }
}

impl Filter {
    /// The time in milliseconds since 1970 from which on selected letters were written; `None`: any.
    pub(crate) fn since(&self) -> Option<i64> {
        self.since
    }

    /// Whether the letter is selected.
    pub(crate) fn selects(&self, letter: &StoredDeadLetter) -> bool {
        let Selection { cause, route, .. } = &self.selection;
        let written = letter.written;
        self.is_at(letter.at.partition, letter.at.offset)
            && cause.as_ref().is_none_or(|cause| *cause == letter.cause)
            && (route.is_none() || *route == letter.route)
            && self.since.is_none_or(|since| written >= Some(since))
            && self
                .until
                .is_none_or(|until| written.is_some_and(|written| written < until))
    }

    /// The ranges that contain all selected letters. The listing has offsets for [`Filter::since`].
    pub(crate) fn ranges(&self, partitions: &[PartitionOffsets]) -> Vec<OffsetRange> {
        let ranges = partitions.iter().filter_map(|at| {
            let mut start = match self.since {
                Some(_) => at.start_time_offset?,
                None => at.low,
            };
            let mut end = at.high;
            if let Some((first, last)) = self.bounds(at.partition)? {
                start = start.max(first);
                end = end.min(last.saturating_add(1));
            }
            (start < end).then_some(OffsetRange {
                partition: at.partition,
                start,
                end,
            })
        });
        ranges.collect()
    }

    /// The first and the last offset in a partition; `None` within: any. `None`: the partition has none.
    fn bounds(&self, partition: i32) -> Option<Option<(i64, i64)>> {
        if self.selection.partition.is_some_and(|one| one != partition) {
            return None;
        }
        if self.coordinates.is_empty() {
            return Some(self.selection.offsets);
        }
        let here = self.coordinates.iter().filter(|at| at.0 == partition);
        let offsets = here.map(|at| at.1);
        Some(Some((offsets.clone().min()?, offsets.max()?)))
    }

    fn is_at(&self, partition: i32, offset: i64) -> bool {
        let Selection {
            partition: wanted,
            offsets,
            ..
        } = &self.selection;
        wanted.is_none_or(|wanted| wanted == partition)
            && offsets.is_none_or(|(first, last)| (first..=last).contains(&offset))
            && (self.coordinates.is_empty() || self.coordinates.contains(&(partition, offset)))
    }
}

#[cfg(test)]
mod tests;
