//! The report of a run from bytes that others may have written. Pure.

use crate::report::{RunReport, VERSION};
use crate::versioned::{DocumentKind, InvalidDocument};

/// The report of a run over some ten thousand partitions is smaller.
pub(super) const KIND: DocumentKind = DocumentKind {
    name: "the report of a run",
    version: VERSION,
    max_bytes: 8 << 20,
};

/// Parses a report. One that claims to balance and does not is returned as one that does not balance.
///
/// # Errors
/// The bytes are not a report of this version.
pub fn parse(bytes: &[u8]) -> Result<RunReport, InvalidDocument> {
    let mut report: RunReport = KIND.parse(bytes)?;
    report.balanced &= report.balances();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::tests::report;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let report = report();
        assert_eq!(parse(report.json().as_bytes()).unwrap(), report);
        let later = report.json().replacen('{', r#"{"new":[1],"#, 1);
        assert_eq!(parse(later.as_bytes()).unwrap(), report);
    }

    #[test]
    fn what_is_no_report_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "it is not JSON: EOF"),
            ("not json", "it is not JSON: expected ident"),
            ("{\"version\":1} {}", "it is not JSON: trailing characters"),
            ("{}", "it is not the report of a run: it has no version"),
            ("[1]", "it is not the report of a run: invalid length 1"),
            ("null", "it is not the report of a run: it has no version"),
            (
                "{\"version\":2}",
                "it has version 2, and this program reads version 1",
            ),
            ("{\"version\":\"1\"}", "it has version \"1\", and"),
            (
                "{\"version\":1}",
                "it is not the report of a run: missing field `run`",
            ),
            (
                "{\"version\":1,\"run\":7}",
                "it is not the report of a run: invalid type: integer `7`",
            ),
        ] {
            assert!(error(text).starts_with(reason), "{text}: {}", error(text));
        }
        let deep = "[".repeat(100_000);
        assert!(error(&deep).contains("recursion limit"), "{}", error(&deep));
        let max = KIND.max_bytes;
        let large = vec![b' '; max + 1];
        assert_eq!(parse(&large), Err(InvalidDocument::TooLarge(max)));
        let hostile = format!(
            "{{\"version\":1,\"run\":\"r\",\"outcome\":\"\\u001b[2J{}\"}}",
            "x".repeat(9_999)
        );
        assert!(error(&hostile).len() < 300 && !error(&hostile).contains('\u{1b}'));
    }

    #[test]
    fn a_report_that_claims_to_balance_is_checked() {
        let mut report = report();
        report.totals.delivered += 1;
        assert!(report.balanced);
        assert!(!parse(report.json().as_bytes()).unwrap().balanced);
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        /// A number or a text anywhere in a report may be another one.
        #[test]
        fn no_changed_report_is_a_panic(place in 0usize..2_000, new in "[-0-9e.\"{},]{1,3}") {
            let mut text = report().json();
            let place = place % text.len();
            if text.is_char_boundary(place) {
                text.insert_str(place, &new);
            }
            if let Ok(report) = parse(text.as_bytes()) {
                for form in crate::run_report::ReportForm::ALL {
                    let _ = crate::run_report::render(&report, form, true);
                }
            }
        }
    }
}
