//! The median and the range of repeated measurements.

use std::fmt;

use serde::Serialize;

/// The lowest, the median and the highest of several measurements of the same thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The lowest.
    pub lowest: f64,
    /// The median; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The highest.
    pub highest: f64,
}

impl Spread {
    /// The spread of these measurements; `None` of none.
    pub fn of(measurements: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = measurements.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
        let (below, above) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        Some(Self {
            lowest,
            median: f64::midpoint(sorted[below], sorted[above]),
            highest,
        })
    }
}

/// `1.02 (0.98 to 1.10)`, with the precision of the format, by default two digits.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self {
            lowest,
            median,
            highest,
        } = self;
        write!(
            f,
            "{median:.digits$} ({lowest:.digits$} to {highest:.digits$})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        let spread = Spread::of([3.0, 1.0, 10.0]).unwrap();
        assert_eq!(spread.to_string(), "3.00 (1.00 to 10.00)");
        let even = Spread::of([1.0, 2.0, 4.0, 9.0]).unwrap();
        assert_eq!(format!("{even:.0}"), "3 (1 to 9)");
    }
}
