//! Which offsets one run reads: half-open ranges, fixed at the start. Pure: what the broker said in, ranges out.

use std::collections::BTreeMap;

use crate::offset_map::OffsetMap;

/// Where a window begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowStart {
    /// At the group's committed offset, or at the log's start for a partition without one.
    Committed,
    /// At the log's start. A replay: nothing is committed.
    Earliest,
    /// At the first record of that time (milliseconds since 1970) or later. A replay.
    Time(i64),
    /// At these offsets; other partitions are not read. A replay.
    Offsets(BTreeMap<i32, i64>),
}

/// Where a window ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowEnd {
    /// At the end of the log as seen at the start.
    Now,
    /// Before the first record, in offset order, of that time or later. Later offsets are left alone even where an
    /// older record lies among them: the window is a range of offsets.
    Time(i64),
    /// Before these offsets; other partitions are not read.
    Offsets(BTreeMap<i32, i64>),
}

impl WindowStart {
    /// The partitions that are named.
    pub fn partitions(&self) -> Vec<i32> {
        match self {
            Self::Offsets(offsets) => offsets.keys().copied().collect(),
            Self::Committed | Self::Earliest | Self::Time(_) => Vec::new(),
        }
    }
}

impl WindowEnd {
    /// The partitions that are named.
    pub fn partitions(&self) -> Vec<i32> {
        match self {
            Self::Offsets(offsets) => offsets.keys().copied().collect(),
            Self::Now | Self::Time(_) => Vec::new(),
        }
    }
}

/// What the broker says of a partition at the start of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// Partition.
    pub partition: i32,
    /// The log's first offset.
    pub low: i64,
    /// The log's end for a reader of committed records (the last stable offset).
    pub high: i64,
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// The commit's metadata.
    pub metadata: String,
    /// The offset that `WindowStart::Time` asks for, if it was asked.
    pub start_time_offset: Option<i64>,
    /// The offset that `WindowEnd::Time` asks for, if it was asked.
    pub end_time_offset: Option<i64>,
}

/// The offsets of one partition in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// Partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The offset behind the last.
    pub end: i64,
}

impl OffsetRange {
    /// How many offsets it holds.
    pub fn length(&self) -> i64 {
        self.end - self.start
    }
}

/// Records that the group never read and that are gone from the log, or a commit from a log that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataLoss {
    /// Partition.
    pub partition: i32,
    /// What was found, with numbers.
    pub what: String,
    /// How many offsets are gone that nobody has completed.
    pub records: i64,
}

/// The ranges of a window, and what was lost before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// One range for each partition that is part of the window; an empty range is part of it too.
    pub ranges: Vec<OffsetRange>,
    /// Losses that the broker's answers show.
    pub data_losses: Vec<DataLoss>,
    /// Partitions that begin anew at the log's start, each with the group's commit, which is of a log that is no more.
    pub restarted: BTreeMap<i32, i64>,
    /// Partitions whose log was truncated below what an earlier run has read: what it noted beyond its commit is not believed.
    pub truncated: Vec<i32>,
    /// True when `records` truncated the window short.
    pub capped: bool,
}

impl Window {
    /// Plans the window over these partitions, of which `known` tells what is done beyond the commit. It holds at most
    /// `records` offsets that no run has read yet. What an earlier run has read and left for a route's sake comes on
    /// top: a route that is down would else fill the window, and keep the others from getting anything.
    pub fn plan(
        partition_offsets: &[PartitionOffsets],
        known: &BTreeMap<i32, OffsetMap>,
        from: &WindowStart,
        until: &WindowEnd,
        records: Option<u64>,
    ) -> Self {
        let mut window = Self::default();
        for offsets in partition_offsets {
            window.add(offsets, known.get(&offsets.partition), from, until);
        }
        if let Some(records) = records {
            window.capped = window.cap(known, records);
        }
        window
    }

    /// How many offsets it holds.
    pub fn length(&self) -> i64 {
        self.ranges.iter().map(OffsetRange::length).sum()
    }

    /// The range of one partition.
    pub fn range(&self, partition: i32) -> Option<&OffsetRange> {
        self.ranges
            .iter()
            .find(|range| range.partition == partition)
    }

