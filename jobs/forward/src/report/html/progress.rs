//! The plot of completed records over time.

use std::fmt::Write;

use super::plot::{Figure, axis, duration, figure, number};
use crate::report::text::thousands;
use crate::report::{ProgressSample, RunReport};

/// The height of the plotted area, and its distance from the top, in pixels.
const HEIGHT: f64 = 180.0;
const TOP: f64 = 20.0;

/// The width of the area's own coordinates.
const WIDTH: f64 = 1000.0;

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
    let (end, step) = axis(most.unwrap_or(0));
    let shown: Vec<&Series> = SERIES
        .iter()
        .filter(|(.., count)| count(last) > 0)
        .collect();
    let (mut drawing, counts) = grid(end, step);
    let _ = writeln!(
        drawing,
        "<svg x=\"0\" y=\"{TOP}\" width=\"100%\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\">"
    );
    // The top of the stack is drawn first: each lower area covers the rest.
    for (index, (class, ..)) in SERIES.iter().enumerate().rev() {
        if shown.iter().any(|(known, ..)| known == class) {
            let path = path(samples, seconds, end, index + 1);
            let _ = writeln!(
                drawing,
                "<path class=\"area {class}\" d=\"M0 {HEIGHT}{path}L{WIDTH} {HEIGHT}Z\"/>"
            );
        }
    }
    drawing.push_str("</svg>\n");
    drawing.push_str(&counts);
    let bottom = TOP + HEIGHT + 18.0;
    for (x, class, moment) in [
        ("0", "start", 0.0),
        ("50%", "middle", seconds / 2.0),
        ("100%", "value", seconds),
    ] {
        let label = match moment {
            0.0 => "0 s".to_owned(),
            moment => duration(moment * 1_000.0),
        };
        let _ = writeln!(
            drawing,
            "<text class=\"tick {class}\" x=\"{x}\" y=\"{bottom}\">{label}</text>"
        );
    }
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
        height: (TOP + HEIGHT + 24.0) as usize,
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

/// The upper edge of an area, as the commands of a path.
fn path(samples: &[ProgressSample], seconds: f64, end: f64, series: usize) -> String {
    let points = samples.iter().map(|sample| {
        let x = (sample.seconds / seconds).clamp(0.0, 1.0) * WIDTH;
        let y = HEIGHT - (stacked(sample, series) as f64 / end).clamp(0.0, 1.0) * HEIGHT;
        format!("L{x:.1} {y:.1}")
    });
    points.collect()
}

/// The horizontal lines, and their counts, which are drawn over the areas.
fn grid(end: f64, step: f64) -> (String, String) {
    let (mut grid, mut counts) = (String::new(), String::new());
    let steps = (end / step).round().clamp(1.0, 10.0) as usize;
    for index in 0..=steps {
        let value = step * index as f64;
        let y = TOP + HEIGHT - HEIGHT * index as f64 / steps as f64;
        let class = if index == 0 { "base" } else { "grid" };
        let _ = writeln!(
            grid,
            "<line class=\"{class}\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
        );
        if index > 0 {
            let _ = writeln!(
                counts,
                "<text class=\"tick over\" x=\"0\" y=\"{:.1}\">{}</text>",
                y - 4.0,
                number(value)
            );
        }
    }
    (grid, counts)
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
