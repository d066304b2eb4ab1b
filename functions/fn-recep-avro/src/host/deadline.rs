//! The deadline for sending a response.

use std::time::{Duration, Instant, SystemTime};

/// The time that the response needs to reach the caller.
const MARGIN: Duration = Duration::from_millis(300);

/// When a response must be sent to a caller that waits until `deadline`. `wall` and `now` are the same time on two clocks.
///
/// The margin is at most a third of the remaining time.
pub(super) fn reply_by(deadline: SystemTime, wall: SystemTime, now: Instant) -> Instant {
    let remaining = deadline.duration_since(wall).unwrap_or_default();
    let usable = remaining.saturating_sub(MARGIN.min(remaining / 3));
    // A deadline beyond the clock's range becomes one day: PUBLISH_TIMEOUT ends the call before.
    now.checked_add(usable)
        .unwrap_or_else(|| now + Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn the_response_is_sent_before_the_deadline() {
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
