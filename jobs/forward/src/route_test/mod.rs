//! `forward test`: routes sample records and prints the requests that a run would send. Opens no connection.
//!
//! - [`RouteTester`]: the routes, ready for samples
//! - [`sample`]: the lines of a file of samples
//! - [`report`]: what a run does with each sample, as JSON or text
//!
//! A sample is decided about, and its request is built, by the code that a run uses: [`crate::pipeline::RecordRouter`] and
//! [`delivery::request`]. Only what depends on a broker, on an authorization server or on the time is a stand-in.

mod lines;
mod outcome;
pub mod report;
pub mod sample;
mod tester;
mod text;

use std::io::{self, BufRead};

pub use outcome::TestOutcome;
pub use tester::{RouteTester, STREAM_CLUSTER, STREAM_TOPIC, TestError};

use lines::{Line, Lines};
use report::{Totals, json_head, json_tail};

/// Tests each sample of the input, and prints the results as they are known: as one JSON document, or for people. A sample
/// is a line; empty lines are skipped. `print` writes to standard output.
///
/// # Errors
/// Reading or printing failed.
pub fn run(
    tester: &RouteTester,
    input: impl BufRead,
    is_json: bool,
    print: impl Fn(&[u8]) -> io::Result<()>,
) -> io::Result<TestOutcome> {
    let mut router = tester.router();
    let mut totals = Totals::default();
    let mut lines = Lines::new(input);
    if is_json {
        print(json_head().as_bytes())?;
    }
    while let Some((number, line)) = lines.next()? {
        let tested = match line {
            Line::Text(line) => tester.test(&mut router, number, line),
            Line::TooLong => report::SampleReport::invalid(number, lines::too_long()),
        };
        let text = match (is_json, totals.count()) {
            (false, _) => text::sample(&tested),
            (true, 0) => report::json(&tested),
            (true, _) => format!(",{}", report::json(&tested)),
        };
        totals.add(tested.result);
        print(text.as_bytes())?;
    }
    let end = match is_json {
        false => text::totals(&totals),
        true => json_tail(&totals),
    };
    print(end.as_bytes())?;
    Ok(totals.outcome())
}