    /// The commit of this partition is from a log that is no more: the whole log is due.
    pub fn restart(&mut self, partition: i32, committed: i64, low: i64, high: i64) {
        self.restarted.insert(partition, committed);
        if let Some(range) = self
            .ranges
            .iter_mut()
            .find(|range| range.partition == partition)
        {
            (range.start, range.end) = (low, high);
        }
    }

    fn add(
        &mut self,
        at: &PartitionOffsets,
        done: Option<&OffsetMap>,
        from: &WindowStart,
        until: &WindowEnd,
    ) {
        let start = match from {
            WindowStart::Committed => self.committed_start(at, done),
            WindowStart::Earliest => Some(at.low),
            WindowStart::Time(_) => Some(at.start_time_offset.unwrap_or(at.high)),
            WindowStart::Offsets(offsets) => offsets.get(&at.partition).copied(),
        };
        let end = match until {
            WindowEnd::Now => Some(at.high),
            WindowEnd::Time(_) => Some(at.end_time_offset.unwrap_or(at.high)),
            WindowEnd::Offsets(offsets) => offsets.get(&at.partition).copied(),
        };
        let (Some(start), Some(end)) = (start, end) else {
            return;
        };
        let gone = (start, end.min(at.low));
        if gone.0 < gone.1 {
            let what = format!("offsets {} to {} are gone from the log", gone.0, gone.1 - 1);
            self.lose(at.partition, gone.1 - gone.0, what);
        }
        let start = start.max(at.low);
        let end = end.min(at.high).max(start);
        self.ranges.push(OffsetRange {
            partition: at.partition,
            start,
            end,
        });
    }

    fn committed_start(&mut self, at: &PartitionOffsets, done: Option<&OffsetMap>) -> Option<i64> {
        let Some(committed) = at.committed else {
            return Some(at.low);
        };
        if committed < at.low {
            let gone = format!("offsets {committed} to {} are gone", at.low - 1);
            let (records, what) = match done {
                None => (
                    at.low - committed,
                    format!("{gone} from the log and were never read"),
                ),
                Some(done) => (
                    done.incomplete_below(at.low, committed),
                    format!("{gone} from the log, and with them what earlier runs had left there"),
                ),
            };
            self.lose(at.partition, records, what);
            return Some(at.low);
        }
        if committed > at.high {
            let what = format!(
                "the commit is at {committed}, beyond the log's end {}: the log was truncated or made anew",
                at.high
            );
            self.lose(at.partition, 0, what);
            self.restarted.insert(at.partition, committed);
            return Some(at.low);
        }
        if let Some(done) = done.filter(|done| done.scanned > at.high) {
            let what = format!(
                "a run has read up to {}, beyond the log's end {}: the log was truncated",
                done.scanned, at.high
            );
            self.lose(at.partition, 0, what);
            self.truncated.push(at.partition);
        }
        Some(committed)
    }

    fn lose(&mut self, partition: i32, records: i64, what: String) {
        self.data_losses.push(DataLoss {
            partition,
            what,
            records,
        });
    }

    /// Cuts the ranges to so many offsets that no run has read. Answers whether anything was truncated.
    fn cap(&mut self, known: &BTreeMap<i32, OffsetMap>, records: u64) -> bool {
        let unread = |range: &OffsetRange| {
            let done = known
                .get(&range.partition)
                .filter(|_| !self.truncated.contains(&range.partition));
            let read = done.map_or(range.start, |done| done.scanned);
            OffsetRange {
                start: read.clamp(range.start, range.end),
                ..range.clone()
            }
        };
        let mut unread: Vec<OffsetRange> = self.ranges.iter().map(unread).collect();
        let truncated = share_out(&mut unread, records);
        for (range, unread) in self.ranges.iter_mut().zip(unread) {
            range.end = unread.end;
        }
        truncated
    }
}

