//! The plot of the latency of each route's responses, on one logarithmic axis.

use std::fmt::Write;

use html_page::escape;

use super::plot::{Figure, bar, duration, figure, row_title};
use crate::report::content::MOST_ROWS;
use crate::report::text::thousands;
use crate::report::{LatencyCount, RouteReport, RunReport};

/// The height of a row, and of its bars, in pixels.
const ROW: usize = 76;
const BARS: f64 = 44.0;

/// The shortest latency on the axis, in milliseconds.
const SHORTEST: f64 = 0.001;

/// The longest, an hour.
const LONGEST: f64 = 3_600_000.0;

/// The plot; empty if no route has a distribution.
pub(super) fn plot(report: &RunReport) -> String {
    let routes = report.routes.iter();
    let measured: Vec<&RouteReport> = routes
        .filter(|route| !route.latency_ranges_ms.is_empty())
        .collect();
    let ranges = || measured.iter().flat_map(|route| &route.latency_ranges_ms);
    let Some(axis) = Axis::over(ranges()) else {
        return String::new();
    };
    let rows = measured.len().min(MOST_ROWS);
    let bottom = rows * ROW;
    let mut drawing = String::new();
    for tick in axis.ticks() {
        let x = axis.position(tick);
        let class = match x {
            x if x < 5.0 => "start",
            x if x > 95.0 => "value",
            _ => "middle",
        };
        let _ = writeln!(
            drawing,
            "<line class=\"grid\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"20\" y2=\"{bottom}\"/>\
             <text class=\"tick {class}\" x=\"{x:.2}%\" y=\"{}\">{}</text>",
            bottom + 16,
            duration(tick)
        );
    }
    for (row, route) in measured.iter().take(MOST_ROWS).enumerate() {
        drawing.push_str(&histogram(&axis, row * ROW, route));
    }
    let mut description = String::from(
        "Responses by the time from the request to the head of the response, on a logarithmic axis. The height of a bar is \
         relative to the highest one of its route.",
    );
    let hidden = measured.len() - rows;
    if hidden > 0 {
        let _ = write!(description, " {hidden} more routes are in the table.");
    }
    figure(&Figure {
        id: "latency",
        title: "Latency of responses",
        description: &description,
        legend: &[
            ("delivered", "responses"),
            ("p50", "median"),
            ("p99", "99th percentile"),
        ],
        height: bottom + 22,
        drawing: &drawing,
        after: &data(&measured),
    })
}

/// The ranges as a table.
fn data(routes: &[&RouteReport]) -> String {
    let rows = routes.iter().flat_map(|route| {
        let ranges = route.latency_ranges_ms.iter();
        ranges.map(|range| {
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
                escape(&route.route),
                duration(range.from),
                duration(range.to),
                count(range)
            )
        })
    });
    format!(
        "<details>\n<summary>The numbers</summary>\n<table>\n<thead><tr><th scope=\"col\">route</th>\
         <th scope=\"col\" class=\"number\">from</th><th scope=\"col\" class=\"number\">to</th>\
         <th scope=\"col\" class=\"number\">responses</th></tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</details>\n",
        rows.collect::<String>()
    )
}

fn count(range: &LatencyCount) -> String {
    thousands(i64::try_from(range.count).unwrap_or(i64::MAX))
}

