//! Limits the length of a window.

use super::bounds::OffsetRange;

/// Shortens the ranges to `max_records` offsets in total, in proportion to their lengths. If possible, each range that is
/// not empty keeps at least one offset. True if a range was shortened.
pub(super) fn distribute(ranges: &mut [OffsetRange], max_records: u64) -> bool {
    let total: i64 = ranges.iter().map(OffsetRange::length).sum();
    let mut remaining = i64::try_from(max_records).unwrap_or(i64::MAX);
    if total <= remaining {
        return false;
    }
    let mut shares = vec![0; ranges.len()];
    // One for each, then the remainder in proportion, then the remainder of the rounding.
    allot(&mut shares, &mut remaining, ranges, |_| 1);
    let (rest, wanted) = (
        i128::from(remaining),
        i128::from(total - shares.iter().sum::<i64>()).max(1),
    );
    allot(&mut shares, &mut remaining, ranges, |room| {
        (i128::from(room) * rest / wanted) as i64
    });
    while remaining > 0 {
        allot(&mut shares, &mut remaining, ranges, |_| 1);
    }
    for (range, share) in ranges.iter_mut().zip(shares) {
        range.end = range.start + share;
    }
    true
}

/// Adds a portion of the remaining offsets to each share.
fn allot(
    shares: &mut [i64],
    remaining: &mut i64,
    ranges: &[OffsetRange],
    portion: impl Fn(i64) -> i64,
) {
    for (share, range) in shares.iter_mut().zip(ranges) {
        let room = range.length() - *share;
        let more = portion(room).min(room).min(*remaining);
        *share += more;
        *remaining -= more;
    }
}
