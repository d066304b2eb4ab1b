//! The plot of the outcomes of each route's records.

use std::fmt::Write;

use super::plot::{Figure, bar, figure, row_title, widths};
use crate::report::content::MOST_ROWS;
use crate::report::text::thousands;
use crate::report::{RouteReport, RunReport};

/// The height of a row, in pixels.
const ROW: usize = 44;

/// The plot; empty if no route has a record.
pub(super) fn plot(report: &RunReport) -> String {
    let busy = report.routes.iter().filter(|route| route.matched > 0);
    let busy: Vec<&RouteReport> = busy.collect();
    let most = busy.iter().map(|route| route.matched).max().unwrap_or(0);
    let mut drawing = String::new();
    for (row, route) in busy.iter().take(MOST_ROWS).enumerate() {
        let top = row * ROW;
        let value = format!("{} matched", thousands(route.matched));
        drawing.push_str(&row_title(top + 14, &route.route, &value));
        let outcomes = outcomes(route);
        let mut from = 0.0;
        for ((class, name, count), width) in outcomes
            .iter()
            .zip(widths(outcomes.map(|(.., count)| count), most))
        {
            if width > 0.0 {
                let tip = format!("{}: {} {name}", route.route, thousands(*count));
                let place = (from, width);
                drawing.push_str(&bar(class, place, (top as f64 + 21.0, 14.0), &tip));
            }
            from += width;
        }
    }
    if drawing.is_empty() {
        return String::new();
    }
    let mut description = String::from("Records of each route by outcome.");
    let hidden = busy.len().saturating_sub(MOST_ROWS);
    if hidden > 0 {
        let _ = write!(description, " {hidden} more routes are in the table.");
    }
    figure(&Figure {
        id: "outcomes",
        title: "Outcomes per route",
        description: &description,
        legend: &[
            ("delivered", "delivered"),
            ("dead-letters", "dead letters"),
            ("deferred", "deferred"),
        ],
        height: busy.len().min(MOST_ROWS) * ROW,
        drawing: &drawing,
        after: "",
    })
}

fn outcomes(route: &RouteReport) -> [(&'static str, &'static str, i64); 3] {
    [
        ("delivered", "delivered", route.delivered),
        ("dead-letters", "dead letters", route.dead_lettered),
        ("deferred", "deferred", route.deferred),
    ]
}
