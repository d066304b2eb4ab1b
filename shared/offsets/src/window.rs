//! Which offsets one run reads: half-open spans, fixed at the start. Pure: what the broker said in, spans out.

use std::collections::BTreeMap;

use crate::donemap::DoneMap;

/// Where a window begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
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
pub enum Until {
    /// At the end of the log as seen at the start.
    Now,
    /// Before the first record, in offset order, of that time or later. Later offsets are left alone even where an
    /// older record lies among them: the window is a span of offsets.
    Time(i64),
    /// Before these offsets; other partitions are not read.
    Offsets(BTreeMap<i32, i64>),
}

impl From {
    /// The partitions that are named.
    pub fn partitions(&self) -> Vec<i32> {
        match self {
            Self::Offsets(offsets) => offsets.keys().copied().collect(),
            Self::Committed | Self::Earliest | Self::Time(_) => Vec::new(),
        }
    }
}

impl Until {
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
pub struct Situation {
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
    /// The offset that `From::Time` asks for, if it was asked.
    pub from_time: Option<i64>,
    /// The offset that `Until::Time` asks for, if it was asked.
    pub until_time: Option<i64>,
}

/// The offsets of one partition in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The offset behind the last.
    pub end: i64,
}

impl Span {
    /// How many offsets it holds.
    pub fn length(&self) -> i64 {
        self.end - self.start
    }
}

/// Records that the group never read and that are gone from the log, or a commit from a log that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Partition.
    pub partition: i32,
    /// What was found, with numbers.
    pub what: String,
    /// How many offsets are gone that nobody has settled.
    pub records: i64,
}

/// The spans of a window, and what was lost before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// One span for each partition that is part of the window; an empty span is part of it too.
    pub spans: Vec<Span>,
    /// Losses that the broker's answers show.
    pub losses: Vec<Loss>,
    /// Partitions that begin anew at the log's start, each with the group's commit, which is of a log that is no more.
    pub restarted: BTreeMap<i32, i64>,
    /// Partitions whose log was cut below what an earlier run has read: what it noted beyond its commit is not believed.
    pub cut: Vec<i32>,
    /// True when `records` cut the window short.
    pub capped: bool,
}

impl Window {
    /// Plans the window over these partitions, of which `known` tells what is done beyond the commit. It holds at most
    /// `records` offsets that no run has read yet. What an earlier run has read and left for a route's sake comes on
    /// top: a route that is down would else fill the window, and keep the others from getting anything.
    pub fn plan(
        situations: &[Situation],
        known: &BTreeMap<i32, DoneMap>,
        from: &From,
        until: &Until,
        records: Option<u64>,
    ) -> Self {
        let mut window = Self::default();
        for situation in situations {
            window.add(situation, known.get(&situation.partition), from, until);
        }
        if let Some(records) = records {
            window.capped = window.cap(known, records);
        }
        window
    }

    /// How many offsets it holds.
    pub fn length(&self) -> i64 {
        self.spans.iter().map(Span::length).sum()
    }

    /// The span of one partition.
    pub fn span(&self, partition: i32) -> Option<&Span> {
        self.spans.iter().find(|span| span.partition == partition)
    }

    /// The commit of this partition is from a log that is no more: the whole log is due.
    pub fn restart(&mut self, partition: i32, committed: i64, low: i64, high: i64) {
        self.restarted.insert(partition, committed);
        if let Some(span) = self
            .spans
            .iter_mut()
            .find(|span| span.partition == partition)
        {
            (span.start, span.end) = (low, high);
        }
    }