/// Shares `records` over the ranges in proportion to their length, so that none starves: every range that has
/// something gets at least one offset while there are enough to go round. Answers whether anything was truncated.
fn share_out(ranges: &mut [OffsetRange], records: u64) -> bool {
    let total: i64 = ranges.iter().map(OffsetRange::length).sum();
    let mut left = i64::try_from(records).unwrap_or(i64::MAX);
    if total <= left {
        return false;
    }
    let mut shares = vec![0; ranges.len()];
    // One for each first, then the rest in proportion, then what rounding left over.
    hand_out(&mut shares, &mut left, ranges, |_| 1);
    let (rest, wanted) = (
        i128::from(left),
        i128::from(total - shares.iter().sum::<i64>()).max(1),
    );
    hand_out(&mut shares, &mut left, ranges, |room| {
        (i128::from(room) * rest / wanted) as i64
    });
    while left > 0 {
        hand_out(&mut shares, &mut left, ranges, |_| 1);
    }
    for (range, share) in ranges.iter_mut().zip(shares) {
        range.end = range.start + share;
    }
    true
}

fn hand_out(
    shares: &mut [i64],
    left: &mut i64,
    ranges: &[OffsetRange],
    portion: impl Fn(i64) -> i64,
) {
    for (share, range) in shares.iter_mut().zip(ranges) {
        let room = range.length() - *share;
        let more = portion(room).min(room).min(*left);
        *share += more;
        *left -= more;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(partition: i32, low: i64, high: i64, committed: Option<i64>) -> PartitionOffsets {
        PartitionOffsets {
            partition,
            low,
            high,
            committed,
            metadata: String::new(),
            start_time_offset: None,
            end_time_offset: None,
        }
    }

    /// Plans where nothing is known beyond the commits.
    fn plan(
        partition_offsets: &[PartitionOffsets],
        from: &WindowStart,
        until: &WindowEnd,
        records: Option<u64>,
    ) -> Window {
        Window::plan(partition_offsets, &BTreeMap::new(), from, until, records)
    }

    fn ranges(window: &Window) -> Vec<(i32, i64, i64)> {
        window
            .ranges
            .iter()
            .map(|range| (range.partition, range.start, range.end))
            .collect()
    }

    #[test]
    fn a_window_is_from_the_commit_to_the_end_seen_at_the_start() {
        let partition_offsets = [at(0, 0, 10, Some(4)), at(1, 3, 10, None), at(2, 0, 0, None)];
        let window = plan(
            &partition_offsets,
            &WindowStart::Committed,
            &WindowEnd::Now,
            None,
        );
        assert_eq!(ranges(&window), [(0, 4, 10), (1, 3, 10), (2, 0, 0)]);
        assert_eq!(window.data_losses, []);
        assert_eq!(window.length(), 13);
    }

    #[test]
    fn a_commit_that_fell_off_the_log_is_a_loss_with_its_number() {
        let window = plan(
            &[at(3, 100, 120, Some(40))],
            &WindowStart::Committed,
            &WindowEnd::Now,
            None,
        );
        assert_eq!(ranges(&window), [(3, 100, 120)]);
        let data_loss = &window.data_losses[0];
        assert_eq!((data_loss.partition, data_loss.records), (3, 60));
        assert_eq!(
            data_loss.what,
            "offsets 40 to 99 are gone from the log and were never read"
        );
    }

    #[test]
    fn a_commit_beyond_the_log_is_a_loss_of_unknown_size() {
        let window = plan(
            &[at(0, 0, 5, Some(9))],
            &WindowStart::Committed,
            &WindowEnd::Now,
            None,
        );
        assert_eq!(window.data_losses[0].records, 0);
        assert_eq!(ranges(&window), [(0, 0, 5)]);
    }

    #[test]
    fn times_and_offsets_are_clipped_to_the_log() {
        let timed = PartitionOffsets {
            start_time_offset: Some(20),
            end_time_offset: None,
            ..at(0, 10, 30, Some(2))
        };
        assert_eq!(
            ranges(&plan(
                &[timed],
                &WindowStart::Time(1),
                &WindowEnd::Time(2),
                None
            )),
            [(0, 20, 30)]
        );
        let map = |pairs: &[(i32, i64)]| pairs.iter().copied().collect();
        let partition_offsets = [at(0, 10, 30, None), at(1, 0, 30, None)];
        let window = plan(
            &partition_offsets,
            &WindowStart::Offsets(map(&[(0, 5)])),
            &WindowEnd::Offsets(map(&[(0, 99), (1, 3)])),
            None,
        );
        assert_eq!(ranges(&window), [(0, 10, 30)]);
        // What was asked for and is gone is no silence.
        assert_eq!(window.data_losses[0].records, 5);
        assert_eq!(
            window.data_losses[0].what,
            "offsets 5 to 9 are gone from the log"
        );
    }

    /// A route's gap from the commit on, and all else done up to `scanned`.
    fn left_by_a_route(partition: i32, gap: (i64, i64), scanned: i64) -> BTreeMap<i32, OffsetMap> {
        let gaps = vec![vec![gap], vec![], vec![]];
        BTreeMap::from([(partition, OffsetMap { scanned, gaps })])
    }

    #[test]
    fn a_cap_counts_what_no_run_has_read_whatever_a_route_has_left() {
        let partition_offsets = [at(0, 0, 1000, Some(0)), at(1, 0, 0, None)];
        let known = left_by_a_route(0, (0, 1), 400);
        let window = Window::plan(
            &partition_offsets,
            &known,
            &WindowStart::Committed,
            &WindowEnd::Now,
            Some(100),
        );
        assert_eq!(ranges(&window), [(0, 0, 500), (1, 0, 0)]);
        assert!(window.capped);
        let window = Window::plan(
            &partition_offsets,
            &known,
            &WindowStart::Committed,
            &WindowEnd::Now,
            Some(600),
        );
        assert!(!window.capped);
    }

    #[test]
    fn what_was_settled_beyond_the_commit_is_not_lost_with_the_log() {
        let partition_offsets = [at(0, 300, 600, Some(10))];
        let known = left_by_a_route(0, (10, 50), 500);
        let window = Window::plan(
            &partition_offsets,
            &known,
            &WindowStart::Committed,
            &WindowEnd::Now,
            None,
        );
        assert_eq!(window.data_losses[0].records, 40);
    }

    #[test]
    fn a_log_that_ends_below_what_was_read_was_cut() {
        let known = left_by_a_route(0, (10, 50), 500);
        let plan = |high| {
            let partition_offsets = [at(0, 0, high, Some(10))];
            Window::plan(
                &partition_offsets,
                &known,
                &WindowStart::Committed,
                &WindowEnd::Now,
                None,
            )
        };
        assert_eq!(
            (plan(500).data_losses.len(), plan(500).truncated.len()),
            (0, 0)
        );
        let truncated = plan(499);
        assert_eq!(
            (
                truncated.data_losses[0].records,
                truncated.truncated.as_slice()
            ),
            (0, &[0][..])
        );
        assert_eq!(ranges(&truncated), [(0, 10, 499)]);
    }

    #[test]
    fn a_cap_starves_no_partition() {
        let partition_offsets = [
            at(0, 0, 1_000_000, None),
            at(1, 0, 1_000, None),
            at(2, 0, 1, None),
        ];
        let window = plan(
            &partition_offsets,
            &WindowStart::Committed,
            &WindowEnd::Now,
            Some(1000),
        );
        assert!(window.capped);
        assert_eq!(window.length(), 1000);
        assert!(
            window.ranges.iter().all(|range| range.length() >= 1),
            "{:?}",
            window.ranges
        );
        assert!(
            !plan(
                &partition_offsets,
                &WindowStart::Committed,
                &WindowEnd::Now,
                Some(2_000_000)
            )
            .capped
        );
    }

    proptest! {
        #[test]
        fn a_cap_is_exact_whatever_the_lengths(lengths in proptest::collection::vec(0i64..5000, 1..20), records in 0u64..20_000) {
            let partition_offsets: Vec<_> = lengths.iter().enumerate().map(|(n, length)| at(n as i32, 0, *length, None)).collect();
            let window = plan(&partition_offsets, &WindowStart::Committed, &WindowEnd::Now, Some(records));
            prop_assert_eq!(window.length(), (records as i64).min(lengths.iter().sum()));
            for (range, length) in window.ranges.iter().zip(&lengths) {
                prop_assert!(range.length() <= *length);
                if records as usize >= lengths.len() { prop_assert!(range.length() > 0 || *length == 0); }
            }
        }
    }
}
