//! Durations: months, days and milliseconds, as text of ISO 8601.

/// The text `P1M2DT3.004S` of 12 bytes: three unsigned little-endian numbers.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let ([months, days, millis], []) = bytes.as_chunks::<4>() else {
        return None;
    };
    let [months, days, millis] = [months, days, millis].map(|bytes| u32::from_le_bytes(*bytes));
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    Some(format!("P{months}M{days}DT{seconds}.{millis:03}S"))
}

/// The bytes of a text. Years are 12 months, weeks seven days. Each unit occurs at most once, in order.
pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, (!time.is_empty()).then_some(time)?),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let [years, months, weeks, days] = parts(date, ['Y', 'M', 'W', 'D'])?;
    // A second has milliseconds; the larger units have none.
    let (time, millis) = match time.split_once('.') {
        None => (time.to_owned(), 0),
        Some((whole, fraction)) => (format!("{whole}S"), millis(fraction.strip_suffix('S')?)?),
    };
    let [hours, minutes, seconds] = parts(&time, ['H', 'M', 'S'])?;
    let millis = hours * 3_600_000 + minutes * 60_000 + seconds * 1_000 + millis;
    let numbers = [years * 12 + months, weeks * 7 + days, millis];
    let mut bytes = Vec::with_capacity(12);
    for number in numbers {
        bytes.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
    }
    Some(bytes)
}

/// The numbers in front of the units; 0 for a unit that is absent.
fn parts<const N: usize>(mut text: &str, units: [char; N]) -> Option<[u64; N]> {
    let mut numbers = [0; N];
    for (number, unit) in numbers.iter_mut().zip(units) {
        if let Some((digits, rest)) = text.split_once(unit) {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            *number = u64::from(digits.parse::<u32>().ok().filter(|_| is_number)?);
            text = rest;
        }
    }
    text.is_empty().then_some(numbers)
}

fn millis(fraction: &str) -> Option<u64> {
    let digits = fraction.trim_end_matches('0');
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.is_empty() || digits.len() > 3 || !is_number {
        return None;
    }
    format!("{digits:0<3}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(months: u32, days: u32, millis: u32) -> Vec<u8> {
        [months, days, millis].map(u32::to_le_bytes).concat()
    }

    #[test]
    fn a_duration_has_months_days_and_milliseconds() {
        for (numbers, expected) in [
            ((1, 2, 3_004), "P1M2DT3.004S"),
            ((0, 0, 0), "P0M0DT0.000S"),
            (
                (u32::MAX, u32::MAX, u32::MAX),
                "P4294967295M4294967295DT4294967.295S",
            ),
        ] {
            let bytes = bytes(numbers.0, numbers.1, numbers.2);
            assert_eq!(text(&bytes).as_deref(), Some(expected));
            assert_eq!(parse(expected), Some(bytes));
        }
        assert_eq!(text(&[0; 11]), None);
    }

    #[test]
    fn parses_every_unit() {
        let all = bytes(14, 25, 4 * 3_600_000 + 5 * 60_000 + 6_700);
        assert_eq!(parse("P1Y2M3W4DT4H5M6.7S"), Some(all));
        assert_eq!(parse("P1D"), Some(bytes(0, 1, 0)));
        assert_eq!(parse("PT1M"), Some(bytes(0, 0, 60_000)));
        assert_eq!(parse("PT0.5000S"), Some(bytes(0, 0, 500)));
    }

    #[test]
    fn rejects_other_texts() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1D",
            "P1DT",
            "P-1D",
            "P1H",
            "PT1D",
            "P1D1M",
            "P1M1M",
            "PT1.5M",
            "PT0.0005S",
            "PT.S",
            "P4294967296D",
            "PT4294968S",
            "P+1D",
            "P1.5D",
            "PT1S1",
            "PDT1S",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