    fn add(&mut self, at: &Situation, done: Option<&DoneMap>, from: &From, until: &Until) {
        let start = match from {
            From::Committed => self.committed_start(at, done),
            From::Earliest => Some(at.low),
            From::Time(_) => Some(at.from_time.unwrap_or(at.high)),
            From::Offsets(offsets) => offsets.get(&at.partition).copied(),
        };
        let end = match until {
            Until::Now => Some(at.high),
            Until::Time(_) => Some(at.until_time.unwrap_or(at.high)),
            Until::Offsets(offsets) => offsets.get(&at.partition).copied(),
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
        self.spans.push(Span {
            partition: at.partition,
            start,
            end,
        });
    }

    fn committed_start(&mut self, at: &Situation, done: Option<&DoneMap>) -> Option<i64> {
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
                    done.unsettled_below(at.low, committed),
                    format!("{gone} from the log, and with them what earlier runs had left there"),
                ),
            };
            self.lose(at.partition, records, what);
            return Some(at.low);
        }
        if committed > at.high {
            let what = format!(
                "the commit is at {committed}, beyond the log's end {}: the log was cut or made anew",
                at.high
            );
            self.lose(at.partition, 0, what);
            self.restarted.insert(at.partition, committed);
            return Some(at.low);
        }
        if let Some(done) = done.filter(|done| done.scanned > at.high) {
            let what = format!(
                "a run has read up to {}, beyond the log's end {}: the log was cut",
                done.scanned, at.high
            );
            self.lose(at.partition, 0, what);
            self.cut.push(at.partition);
        }
        Some(committed)
    }

    fn lose(&mut self, partition: i32, records: i64, what: String) {
        self.losses.push(Loss {
            partition,
            what,
            records,
        });
    }

    /// Cuts the spans to so many offsets that no run has read. Answers whether anything was cut.
    fn cap(&mut self, known: &BTreeMap<i32, DoneMap>, records: u64) -> bool {
        let unread = |span: &Span| {
            let done = known
                .get(&span.partition)
                .filter(|_| !self.cut.contains(&span.partition));
            let read = done.map_or(span.start, |done| done.scanned);
            Span {
                start: read.clamp(span.start, span.end),
                ..span.clone()
            }
        };
        let mut unread: Vec<Span> = self.spans.iter().map(unread).collect();
        let cut = share_out(&mut unread, records);
        for (span, unread) in self.spans.iter_mut().zip(unread) {
            span.end = unread.end;
        }
        cut
    }
}

/// Shares `records` over the spans in proportion to their length, so that none starves: every span that has
/// something gets at least one offset while there are enough to go round. Answers whether anything was cut.
fn share_out(spans: &mut [Span], records: u64) -> bool {
    let total: i64 = spans.iter().map(Span::length).sum();
    let mut left = i64::try_from(records).unwrap_or(i64::MAX);
    if total <= left {
        return false;
    }
    let mut shares = vec![0; spans.len()];
    // One for each first, then the rest in proportion, then what rounding left over.
    hand_out(&mut shares, &mut left, spans, |_| 1);
    let (rest, wanted) = (
        i128::from(left),
        i128::from(total - shares.iter().sum::<i64>()).max(1),
    );
    hand_out(&mut shares, &mut left, spans, |room| {
        (i128::from(room) * rest / wanted) as i64
    });
    while left > 0 {
        hand_out(&mut shares, &mut left, spans, |_| 1);
    }
    for (span, share) in spans.iter_mut().zip(shares) {
        span.end = span.start + share;
    }
    true
}

