//! Dates and times of RFC 3339, in the proleptic Gregorian calendar.

use jiff::Span;
use jiff::civil::Date;

/// Seconds in a day.
const DAY: i64 = 86_400;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// `YYYY-MM-DD` of a number of days since 1970-01-01. `None` outside the years 0000 to 9999.
pub(super) fn date(days: i64) -> Option<String> {
    let span = Span::new().try_days(days).ok()?;
    let date = EPOCH.checked_add(span).ok()?;
    (date.year() >= 0).then(|| date.to_string())
}

/// `hh:mm:ss.fff` of a time since midnight, in units of 10^-`digits` seconds. `None` outside one day.
pub(super) fn time(value: i64, digits: u32) -> Option<String> {
    let unit = 10_i64.pow(digits);
    let (seconds, fraction) = (value.div_euclid(unit), value.rem_euclid(unit));
    if !(0..DAY).contains(&seconds) {
        return None;
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let width = digits as usize;
    Some(format!(
        "{hours:02}:{minutes:02}:{seconds:02}.{fraction:0width$}"
    ))
}

/// `YYYY-MM-DDThh:mm:ss.fff` of a time since 1970-01-01T00:00:00, in units of 10^-`digits` seconds. `None` outside the years
/// 0000 to 9999.
pub(super) fn date_time(value: i64, digits: u32) -> Option<String> {
    let day = DAY * 10_i64.pow(digits);
    let date = date(value.div_euclid(day))?;
    let time = time(value.rem_euclid(day), digits)?;
    Some(format!("{date}T{time}"))
}

/// The days since 1970-01-01 of `YYYY-MM-DD`.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    if !rest.is_empty() {
        return None;
    }
    let small = |number: i64| i8::try_from(number).ok();
    let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    Some(i64::from(EPOCH.until(date).ok()?.get_days()))
}

/// The time since midnight of `hh:mm:ss`, with or without a fraction, in units of 10^-`digits` seconds. `None` if the fraction
/// has more digits that are not zero, because it would be rounded.
pub(super) fn parse_time(text: &str, digits: u32) -> Option<i64> {
    let (hours, rest) = number(text, 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (seconds, rest) = number(rest.strip_prefix(':')?, 2)?;
    // A leap second has no number in Avro.
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let unit = 10_i64.pow(digits);
    let whole = (hours * 3600 + minutes * 60 + seconds) * unit;
    if rest.is_empty() {
        return Some(whole);
    }
    let fraction = rest.strip_prefix('.').filter(|digits| !digits.is_empty())?;
    let mut place = unit;
    let mut value = whole;
    for digit in fraction.bytes() {
        let digit = i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        place /= 10;
        if place == 0 && digit != 0 {
            return None;
        }
        value += digit * place;
    }
    Some(value)
}

/// The time since 1970-01-01T00:00:00 of a date and a time, in units of 10^-`digits` seconds. With `has_offset` the text ends
/// with `Z` or a numeric offset, otherwise it has none.
pub(super) fn parse_date_time(text: &str, digits: u32, has_offset: bool) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = match has_offset {
        true => offset(rest)?,
        false => (rest, 0),
    };
    let unit = i128::from(10_i64.pow(digits));
    let seconds = i128::from(parse_date(date)? * DAY - offset);
    i64::try_from(seconds * unit + i128::from(parse_time(time, digits)?)).ok()
}

/// Splits the offset from a time: the time, and the offset in seconds.
fn offset(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let (time, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, offset) = match offset.strip_prefix('-') {
        Some(offset) => (-1, offset),
        None => (1, offset.strip_prefix('+')?),
    };
    let (hours, rest) = number(offset, 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':')?, 2)?;
    let is_valid = hours <= 23 && minutes <= 59 && rest.is_empty();
    is_valid.then_some((time, sign * (hours * 3600 + minutes * 60)))
}

/// Reads a number of exactly `width` digits. Returns the rest, too.
fn number(text: &str, width: usize) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at_checked(width)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| is_number)?, rest))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// The days from 1970-01-01 to the first day of the year 0000, and to the last but one of 9999: the last timestamp of the
    /// other implementation is in 9999-12-30.
    const DAYS: std::ops::Range<i64> = -719_528..2_932_895;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_another_implementation(days in DAYS, nanos in any::<i64>()) {
            let text = date(days).unwrap();
            prop_assert_eq!(parse_date(&text), Some(days));
            let theirs = Timestamp::from_second(days * DAY).unwrap();
            prop_assert_eq!(text, theirs.to_string()[..10].to_owned());
            let theirs = Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            prop_assert_eq!(date_time(nanos, 9).map(|text| text + "Z"), Some(format!("{theirs:.9}")));
            prop_assert_eq!(parse_date_time(&theirs.to_string(), 9, true), Some(nanos));
        }
    }

    #[test]
    fn the_text_form_has_the_years_0000_to_9999() {
        assert_eq!(date(DAYS.start).as_deref(), Some("0000-01-01"));
        assert_eq!(date(2_932_896).as_deref(), Some("9999-12-31"));
        assert_eq!(parse_date("9999-12-31"), Some(2_932_896));
        for days in [DAYS.start - 1, 2_932_897, i64::MIN, i64::MAX] {
            assert_eq!(date(days), None);
        }
        assert_eq!(date_time(i64::MAX, 3), None);
        assert_eq!(date_time(-1, 3).as_deref(), Some("1969-12-31T23:59:59.999"));
    }

    #[test]
    fn offsets_are_subtracted() {
        let parse = |text| parse_date_time(text, 3, true);
        assert_eq!(parse("1970-01-01T01:00:00.5+01:00"), Some(500));
        assert_eq!(parse("1970-01-01 00:00:00-00:30"), Some(1_800_000));
        assert_eq!(parse("1970-01-01t00:00:00.1230z"), Some(123));
        assert_eq!(
            parse_date_time("1970-01-01T00:00:01", 3, false),
            Some(1_000)
        );
    }

    #[test]
    fn rejects_other_texts() {
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00Z",
            "1970-02-30T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234Z",
            "1970-01-01T00:00:00,5Z",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+1:00",
            "+970-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "19700101T000000Z",
            "1970-01-01T00:00:00Zé",
            "1970-01-0é1T00:00:00Z",
        ] {
            assert_eq!(parse_date_time(text, 3, true), None, "{text}");
        }
        assert_eq!(parse_date_time("1970-01-01T00:00:00Z", 3, false), None);
        assert_eq!(parse_date_time("9999-12-31T23:59:59Z", 9, true), None);
    }
}
