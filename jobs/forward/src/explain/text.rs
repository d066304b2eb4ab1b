//! The explanation for people. Pure.

use std::fmt::Write;

use super::report::{
    BytesReport, DecisionReport, ExplainReport, Explanation, Framing, RecordReport, RouteReport,
    SearchEnd,
};
use crate::request_preview::BodyEncoding;
use crate::request_preview::text::{printable, request};
use crate::route_test::report::Action;

/// The most characters of a value.
const MAX_SHOWN: usize = 2_000;

/// The records, one after another.
pub fn render(report: &ExplainReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "group {}", printable(&report.group));
    for (index, record) in report.records.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        explanation(&mut text, record);
    }
    let count = report.records.len();
    let _ = match report.search {
        None => Ok(()),
        Some(SearchEnd::Complete) if count == 0 => {
            writeln!(text, "No record of the time range matches.")
        }
        Some(SearchEnd::Complete) => writeln!(text, "\nrecords that match: {count}"),
        Some(SearchEnd::Limit) => {
            writeln!(
                text,
                "\nThe search ended at the limit of {count} records (--limit)."
            )
        }
        Some(SearchEnd::Timeout) => writeln!(
            text,
            "records that match so far: {count}; the search did not reach the end in time (--timeout)."
        ),
    };
    for note in &report.notes {
        let _ = writeln!(text, "note: {}", printable(note));
    }
    text
}

fn explanation(text: &mut String, record: &Explanation) {
    let _ = writeln!(text, "{}: {}", record.coordinates, name(record));
    let _ = writeln!(text, "  {}", printable(&record.explanation));
    if let Some(until) = &record.paused_until {
        let _ = writeln!(
            text,
            "  Its route is paused until {until}: the next run sends nothing to it before."
        );
    }
    if let Some(letter) = &record.dead_letter {
        let _ = writeln!(
            text,
            "  dead letter {}: {}: {}",
            printable(&letter.coordinates),
            printable(&letter.cause),
            shown(&letter.reason)
        );
    }
    if let Some(content) = &record.record {
        text.push('\n');
        self::content(text, content);
    }
    if !record.routes.is_empty() {
        text.push_str("\n  routes\n");
        for route in &record.routes {
            self::route(text, route);
        }
    }
    if let Some(decision) = &record.decision {
        text.push('\n');
        self::decision(text, decision);
    }
}

/// The state in words.
fn name(record: &Explanation) -> String {
    let name = serde_json::to_value(record.state).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}

/// The content of a record, each line indented by two spaces.
pub(crate) fn content(text: &mut String, record: &RecordReport) {
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:9}  {value}");
    };
    if let Some(timestamp) = record.timestamp {
        let time = jiff::Timestamp::from_millisecond(timestamp);
        row(
            "timestamp",
            time.map_or_else(|_| timestamp.to_string(), |time| format!("{time:.3}")),
        );
    }
    row("key", record.key.as_ref().map_or("none".to_owned(), bytes));
    for (name, value) in &record.headers {
        let value = value.as_ref().map_or("null".to_owned(), bytes);
        row("header", format!("{}: {value}", shown(name)));
    }
    let Some(size) = record.size else {
        return row("value", "none: a tombstone".to_owned());
    };
    let framing = match record.framing {
        Some(Framing::Raw) => ", a raw datum",
        Some(Framing::SingleObject) => ", in single-object encoding",
        Some(Framing::Confluent) => ", in Confluent's wire format",
        None => "",
    };
    row("value", format!("{size} bytes{framing}"));
    if let Some(schema) = &record.schema {
        let registered = schema.registered.as_ref();
        let registered = registered.map_or(String::new(), |id| format!(", {id}"));
        let (name, fingerprint) = (printable(&schema.name), &schema.fingerprint);
        row(
            "schema",
            format!("{name}, fingerprint {fingerprint}{registered}"),
        );
    }
    if let Some(fault) = &record.fault {
        row("fault", shown(fault));
    }
    if let Some(hex) = &record.hex {
        row("hex", hex.clone());
    }
    if let Some(value) = &record.value {
        row("record", shown(&value.to_string()));
    }
}

fn route(text: &mut String, route: &RouteReport) {
    let verdict = match (route.takes, route.matches) {
        (true, _) => "takes it".to_owned(),
        (false, Some(true)) => "matches, after a route that ends the search".to_owned(),
        (false, Some(false)) => "does not match".to_owned(),
        (false, None) => format!(
            "has no value: {}",
            shown(route.error.as_deref().unwrap_or_default())
        ),
    };
    let name = printable(&route.route);
    let _ = writeln!(text, "    {name}: {verdict}: {}", shown(&route.when));
    for (name, value) in &route.fields {
        let value = value
            .as_ref()
            .map_or("no JSON".to_owned(), |value| shown(&value.to_string()));
        let _ = writeln!(text, "      {} = {value}", printable(name));
    }
}

fn decision(text: &mut String, decision: &DecisionReport) {
    let route = decision.route.as_deref().map(printable);
    let of_route = route.map_or(String::new(), |route| format!(" of route {route}"));
    let _ = match decision.action {
        Action::Deliver => writeln!(
            text,
            "  with these settings, a run sends this request{of_route}"
        ),
        Action::Skip => writeln!(
            text,
            "  with these settings, a run skips the record: it has no route"
        ),
        Action::Stop => writeln!(
            text,
            "  with these settings, a run stops at the record: it has no route"
        ),
        Action::DeadLetter => writeln!(
            text,
            "  with these settings, a run writes a dead letter{of_route} ({}): {}",
            decision.cause.unwrap_or_default(),
            shown(decision.reason.as_deref().unwrap_or_default())
        ),
    };
    if let Some(shown) = &decision.request {
        request(text, shown);
    }
}

fn bytes(bytes: &BytesReport) -> String {
    match bytes.encoding {
        BodyEncoding::Text => shown(&bytes.content),
        BodyEncoding::Base64 => format!("base64: {}", shown(&bytes.content)),
    }
}

/// The beginning of a text, without control characters.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => printable(text),
        Some((end, _)) => format!("{}… ({} bytes)", printable(&text[..end]), text.len()),
    }
}
