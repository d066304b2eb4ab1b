//! A route's own meaning of status codes, as the routes file writes it. Pure.

use std::ops::RangeInclusive;

use delivery::{StatusRule, StatusRules};

use super::text::RouteText;

/// The rules of a route, and those of its tombstones, which have more statuses in `success_on`.
///
/// # Errors
/// As [`rules`].
pub(super) fn of_route(text: &RouteText) -> Result<StatusRules, String> {
    let mut all = rules(&text.success_on, &text.retry_on, &text.drop_on)?;
    if let Some(tombstones) = &text.tombstones {
        let success_on = [&text.success_on[..], &tombstones.success_on].concat();
        let rules = rules(&success_on, &text.retry_on, &text.drop_on);
        all.set_for_tombstones(rules.map_err(|reason| format!("with tombstones, {reason}"))?);
    }
    Ok(all)
}

/// The rules of the lists `success_on`, `retry_on` and `drop_on`, of statuses (`409`), classes (`4xx`) and ranges
/// (`500-504`).
///
/// # Errors
/// An item has another form, names a status that its list may not name, or one that is named already.
fn rules(
    success_on: &[String],
    retry_on: &[String],
    drop_on: &[String],
) -> Result<StatusRules, String> {
    let lists = [
        (success_on, StatusRule::Success, "success_on", "2xx or 4xx"),
        (retry_on, StatusRule::Retry, "retry_on", "2xx, 4xx or 5xx"),
        (drop_on, StatusRule::Drop, "drop_on", "4xx or 5xx"),
    ];
    let mut rules = StatusRules::default();
    for (items, rule, list, allowed) in lists {
        for item in items {
            let statuses = parse(item).ok_or_else(|| {
                format!(
                    "{list} has {item:?}, expected a status, a class or a range: 409, 4xx, 500-504"
                )
            })?;
            if !statuses.clone().all(|status| rule.allows(status)) {
                return Err(format!(
                    "{list} has {item:?}, which is not within {allowed}"
                ));
            }
            if !rules.add(statuses, rule) {
                return Err(format!(
                    "{list} has {item:?}, of which another item of success_on, retry_on or drop_on names a status"
                ));
            }
        }
    }
    Ok(rules)
}

fn parse(item: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| match text.as_bytes() {
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => text.parse::<u16>().ok(),
        _ => None,
    };
    if let [class @ b'1'..=b'5', b'x', b'x'] = item.as_bytes() {
        let first = u16::from(class - b'0') * 100;
        return Some(first..=first + 99);
    }
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let (first, last) = (status(first.trim())?, status(last.trim())?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_statuses_classes_and_ranges() {
        for (item, expected) in [
            ("409", Some(409..=409)),
            ("4xx", Some(400..=499)),
            ("500-504", Some(500..=504)),
            ("500 - 504", Some(500..=504)),
            ("504-500", None),
            ("600", None),
            ("40", None),
            ("+40", None),
            ("4XX", None),
            ("6xx", None),
            ("4x0", None),
            ("-", None),
            ("", None),
            ("400-410-420", None),
            ("４09", None),
        ] {
            assert_eq!(parse(item), expected, "{item}");
        }
    }
}
