//! The plot of the lag after each of the last windows.

use std::time::{Duration, SystemTime};

use super::super::history::History;
use super::text::{duration, plural};
use crate::report::html::{Area, CHART_HEIGHT, Figure, chart, figure};
use crate::report::text::thousands;

/// The plot; empty if fewer than two windows have a lag.
pub(super) fn plot(history: &History) -> String {
    let reports = history.reports().rev();
    let lags: Vec<(SystemTime, i64)> = reports
        .filter_map(|report| Some((report.ended, report.lag?)))
        .collect();
    let (Some((first, _)), Some((last, newest)), true) =
        (lags.first(), lags.last(), lags.len() > 1)
    else {
        return String::new();
    };
    let since = |time: &SystemTime| time.duration_since(*first).unwrap_or_default();
    let span = since(last).max(Duration::from_millis(1));
    let points = lags.iter().map(|(time, lag)| {
        let across = since(time).as_secs_f64() / span.as_secs_f64();
        (across, *lag)
    });
    let most = lags.iter().map(|(_, lag)| *lag).max().unwrap_or(0);
    let area = Area {
        class: "after",
        points: points.collect(),
    };
    let ago = |span: Duration| format!("{} before", duration(span));
    let drawing = chart(&[area], most, [&ago(span), &ago(span / 2), "last window"]);
    let description = format!(
        "Offsets between the commits and the end of the log after each of the last {}, over {}: {} at most, {} after the last one.",
        plural(lags.len(), "window"),
        duration(span),
        thousands(most),
        thousands(*newest)
    );
    figure(&Figure {
        id: "lag",
        title: "Lag after each window",
        description: &description,
        legend: &[],
        height: CHART_HEIGHT,
        drawing: &drawing,
        after: "",
    })
}
