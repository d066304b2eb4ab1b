//! Dates and times of RFC 3339. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Parses a date and time: `2026-11-22T08:13:29.25Z`, `2026-11-22T05:13:29-03:00`.
pub fn time(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (
        digits(date.next()?, 4)?,
        digits(date.next()?, 2)?,
        digits(date.next()?, 2)?,
    );
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let mut time = time.splitn(3, ':');
    let (hour, minute, second) = (
        digits(time.next()?, 2)?,
        digits(time.next()?, 2)?,
        digits(time.next()?, 2)?,
    );
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    // Second 60 is a leap second; it is read as the following second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        - offset(zone)?;
    let seconds = u64::try_from(seconds).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    if text.len() != count || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The nanoseconds of an optional fraction, and the text after it.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let (digits, zone) = rest.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let nanos: String = digits.chars().chain("000000000".chars()).take(9).collect();
    Some((nanos.parse().ok()?, zone))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`). Years start in March, so that the leap day is the last day.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        Some(
            time(text)?
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs_f64(),
        )
    }

    #[test]
    fn parses_dates_of_rfc_3339() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds("2026-11-22T08:13:29Z"), Some(1_795_335_209.0));
        assert_eq!(
            seconds("2026-11-22T05:13:29-03:00"),
            seconds("2026-11-22T08:13:29Z")
        );
        assert_eq!(seconds("2000-02-29t23:59:60.5z"), Some(951_868_800.5));
        assert_eq!(seconds("2024-03-01T00:00:00Z"), Some(1_709_251_200.0));
        assert_eq!(seconds("1985-04-12T23:20:50.52Z"), Some(482_196_050.52));
    }

    #[test]
    fn rejects_other_text() {
        for wrong in [
            "",
            "2026-11-22",
            "2026-11-22T08:13:29",
            "2026-13-22T08:13:29Z",
            "2026-02-29T08:13:29Z",
            "2026-11-22T24:13:29Z",
            "2026-11-22T08:13:29.Z",
            "2026-11-22T08:13:29+3:00",
            "2026-11-22T08:13:29Zjunk",
            "1969-12-31T23:59:59Z",
            "é026-11-22T08:13:29Z",
            "2026-11-2\u{e9}T08:13:29Z",
            "+026-11-22T08:13:29Z",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