fn hand_out(shares: &mut [i64], left: &mut i64, spans: &[Span], portion: impl Fn(i64) -> i64) {
    for (share, span) in shares.iter_mut().zip(spans) {
        let room = span.length() - *share;
        let more = portion(room).min(room).min(*left);
        *share += more;
        *left -= more;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(partition: i32, low: i64, high: i64, committed: Option<i64>) -> Situation {
        Situation {
            partition,
            low,
            high,
            committed,
            metadata: String::new(),
            from_time: None,
            until_time: None,
        }
    }

    /// Plans where nothing is known beyond the commits.
    fn plan(situations: &[Situation], from: &From, until: &Until, records: Option<u64>) -> Window {
        Window::plan(situations, &BTreeMap::new(), from, until, records)
    }

    fn spans(window: &Window) -> Vec<(i32, i64, i64)> {
        window
            .spans
            .iter()
            .map(|span| (span.partition, span.start, span.end))
            .collect()
    }

    #[test]
    fn a_window_is_from_the_commit_to_the_end_seen_at_the_start() {
        let situations = [at(0, 0, 10, Some(4)), at(1, 3, 10, None), at(2, 0, 0, None)];
        let window = plan(&situations, &From::Committed, &Until::Now, None);
        assert_eq!(spans(&window), [(0, 4, 10), (1, 3, 10), (2, 0, 0)]);
        assert_eq!(window.losses, []);
        assert_eq!(window.length(), 13);
    }

    #[test]
    fn a_commit_that_fell_off_the_log_is_a_loss_with_its_number() {
        let window = plan(
            &[at(3, 100, 120, Some(40))],
            &From::Committed,
            &Until::Now,
            None,
        );
        assert_eq!(spans(&window), [(3, 100, 120)]);
        let loss = &window.losses[0];
        assert_eq!((loss.partition, loss.records), (3, 60));
        assert_eq!(
            loss.what,
            "offsets 40 to 99 are gone from the log and were never read"
        );
    }

    #[test]
    fn a_commit_beyond_the_log_is_a_loss_of_unknown_size() {
        let window = plan(&[at(0, 0, 5, Some(9))], &From::Committed, &Until::Now, None);
        assert_eq!(window.losses[0].records, 0);
        assert_eq!(spans(&window), [(0, 0, 5)]);
    }

    #[test]
    fn times_and_offsets_are_clipped_to_the_log() {
        let timed = Situation {
            from_time: Some(20),
            until_time: None,
            ..at(0, 10, 30, Some(2))
        };
        assert_eq!(
            spans(&plan(&[timed], &From::Time(1), &Until::Time(2), None)),
            [(0, 20, 30)]
        );
        let map = |pairs: &[(i32, i64)]| pairs.iter().copied().collect();
        let situations = [at(0, 10, 30, None), at(1, 0, 30, None)];
        let window = plan(
            &situations,
            &From::Offsets(map(&[(0, 5)])),
            &Until::Offsets(map(&[(0, 99), (1, 3)])),
            None,
        );
        assert_eq!(spans(&window), [(0, 10, 30)]);
        // What was asked for and is gone is no silence.
        assert_eq!(window.losses[0].records, 5);
        assert_eq!(
            window.losses[0].what,
            "offsets 5 to 9 are gone from the log"
        );
    }

    /// A route's hole from the commit on, and all else done up to `scanned`.
    fn left_by_a_route(partition: i32, hole: (i64, i64), scanned: i64) -> BTreeMap<i32, DoneMap> {
        let holes = vec![vec![hole], vec![], vec![]];
        BTreeMap::from([(partition, DoneMap { scanned, holes })])
    }

    #[test]
    fn a_cap_counts_what_no_run_has_read_whatever_a_route_has_left() {
        let situations = [at(0, 0, 1000, Some(0)), at(1, 0, 0, None)];
        let known = left_by_a_route(0, (0, 1), 400);
        let window = Window::plan(
            &situations,
            &known,
            &From::Committed,
            &Until::Now,
            Some(100),
        );
        assert_eq!(spans(&window), [(0, 0, 500), (1, 0, 0)]);
        assert!(window.capped);
        let window = Window::plan(
            &situations,
            &known,
            &From::Committed,
            &Until::Now,
            Some(600),
        );
        assert!(!window.capped);
    }

    #[test]
    fn what_was_settled_beyond_the_commit_is_not_lost_with_the_log() {
        let situations = [at(0, 300, 600, Some(10))];
        let known = left_by_a_route(0, (10, 50), 500);
        let window = Window::plan(&situations, &known, &From::Committed, &Until::Now, None);
        assert_eq!(window.losses[0].records, 40);
    }

    #[test]
    fn a_log_that_ends_below_what_was_read_was_cut() {
        let known = left_by_a_route(0, (10, 50), 500);
        let plan = |high| {
            let situations = [at(0, 0, high, Some(10))];
            Window::plan(&situations, &known, &From::Committed, &Until::Now, None)
        };
        assert_eq!((plan(500).losses.len(), plan(500).cut.len()), (0, 0));
        let cut = plan(499);
        assert_eq!((cut.losses[0].records, cut.cut.as_slice()), (0, &[0][..]));
        assert_eq!(spans(&cut), [(0, 10, 499)]);
    }

    #[test]
    fn a_cap_starves_no_partition() {
        let situations = [
            at(0, 0, 1_000_000, None),
            at(1, 0, 1_000, None),
            at(2, 0, 1, None),
        ];
        let window = plan(&situations, &From::Committed, &Until::Now, Some(1000));
        assert!(window.capped);
        assert_eq!(window.length(), 1000);
        assert!(
            window.spans.iter().all(|span| span.length() >= 1),
            "{:?}",
            window.spans
        );
        assert!(!plan(&situations, &From::Committed, &Until::Now, Some(2_000_000)).capped);
    }

    proptest! {
        #[test]
        fn a_cap_is_exact_whatever_the_lengths(lengths in proptest::collection::vec(0i64..5000, 1..20), records in 0u64..20_000) {
            let situations: Vec<_> = lengths.iter().enumerate().map(|(n, length)| at(n as i32, 0, *length, None)).collect();
            let window = plan(&situations, &From::Committed, &Until::Now, Some(records));
            prop_assert_eq!(window.length(), (records as i64).min(lengths.iter().sum()));
            for (span, length) in window.spans.iter().zip(&lengths) {
                prop_assert!(span.length() <= *length);
                if records as usize >= lengths.len() { prop_assert!(span.length() > 0 || *length == 0); }
            }
        }
    }
}
