//! Durations and sizes with units. Pure.

use std::time::Duration;

/// The maximum duration. Adding it to the current time cannot overflow.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// A duration of up to a year: `500ms`, `30s`, `5m`, `1h`. The unit is required.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let duration = match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    };
    duration.filter(|duration| *duration <= LONGEST)
}

/// A number of bytes: `4096`, `64KiB`, `1MiB`, `6MB`.
pub(crate) fn bytes(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number
        .checked_mul(factor)
        .and_then(|bytes| usize::try_from(bytes).ok())
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_requires_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
        assert_eq!(duration("8760h"), Some(LONGEST));
        for wrong in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "99999999999999999999s",
            "9999999999999999999h",
            "5 days",
            "8761h",
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn accepts_decimal_and_binary_units() {
        assert_eq!(bytes("4096"), Some(4096));
        assert_eq!(bytes("64KiB"), Some(65536));
        assert_eq!(bytes("6MB"), Some(6_000_000));
        for wrong in [
            "",
            "MB",
            "6 parsecs",
            "-1",
            "99999999999GB",
            "18446744073709551615KiB",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
