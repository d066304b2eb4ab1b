//! The table of results.

use crate::messages::{Destination, Message};
use crate::results::{Outcome, Received, Report, Response, outcome};

/// The width of the last column, in characters.
const WIDTH: usize = 44;

/// One line for each message, and one for each record of a container.
pub(crate) fn render(
    sent: &[(Message, Response)],
    a: &Received,
    b: &Received,
    report: &Report,
) -> String {
    let mut rows = vec![["message", "response", "stored at", "destination"].map(str::to_owned)];
    for (message, response) in sent {
        let records = message.records();
        let several = records.len() > 1;
        let mut first = [
            format!("{} ({})", message.file, message.what),
            response.status.to_string(),
            String::new(),
            String::new(),
        ];
        if records.is_empty() {
            first[2] = "not stored".to_owned();
            let detail = response
                .detail
                .as_deref()
                .unwrap_or("no reason in the response");
            first[3] = format!("rejected: {detail}");
        }
        if several {
            first[1] = format!("{}, {} records", response.status, response.stored.len());
        }
        let mut pending = Some(first);
        if several || records.is_empty() {
            rows.extend(pending.take());
        }
        for (record, position) in records.into_iter().zip(&response.stored) {
            let mut row = pending.take().unwrap_or_else(|| {
                let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
                let label = format!("  id {}, {}", record["id"], text("name"));
                [label, String::new(), String::new(), String::new()]
            });
            row[2] = format!(
                "{}/{}@{}",
                position.topic, position.partition, position.offset
            );
            row[3] = match outcome(record, position, a, b, report) {
                Outcome::At(Destination::A) => "API type A".to_owned(),
                Outcome::At(Destination::B) => "API type B".to_owned(),
                Outcome::At(Destination::NoRoute) => "no route: skipped".to_owned(),
                Outcome::Unexpected(description) => description,
            };
            rows.push(row);
        }
    }
    lay_out(&rows)
}

fn lay_out(rows: &[[String; 4]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let line = |row: [&str; 4]| {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        line.push_str(row[3]);
        format!("{}\n", line.trim_end())
    };
    let mut table = String::new();
    for (index, row) in rows.iter().enumerate() {
        let last = wrap(&row[3]);
        table.push_str(&line([&row[0], &row[1], &row[2], &last[0]]));
        for rest in &last[1..] {
            table.push_str(&line(["", "", "", rest]));
        }
        if index == 0 {
            let rule = |width: usize| "─".repeat(width);
            let rules = [
                rule(widths[0]),
                rule(widths[1]),
                rule(widths[2]),
                rule(WIDTH),
            ];
            table.push_str(&line(rules.each_ref().map(String::as_str)));
        }
    }
    table
}

/// The text in lines of at most [`WIDTH`] characters, at least one line.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