/// The row of a route.
fn histogram(axis: &Axis, top: usize, route: &RouteReport) -> String {
    let latency = &route.latency_ms;
    let value = format!(
        "p50 {}, p99 {}",
        duration(latency.p50),
        duration(latency.p99)
    );
    let mut drawing = row_title(top + 14, &route.route, &value);
    let counts = route.latency_ranges_ms.iter().map(|range| range.count);
    let most = counts.max().unwrap_or(1).max(1) as f64;
    let base = (top + 22) as f64 + BARS;
    for range in &route.latency_ranges_ms {
        let (from, to) = (axis.position(range.from), axis.position(range.to));
        let height = (range.count as f64 / most * BARS).max(2.0);
        let tip = format!(
            "{} to {}: {} responses",
            duration(range.from),
            duration(range.to),
            count(range)
        );
        let place = (from, (to - from).max(0.4));
        drawing.push_str(&bar("delivered", place, (base - height, height), &tip));
    }
    let _ = writeln!(
        drawing,
        "<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"{base}\" y2=\"{base}\"/>"
    );
    for (class, quantile) in [("p50", latency.p50), ("p99", latency.p99)] {
        let x = axis.position(quantile);
        let _ = writeln!(
            drawing,
            "<line class=\"{class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{}\" y2=\"{base}\"/>",
            top + 20
        );
    }
    drawing
}

/// A logarithmic axis, in milliseconds.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// From a power of ten below the ranges to one of 1, 2 and 5 times a power above them; `None` without a range.
    fn over<'r>(ranges: impl Iterator<Item = &'r LatencyCount>) -> Option<Self> {
        let bounds = ranges.fold(None, |bounds: Option<(f64, f64)>, range| {
            let (from, to) = bounds.unwrap_or((f64::MAX, 0.0));
            Some((from.min(range.from), to.max(range.to)))
        });
        let (from, to) = bounds?;
        let rounded = |value: f64, up: bool| {
            let value = value.clamp(SHORTEST, LONGEST);
            let power = 10_f64.powf(value.log10().floor());
            let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
            let found = match up {
                true => steps.into_iter().find(|step| *step >= value),
                false => steps.into_iter().rfind(|step| *step <= value),
            };
            found.unwrap_or(value)
        };
        let from = rounded(from, false);
        Some(Self {
            from,
            to: rounded(to, true).max(from * 10.0),
        })
    }

    /// The position of a latency, in percent.
    fn position(&self, milliseconds: f64) -> f64 {
        let within = milliseconds.clamp(self.from, self.to);
        100.0 * (within / self.from).log10() / (self.to / self.from).log10()
    }

    /// The labelled latencies: powers of ten, or on a short axis also 2 and 5 times these.
    fn ticks(&self) -> Vec<f64> {
        let decades = (self.to / self.from).log10();
        let steps: &[f64] = match decades {
            decades if decades <= 1.8 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let first = self.from.log10().floor() as i32;
        let powers = (first..=first + decades.ceil() as i32 + 1).map(|power| 10_f64.powi(power));
        let ticks = powers.flat_map(|power| steps.iter().map(move |step| step * power));
        // A power of ten is not exact.
        ticks
            .filter(|tick| *tick >= self.from * 0.999 && *tick <= self.to * 1.001)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(from: f64, to: f64) -> Axis {
        let range = LatencyCount { from, to, count: 1 };
        Axis::over([range].iter()).unwrap()
    }

    #[test]
    fn an_axis_has_round_ends_and_ticks_between_them() {
        let short = axis(1.25, 9.0);
        assert_eq!((short.from, short.to), (1.0, 10.0));
        assert_eq!(short.ticks(), [1.0, 2.0, 5.0, 10.0]);
        let long = axis(0.3, 4_100.0);
        assert_eq!((long.from, long.to), (0.2, 5_000.0));
        assert_eq!(long.ticks(), [1.0, 10.0, 100.0, 1_000.0]);
        assert_eq!((long.position(0.0), long.position(1e9)), (0.0, 100.0));
        assert!(Axis::over([].iter()).is_none());
    }

    #[test]
    fn an_axis_is_finite_whatever_the_ranges_are() {
        for (from, to) in [(0.0, 0.0), (-5.0, 1e300), (f64::NAN, f64::NAN), (9.0, 1.0)] {
            let axis = axis(from, to);
            assert!(axis.from > 0.0 && axis.to > axis.from, "{from} {to}");
            assert!(axis.ticks().len() < 20);
            assert!(axis.position(5.0).is_finite());
        }
    }
}
