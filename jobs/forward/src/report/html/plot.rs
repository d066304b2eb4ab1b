//! What the plots share. Positions across are percentages, so that a plot fits each width and its text keeps its size.

use html_page::escape;

use crate::report::text::thousands;

/// The maximum number of characters of a name in a plot: the whole name is in a table.
const MAX_NAME: usize = 18;

/// The content of a figure.
pub(crate) struct Figure<'f> {
    /// The beginning of the ids of its elements.
    pub(crate) id: &'f str,
    /// The heading.
    pub(crate) title: &'f str,
    /// What the plot shows, in a sentence.
    pub(crate) description: &'f str,
    /// The class and the name of each colour.
    pub(crate) legend: &'f [(&'f str, &'f str)],
    /// The height of the drawing, in pixels.
    pub(crate) height: usize,
    /// The drawing.
    pub(crate) drawing: &'f str,
    /// What follows the drawing.
    pub(crate) after: &'f str,
}

/// A section with a heading, a legend and the drawing.
pub(crate) fn figure(figure: &Figure<'_>) -> String {
    let Figure {
        id,
        title,
        description,
        legend,
        height,
        drawing,
        after,
    } = figure;
    let keys: String = legend
        .iter()
        .map(|(class, name)| {
            format!(
                "<li><span class=\"key {class}\"></span>{}</li>",
                escape(name)
            )
        })
        .collect();
    let description = escape(description);
    format!(
        "<section>\n<h2 id=\"{id}\">{title}</h2>\n<ul class=\"legend\" aria-hidden=\"true\">{keys}</ul>\n\
         <svg class=\"plot\" role=\"img\" aria-labelledby=\"{id}\" aria-describedby=\"{id}-text\" width=\"100%\" \
         height=\"{height}\">\n{drawing}</svg>\n<p class=\"description\" id=\"{id}-text\">{description}</p>\n{after}\
         </section>\n"
    )
}

/// The line above a row of a plot: a name on the left, a value on the right.
pub(super) fn row_title(y: usize, name: &str, value: &str) -> String {
    format!(
        "<text class=\"name\" x=\"0\" y=\"{y}\">{}</text><text class=\"value\" x=\"100%\" y=\"{y}\">{}</text>\n",
        escape(&shortened(name)),
        escape(value)
    )
}

/// A bar with a tooltip. `from` and `width` are percentages.
pub(super) fn bar(
    class: &str,
    (from, width): (f64, f64),
    (y, height): (f64, f64),
    tip: &str,
) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{from:.2}%\" y=\"{y:.1}\" width=\"{width:.2}%\" height=\"{height:.1}\"><title>{}</title></rect>\n",
        escape(tip)
    )
}

/// The name, cut if it is long.
pub(super) fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// The percentage of a part, between 0 and 100. A part that is not zero is wide enough to be seen.
pub(super) fn percentage(part: i64, whole: i64) -> f64 {
    const VISIBLE: f64 = 1.2;
    if part <= 0 || whole <= 0 {
        return 0.0;
    }
    (part as f64 / whole as f64 * 100.0).clamp(VISIBLE, 100.0)
}

/// The widths of the parts of a bar, in percent of the axis. Each part that is not zero can be seen, and the bar is not longer
/// than their sum.
pub(super) fn widths<const N: usize>(parts: [i64; N], whole: i64) -> [f64; N] {
    let sum = parts
        .iter()
        .fold(0, |sum: i64, part| sum.saturating_add((*part).max(0)));
    let length = percentage(sum, whole);
    let mut widths = parts.map(|part| percentage(part, whole));
    let excess = widths.iter().sum::<f64>() - length;
    if let Some(widest) = widths.iter_mut().max_by(|one, other| one.total_cmp(other)) {
        *widest = (*widest - excess).max(0.0);
    }
    widths
}

/// The end of an axis for values up to `max`: a round number of steps, and the step.
pub(super) fn axis(max: i64) -> (f64, f64) {
    const STEPS: f64 = 4.0;
    let max = (max.max(1)) as f64;
    let power = 10_f64.powf((max / STEPS).log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0];
    let steps = round.iter().map(|factor| factor * power);
    // Counts have no fractions.
    let mut steps = steps.filter(|step| *step >= 1.0 && step.fract() == 0.0);
    let step = steps
        .find(|step| step * STEPS >= max)
        .unwrap_or((max / STEPS).ceil());
    ((max / step).ceil() * step, step)
}

/// A latency with its unit.
pub(super) fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms >= 1_000.0 => format!("{} s", number(ms / 1_000.0)),
        ms => format!("{} ms", number(ms)),
    }
}

/// A number with few digits.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value >= 1_000.0 => thousands(value as i64),
        value if value >= 100.0 || value == value.trunc() => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.1}"),
        value => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_of_steps() {
        for (max, end, step) in [
            (0, 1.0, 1.0),
            (1, 1.0, 1.0),
            (7, 8.0, 2.0),
            (100, 100.0, 25.0),
            (2_400, 3_000.0, 1_000.0),
            (i64::MAX, 1e19, 2.5e18),
        ] {
            assert_eq!(axis(max), (end, step), "{max}");
        }
    }

    #[test]
    fn a_part_that_is_not_zero_can_be_seen() {
        assert_eq!(percentage(0, 10), 0.0);
        assert_eq!(percentage(5, 10), 50.0);
        assert!(percentage(1, i64::MAX) > 0.5);
        assert_eq!(percentage(i64::MAX, 1), 100.0);
        assert_eq!(percentage(-1, 5) + percentage(1, 0), 0.0);
    }

    #[test]
    fn a_small_part_of_a_bar_can_be_seen_and_makes_it_no_longer() {
        let [delivered, dead_lettered, deferred] = widths([99_999, 1, 0], 100_000);
        assert!(dead_lettered > 1.0 && delivered > 98.0);
        assert!((delivered + dead_lettered - 100.0).abs() < 1e-9);
        assert_eq!(deferred, 0.0);
        assert_eq!(widths([1, 1], 4), [25.0, 25.0]);
        assert_eq!(widths([0, -1], 0), [0.0, 0.0]);
    }

    #[test]
    fn latencies_have_few_digits() {
        for (milliseconds, text) in [
            (0.004, "0.004 ms"),
            (0.5, "0.5 ms"),
            (1.26, "1.3 ms"),
            (20.0, "20 ms"),
            (18_500.0, "18.5 s"),
            (2_000.0, "2 s"),
            (268_435.456, "268 s"),
        ] {
            assert_eq!(duration(milliseconds), text);
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(99);
        assert_eq!(shortened(&long), "ä".repeat(18) + "…");
    }
}
