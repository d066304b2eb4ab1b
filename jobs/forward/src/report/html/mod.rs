//! The report as one HTML page with plots as inline SVG. It needs no script and no other file. Pure.
//!
//! Text that others wrote is escaped, and the page's Content-Security-Policy permits neither scripts nor requests. Colours
//! follow the reader's light or dark scheme. Each plot has a title, a description and its numbers as text or in a table.

mod chart;
mod lag;
mod latency;
mod outcomes;
mod page;
mod plot;
mod progress;
mod table;

pub(crate) use chart::{Area, CHART_HEIGHT, chart};
pub(crate) use page::{severity, style};
pub(crate) use plot::{Figure, figure};
pub(crate) use table::{Column, HtmlTable, table};

use super::RunReport;

/// The report as a page that ends with a line break.
pub fn render(report: &RunReport) -> String {
    page::page(report)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::super::tests::{hostile, report};
    use super::super::{LatencyCount, ProgressSample, RunReport};
    use super::*;

    const VOID: [&str; 5] = ["!DOCTYPE", "meta", "link", "br", "path"];

    const TAGS: [&str; 40] = [
        "html", "head", "title", "style", "body", "header", "main", "section", "h1", "h2", "p",
        "strong", "dl", "dt", "dd", "div", "ul", "li", "span", "svg", "text", "rect", "line",
        "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "meta", "br", "path",
        "caption", "a", "time", "progress", "footer", "link",
    ];

    /// A report with everything that has a plot.
    pub(crate) fn full() -> RunReport {
        let mut report = report();
        for route in &mut report.routes {
            route.latency_ranges_ms = vec![
                LatencyCount {
                    from: 0.896,
                    to: 1.024,
                    count: 10,
                },
                LatencyCount {
                    from: 1835.008,
                    to: 2097.152,
                    count: 2,
                },
            ];
        }
        report.progress = [(0.0, 0), (0.2, 900), (0.41, 2_000)]
            .map(|(seconds, delivered)| ProgressSample {
                seconds,
                delivered,
                skipped: delivered / 5,
                dead_lettered: 4,
            })
            .to_vec();
        report
    }

    /// Fails if a tag is not one of ours, or not closed.
    pub(crate) fn assert_well_formed(page: &str) {
        let mut open = BTreeMap::<&str, i64>::new();
        for part in page.split('<').skip(1) {
            let name = part.trim_start_matches('/');
            let end = name.find([' ', '>', '/', '\n']).unwrap();
            let name = &name[..end];
            assert!(TAGS.contains(&name) || VOID.contains(&name), "<{part}");
            let tag = &part[..part.find('>').unwrap()];
            if !VOID.contains(&name) && !tag.ends_with('/') {
                *open.entry(name).or_default() += if part.starts_with('/') { -1 } else { 1 };
            }
        }
        assert!(open.values().all(|count| *count == 0), "{open:?}");
    }

    #[test]
    fn the_page_has_a_plot_of_everything_and_needs_nothing_else() {
        let page = render(&full());
        assert_well_formed(&page);
        for title in [
            "Outcomes per route",
            "Records over time",
            "Latency of responses",
            "Lag before and after",
        ] {
            assert!(page.contains(title), "{title}");
        }
        assert_eq!(page.matches("role=\"img\"").count(), 4);
        for absent in [
            "<script", "http://", "https://", "url(", "@import", "NaN", "inf",
        ] {
            assert!(!page.contains(absent), "{absent}");
        }
        assert!(page.contains("<dt>delivered</dt><dd>2,000</dd>"));
        assert!(page.contains("Completed records since the start of the run: 2,404 after 410 ms."));
    }

    #[test]
    fn a_report_without_records_has_no_plot() {
        let mut report = report();
        report.partitions.clear();
        report.routes.clear();
        let page = render(&report);
        assert_well_formed(&page);
        assert!(!page.contains("<svg"));
    }

    #[test]
    fn text_of_others_adds_no_markup() {
        let mut report = hostile();
        report.routes[0].latency_ranges_ms = full().routes[0].latency_ranges_ms.clone();
        report.progress = full().progress;
        let page = render(&report);
        assert_well_formed(&page);
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert!(!page.contains('\u{1b}'));
    }

    #[test]
    fn numbers_of_others_cannot_break_a_plot() {
        let mut report = full();
        for partition in &mut report.partitions {
            (partition.lag_before, partition.lag_after) = (i64::MAX, i64::MIN);
            partition.planned = i64::MAX;
        }
        for route in &mut report.routes {
            (route.matched, route.delivered) = (i64::MAX, i64::MAX);
            (route.deferred, route.attempts) = (-1, u64::MAX);
            route.latency_ms.p99 = -1e300;
            route.latency_ranges_ms[0] = LatencyCount {
                from: -1e300,
                to: 1e300,
                count: u64::MAX,
            };
        }
        report.progress[1].seconds = -1e300;
        report.progress[2].delivered = i64::MAX;
        report.totals.planned = i64::MIN;
        let page = render(&report);
        assert_well_formed(&page);
        assert!(!page.contains("NaN") && !page.contains("inf%") && page.len() < 40_000);
        assert!(!report.balances());
    }
}
