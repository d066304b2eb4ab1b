//! The plot of the lag of each partition, before and after the run.

use std::fmt::Write;

use super::plot::{Figure, bar, figure, percentage, row_title};
use crate::report::RunReport;
use crate::report::content::{MOST_ROWS, busy_partitions};
use crate::report::text::thousands;

/// The height of a row, in pixels.
const ROW: usize = 48;

/// The plot; empty if no partition has a lag.
pub(super) fn plot(report: &RunReport) -> String {
    let with_lag = || busy_partitions(report).filter(|p| p.lag_before > 0 || p.lag_after > 0);
    let most = with_lag().map(|p| p.lag_before.max(p.lag_after)).max();
    let Some(most) = most else {
        return String::new();
    };
    let count = with_lag().count();
    let mut drawing = String::new();
    for (row, partition) in with_lag().take(MOST_ROWS).enumerate() {
        let top = row * ROW;
        let name = format!("partition {}", partition.partition);
        let (before, after) = (partition.lag_before, partition.lag_after);
        let value = format!("{} → {}", thousands(before), thousands(after));
        drawing.push_str(&row_title(top + 14, &name, &value));
        for (class, when, lag, y) in [
            ("before", "before", before, 20),
            ("after", "after", after, 30),
        ] {
            let width = percentage(lag, most);
            if width > 0.0 {
                let tip = format!("{name}: lag {when} {}", thousands(lag));
                let y = (top + y) as f64;
                drawing.push_str(&bar(class, (0.0, width), (y, 9.0), &tip));
            }
        }
    }
    let mut description = String::from(
        "Offsets between the commit and the end of the log, for each partition, before and after the run.",
    );
    let hidden = count.saturating_sub(MOST_ROWS);
    if hidden > 0 {
        let _ = write!(description, " {hidden} more partitions have a lag.");
    }
    figure(&Figure {
        id: "lag",
        title: "Lag before and after",
        description: &description,
        legend: &[("before", "before"), ("after", "after")],
        height: count.min(MOST_ROWS) * ROW,
        drawing: &drawing,
        after: "",
    })
}
