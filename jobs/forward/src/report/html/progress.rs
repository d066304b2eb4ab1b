//! The plot of completed records over time.

use std::fmt::Write;

use super::chart::{Area, CHART_HEIGHT, chart};
use super::plot::{Figure, duration, figure};
use crate::report::text::thousands;
use crate::report::{ProgressSample, RunReport};

type Series = (&'static str, &'static str, fn(&ProgressSample) -> i64);

/// From the bottom of the stack.
const SERIES: [Series; 3] = [
    ("delivered", "delivered", |sample| sample.delivered),
    ("skipped", "skipped", |sample| sample.skipped),
    ("dead-letters", "dead letters", |sample| {
        sample.dead_lettered
    }),
];

/// The plot; empty if the report has no progress.
pub(super) fn plot(report: &RunReport) -> String {
    let samples = &report.progress;
    let (Some(last), true) = (samples.last(), samples.len() > 1) else {
        return String::new();
    };
    let seconds = last.seconds;
    let most = samples
        .iter()
        .map(|sample| stacked(sample, SERIES.len()))
        .max();
    if !seconds.is_finite() || seconds <= 0.0 || most.unwrap_or(0) <= 0 {
        return String::new();
    }
    let shown: Vec<&Series> = SERIES
        .iter()
        .filter(|(.., count)| count(last) > 0)
        .collect();
    // The top of the stack is drawn first: each lower area covers the rest.
    let areas = (SERIES.iter().enumerate().rev())
        .filter(|(_, (class, ..))| shown.iter().any(|(known, ..)| known == class))
        .map(|(index, (class, ..))| Area {
            class,
            points: points(samples, seconds, index + 1),
        });
    let areas: Vec<Area<'_>> = areas.collect();
    let moment = |seconds: f64| duration(seconds * 1_000.0);
    let drawing = chart(
        &areas,
        most.unwrap_or(0),
        ["0 s", &moment(seconds / 2.0), &moment(seconds)],
    );
    let legend: Vec<(&str, &str)> = shown
        .iter()
        .map(|(class, name, _)| (*class, *name))
        .collect();
    let description = format!(
        "Completed records since the start of the run: {} after {}.",
        thousands(stacked(last, SERIES.len())),
        duration(seconds * 1_000.0)
    );
    figure(&Figure {
        id: "progress",
        title: "Records over time",
        description: &description,
        legend: &legend,
        height: CHART_HEIGHT,
        drawing: &drawing,
        after: &data(samples, &shown),
    })
}

/// The sum of the lowest `series` of the stack.
fn stacked(sample: &ProgressSample, series: usize) -> i64 {
    let counts = SERIES
        .iter()
        .take(series)
        .map(|(.., count)| count(sample).max(0));
    counts.fold(0, i64::saturating_add)
}

/// The upper edge of an area.
fn points(samples: &[ProgressSample], seconds: f64, series: usize) -> Vec<(f64, i64)> {
    let points = samples.iter();
    points
        .map(|sample| (sample.seconds / seconds, stacked(sample, series)))
        .collect()
}

/// The samples as a table.
fn data(samples: &[ProgressSample], shown: &[&Series]) -> String {
    let mut html = String::from(
        "<details>\n<summary>The numbers</summary>\n<table>\n<thead><tr><th scope=\"col\" class=\"number\">seconds</th>",
    );
    for (_, name, _) in shown {
        let _ = write!(html, "<th scope=\"col\" class=\"number\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for sample in samples {
        let _ = write!(
            html,
            "<tr><th scope=\"row\" class=\"number\">{:.3}</th>",
            sample.seconds
        );
        for (.., count) in shown {
            let _ = write!(
                html,
                "<td class=\"number\">{}</td>",
                thousands(count(sample))
            );
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody>\n</table>\n</details>\n"
}
