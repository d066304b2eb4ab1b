//! A bound of a time range on the command line. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use settings::cli;

/// A bound of a time range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBound {
    /// This time.
    At(SystemTime),
    /// This long before now.
    Ago(Duration),
}

impl TimeBound {
    /// Parses a time of RFC 3339 or a duration (`30s`, `2h`).
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let time = runtime::rfc3339::time(text).map(Self::At);
        time.or_else(|| cli::duration(text).ok().map(Self::Ago))
            .ok_or_else(|| {
                "expected a time such as 2026-11-27T08:00:00Z, or a duration such as 30m or 24h"
                    .to_owned()
            })
    }

    /// Milliseconds since 1970; 0 for an earlier time.
    pub fn milliseconds(self, now: SystemTime) -> i64 {
        let time = match self {
            Self::At(time) => time,
            Self::Ago(duration) => now.checked_sub(duration).unwrap_or(UNIX_EPOCH),
        };
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_time_or_a_duration_before_now() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000);
        let parse = |text| TimeBound::parse(text).map(|bound| bound.milliseconds(now));
        assert_eq!(parse("1970-01-01T00:00:01.5Z"), Ok(1_500));
        assert_eq!(parse("1h"), Ok(6_400_000));
        assert_eq!(parse("8760h"), Ok(0));
        for text in ["", "yesterday", "2026-11-27", "0s", "-1h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
