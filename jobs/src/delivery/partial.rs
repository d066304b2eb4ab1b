//! Which records of a request failed, when an answer of success says so. Pure: the answer's body in, a list out.
//!
//! An endpoint that took only some of the records of a container file may say which it did not take, in the shape
//! that AWS Lambda made common ("partial batch responses"): a JSON object with
//! `"batchItemFailures": [{"itemIdentifier": "<idempotency key>"}]`. These are sent again, and nothing else.

use serde::Deserialize;

/// What an answer of success to many records says about each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partial {
    /// All were taken.
    None,
    /// Those at these places were not.
    Failed(Vec<usize>),
    /// It names failures, but not so that anybody could tell which: none counts as taken.
    Unclear,
}

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "itemIdentifier")]
    key: String,
}

/// Reads the body of an answer to the records with these keys.
pub fn partial(body: &[u8], keys: &[String]) -> Partial {
    // An endpoint that knows nothing of this may say what it likes, in JSON or not.
    let marker = b"batchItemFailures";
    if !body.windows(marker.len()).any(|window| window == marker) {
        return Partial::None;
    }
    let Ok(report) = serde_json::from_slice::<Report>(body) else {
        return Partial::Unclear;
    };
    let mut failed = Vec::with_capacity(report.failures.len().min(keys.len()));
    for failure in &report.failures {
        // Two records may have the same key, if their client sent one twice: then neither was taken.
        let before = failed.len();
        let places = keys
            .iter()
            .enumerate()
            .filter(|(_, key)| **key == failure.key);
        failed.extend(places.map(|(place, _)| place));
        if failed.len() == before {
            return Partial::Unclear;
        }
    }
    failed.sort_unstable();
    failed.dedup();
    if failed.is_empty() {
        return Partial::None;
    }
    Partial::Failed(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Partial {
        let keys = ["a", "b", "c", "b"].map(str::to_owned);
        partial(body.as_bytes(), &keys)
    }

    #[test]
    fn names_the_records_that_failed() {
        let body = r#"{"took":3,"batchItemFailures":[{"itemIdentifier":"c","why":"?"},{"itemIdentifier":"a"}]}"#;
        assert_eq!(said(body), Partial::Failed(vec![0, 2]));
        let twice = r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}"#;
        assert_eq!(said(twice), Partial::Failed(vec![1, 3]));
    }

    #[test]
    fn silence_means_that_all_were_taken() {
        for body in [
            "",
            "ok",
            "{}",
            "[1,2",
            r#"{"taken":4}"#,
            r#"{"batchItemFailures":[]}"#,
        ] {
            assert_eq!(said(body), Partial::None, "{body}");
        }
    }

    #[test]
    fn failures_that_nobody_can_tell_leave_nothing_taken() {
        for body in [
            r#"{"batchItemFailures":[{"itemIdentifier":"z"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":7}]}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"}"#,
            r#"batchItemFailures"#,
        ] {
            assert_eq!(said(body), Partial::Unclear, "{body}");
        }
    }
}
