//! A caller's deadline, as a point on our own clock. Pure.

use std::time::{Duration, Instant, SystemTime};

/// What the reply needs to get back before the caller gives up.
const MARGIN: Duration = Duration::from_millis(300);

/// When the reply must be on its way for a caller who waits until `deadline`.
///
/// A short budget gives a third of itself to the margin at most.
pub(super) fn reply_by(deadline: SystemTime, wall: SystemTime, now: Instant) -> Instant {
    let budget = deadline.duration_since(wall).unwrap_or_default();
    let ours = budget.saturating_sub(MARGIN.min(budget / 3));
    // A deadline beyond the clock's range is none; the door's own limit counts then.
    now.checked_add(ours)
        .unwrap_or_else(|| now + Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn the_reply_leaves_before_the_caller_gives_up() {
        let (wall, now) = (UNIX_EPOCH + Duration::from_secs(1000), Instant::now());
        let left = |millis| reply_by(wall + Duration::from_millis(millis), wall, now) - now;
        assert_eq!(left(30_000), Duration::from_millis(29_700));
        assert_eq!(left(600), Duration::from_millis(400));
        assert_eq!(left(0), Duration::ZERO);
        assert_eq!(reply_by(UNIX_EPOCH, wall, now), now);
        let never = UNIX_EPOCH + Duration::from_secs(1 << 62);
        assert!(reply_by(never, wall, now) > now);
    }
}
