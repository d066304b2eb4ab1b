//! Which offsets one run reads: half-open spans, fixed at the start. Pure: what the broker said in, spans out.

use std::collections::BTreeMap;

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
    /// How many records are gone for certain.
    pub records: i64,
}

/// The spans of a window, and what was lost before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// One span for each partition that is part of the window; an empty span is part of it too.
    pub spans: Vec<Span>,
    /// Losses that the broker's answers show.
    pub losses: Vec<Loss>,
    /// Partitions that begin anew at the log's start, whatever offset the group has committed there.
    pub restarted: Vec<i32>,
    /// True when `records` cut the window short.
    pub capped: bool,
}

impl Window {
    /// Plans the window over these partitions, of at most `records` offsets.
    pub fn plan(
        situations: &[Situation],
        from: &From,
        until: &Until,
        records: Option<u64>,
    ) -> Self {
        let mut window = Self::default();
        for situation in situations {
            window.add(situation, from, until);
        }
        if let Some(records) = records {
            window.capped = cap(&mut window.spans, records);
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
    pub fn restart(&mut self, partition: i32, low: i64, high: i64) {
        self.restarted.push(partition);
        if let Some(span) = self
            .spans
            .iter_mut()
            .find(|span| span.partition == partition)
        {
            (span.start, span.end) = (low, high);
        }
    }

    fn add(&mut self, at: &Situation, from: &From, until: &Until) {
        let start = match from {
            From::Committed => self.committed_start(at),
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
        // A replay takes what there is; only a group can lose records.
        let start = start.max(at.low);
        let end = end.min(at.high).max(start);
        self.spans.push(Span {
            partition: at.partition,
            start,
            end,
        });
    }

    fn committed_start(&mut self, at: &Situation) -> Option<i64> {
        let Some(committed) = at.committed else {
            return Some(at.low);
        };
        if committed < at.low {
            let records = at.low - committed;
            let what = format!(
                "offsets {committed} to {} are gone from the log and were never read",
                at.low - 1
            );
            self.losses.push(Loss {
                partition: at.partition,
                what,
                records,
            });
            return Some(at.low);
        }
        if committed > at.high {
            let what = format!(
                "the commit is at {committed}, beyond the log's end {}: the log was cut or made anew",
                at.high
            );
            self.losses.push(Loss {
                partition: at.partition,
                what,
                records: 0,
            });
            self.restarted.push(at.partition);
            return Some(at.low);
        }
        Some(committed)
    }
}

/// Shares `records` over the spans in proportion to their length, so that none starves: every span that has
/// something gets at least one offset while there are enough to go round. Answers whether anything was cut.
fn cap(spans: &mut [Span], records: u64) -> bool {
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
        let window = Window::plan(&situations, &From::Committed, &Until::Now, None);
        assert_eq!(spans(&window), [(0, 4, 10), (1, 3, 10), (2, 0, 0)]);
        assert_eq!(window.losses, []);
        assert_eq!(window.length(), 13);
    }

    #[test]
    fn a_commit_that_fell_off_the_log_is_a_loss_with_its_number() {
        let window = Window::plan(
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
        let window = Window::plan(&[at(0, 0, 5, Some(9))], &From::Committed, &Until::Now, None);
        assert_eq!(window.losses[0].records, 0);
        assert_eq!(spans(&window), [(0, 0, 5)]);
    }

    #[test]
    fn times_and_offsets_are_clipped_to_the_log_and_lose_nothing() {
        let timed = Situation {
            from_time: Some(20),
            until_time: None,
            ..at(0, 10, 30, Some(2))
        };
        assert_eq!(
            spans(&Window::plan(
                &[timed],
                &From::Time(1),
                &Until::Time(2),
                None
            )),
            [(0, 20, 30)]
        );
        let map = |pairs: &[(i32, i64)]| pairs.iter().copied().collect();
        let situations = [at(0, 10, 30, None), at(1, 0, 30, None)];
        let window = Window::plan(
            &situations,
            &From::Offsets(map(&[(0, 5)])),
            &Until::Offsets(map(&[(0, 99), (1, 3)])),
            None,
        );
        assert_eq!(spans(&window), [(0, 10, 30)]);
        assert_eq!(window.losses, []);
    }

    #[test]
    fn a_cap_starves_no_partition() {
        let situations = [
            at(0, 0, 1_000_000, None),
            at(1, 0, 1_000, None),
            at(2, 0, 1, None),
        ];
        let window = Window::plan(&situations, &From::Committed, &Until::Now, Some(1000));
        assert!(window.capped);
        assert_eq!(window.length(), 1000);
        assert!(
            window.spans.iter().all(|span| span.length() >= 1),
            "{:?}",
            window.spans
        );
        assert!(!Window::plan(&situations, &From::Committed, &Until::Now, Some(2_000_000)).capped);
    }

    proptest! {
        #[test]
        fn a_cap_is_exact_whatever_the_lengths(lengths in proptest::collection::vec(0i64..5000, 1..20), records in 0u64..20_000) {
            let situations: Vec<_> = lengths.iter().enumerate().map(|(n, length)| at(n as i32, 0, *length, None)).collect();
            let window = Window::plan(&situations, &From::Committed, &Until::Now, Some(records));
            prop_assert_eq!(window.length(), (records as i64).min(lengths.iter().sum()));
            for (span, length) in window.spans.iter().zip(&lengths) {
                prop_assert!(span.length() <= *length);
                if records as usize >= lengths.len() { prop_assert!(span.length() > 0 || *length == 0); }
            }
        }
    }
}
