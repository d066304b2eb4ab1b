//! Times and numbers as text. Pure.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::report::text::thousands;

/// A time as an element: the time of day, and the date where a machine or a pointer asks for it.
pub(super) fn moment(time: SystemTime) -> String {
    let Ok(timestamp) = Timestamp::try_from(time) else {
        return "an unknown time".to_owned();
    };
    let full = format!("{timestamp:.0}");
    // 2026-11-22T10:00:00Z
    let clock = full.get(11..19).unwrap_or(&full);
    format!("<time datetime=\"{full}\" title=\"{full}\">{clock} UTC</time>")
}

/// A duration with one or two units.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (whole, unit, rest, lesser) = match seconds {
        0 => return format!("{} ms", duration.as_millis()),
        1..60 => (seconds, "s", 0, ""),
        60..3_600 => (seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => (seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => (seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    };
    match rest {
        0 => format!("{whole} {unit}"),
        rest => format!("{whole} {unit} {rest} {lesser}"),
    }
}

/// `1 window`, `2 windows`.
pub(super) fn plural(count: usize, noun: &str) -> String {
    let number = thousands(i64::try_from(count).unwrap_or(i64::MAX));
    match count {
        1 => format!("{number} {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_few_units() {
        for (milliseconds, text) in [
            (0, "0 ms"),
            (250, "250 ms"),
            (1_999, "1 s"),
            (120_000, "2 min"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn a_moment_is_the_time_of_day_with_its_date() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_341_600_900);
        assert_eq!(
            moment(time),
            "<time datetime=\"2026-11-22T10:00:00Z\" title=\"2026-11-22T10:00:00Z\">10:00:00 UTC</time>"
        );
    }
}
