//! The results for people. Pure.

use super::report::{Action, SampleReport, SampleResult, Totals};
use crate::request_preview::text::{printable, request};

/// A sample: a line that says what happens to it, then the request.
pub(super) fn sample(sample: &SampleReport) -> String {
    let mut text = format!("line {}: ", sample.line);
    match (&sample.route, sample.action) {
        (Some(route), _) => text.push_str(&format!("route {route}")),
        (None, None) => text.push_str("not a record"),
        (None, Some(Action::Skip)) => text.push_str("no route, skipped"),
        (None, Some(Action::Stop)) => text.push_str("no route, the run stops"),
        (None, Some(_)) => text.push_str("no route"),
    }
    if let Some(cause) = sample.cause {
        text.push_str(&format!(", dead letter ({cause})"));
    }
    if let Some(reason) = &sample.reason {
        text.push_str(&format!(": {}", printable(reason)));
    }
    match (sample.result, &sample.expect) {
        (SampleResult::Failed, Some(Some(expected))) => {
            text.push_str(&format!("; FAILED, expected route {}", printable(expected)));
        }
        (SampleResult::Failed, _) => text.push_str("; FAILED, expected no route"),
        (SampleResult::Invalid, _) => text.push_str("; INVALID"),
        (SampleResult::Passed, Some(_)) => text.push_str(", as expected"),
        (SampleResult::Passed, None) => {}
    }
    text.push('\n');
    if let Some(shown) = &sample.request {
        request(&mut text, shown);
    }
    text
}

/// The last line.
pub(super) fn totals(totals: &Totals) -> String {
    let Totals {
        passed,
        failed,
        invalid,
    } = totals;
    match totals.count() {
        0 => "there are no samples\n".to_owned(),
        _ => format!("{passed} passed, {failed} failed, {invalid} invalid\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let report = SampleReport::invalid(7, "\u{1b}[31m\u{9b}\n".to_owned());
        assert_eq!(
            sample(&report),
            "line 7: not a record: \\u{1b}[31m\\u{9b}\\n; INVALID\n"
        );
    }
}
