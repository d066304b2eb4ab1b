//! Areas over time: a grid with counts, the areas, and three labels below.

use std::fmt::Write;

use super::plot::{axis, number};

/// The height of a chart with its labels, in pixels.
pub(crate) const CHART_HEIGHT: usize = (TOP + HEIGHT + 24.0) as usize;

/// The height of the plotted area, and its distance from the top, in pixels.
const HEIGHT: f64 = 180.0;
const TOP: f64 = 20.0;

/// The width of the area's own coordinates.
const WIDTH: f64 = 1000.0;

/// An area between the base line and its points.
pub(crate) struct Area<'a> {
    /// The class of its colour.
    pub(crate) class: &'a str,
    /// The points from left to right: the position across, from 0 to 1, and the count.
    pub(crate) points: Vec<(f64, i64)>,
}

/// The drawing of a figure: the areas, the first at the back, and the labels of the left, the middle and the right. `most` is
/// the highest count.
pub(crate) fn chart(areas: &[Area<'_>], most: i64, labels: [&str; 3]) -> String {
    let (end, step) = axis(most);
    let (mut drawing, counts) = grid(end, step);
    let _ = writeln!(
        drawing,
        "<svg x=\"0\" y=\"{TOP}\" width=\"100%\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\">"
    );
    for area in areas {
        let points = area.points.iter().map(|(across, count)| {
            let x = across.clamp(0.0, 1.0) * WIDTH;
            let y = HEIGHT - (*count as f64 / end).clamp(0.0, 1.0) * HEIGHT;
            format!("L{x:.1} {y:.1}")
        });
        let _ = writeln!(
            drawing,
            "<path class=\"area {}\" d=\"M0 {HEIGHT}{}L{WIDTH} {HEIGHT}Z\"/>",
            area.class,
            points.collect::<String>()
        );
    }
    drawing.push_str("</svg>\n");
    drawing.push_str(&counts);
    let bottom = TOP + HEIGHT + 18.0;
    for ((x, class), label) in [("0", "start"), ("50%", "middle"), ("100%", "value")]
        .into_iter()
        .zip(labels)
    {
        let _ = writeln!(
            drawing,
            "<text class=\"tick {class}\" x=\"{x}\" y=\"{bottom}\">{label}</text>"
        );
    }
    drawing
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
