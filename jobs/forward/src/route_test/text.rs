//! The results for people. Pure.

use std::fmt::Write;

use super::report::{Action, BodyEncoding, RequestReport, SampleReport, SampleResult, Totals};

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

fn request(text: &mut String, request: &RequestReport) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {} {}", request.method, printable(&request.url));
    let width = request.headers.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    for (name, value) in &request.headers {
        let _ = writeln!(text, "  {name:width$}  {}", printable(value));
    }
    let encoding = match request.body_encoding {
        BodyEncoding::Text => "",
        BodyEncoding::Base64 => "base64: ",
    };
    for line in request.body.lines() {
        let _ = writeln!(text, "    {encoding}{}", printable(line));
    }
    if request.batch > 1 {
        let batch = request.batch;
        let _ = writeln!(
            text,
            "  one record; requests of the route have up to {batch}"
        );
    }
    for reference in &request.unknown {
        let _ = writeln!(text, "  unknown here: {}", printable(reference));
    }
}

/// The text without control characters, which a terminal could interpret.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => printable.extend(c.escape_default()),
            false => printable.push(c),
        }
    }
    printable
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
