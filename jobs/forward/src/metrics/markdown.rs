//! The table of the metrics, for the documents. Pure.

use std::fmt::Write;

use super::definitions::ALL;
use super::latency::{HELP, REQUEST_DURATION};

/// The table of the metrics.
pub fn table() -> String {
    let mut rows: Vec<_> = ALL
        .iter()
        .map(|metric| {
            let kind = if metric.is_counter {
                "counter"
            } else {
                "gauge"
            };
            (metric.prometheus_name(), kind, metric.labels, metric.help)
        })
        .collect();
    rows.push((REQUEST_DURATION.to_owned(), "histogram", &["route"], HELP));
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for (name, kind, labels, help) in rows {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            table,
            "| `{name}` | {kind} | {} | {help} |",
            labels.join(", ")
        );
    }
    table
}
