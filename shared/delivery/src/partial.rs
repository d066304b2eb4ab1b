//! Which records of a request failed, when an answer of success says so. Pure: the answer's body in, a list out.
//!
//! An endpoint that took only some of the records of a container file may say which it did not take, in the shape
//! that AWS Lambda made common ("partial batch responses"): a JSON object with
//! `"batchItemFailures": [{"itemIdentifier": "<idempotency key>"}]`. These are sent again, and nothing else.

use std::collections::HashSet;

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
    // Sets, since both lists are others' to fill: two records may have the same key, if their client sent one twice, and
    // a report may name one key often. Of records with the same key, none counts as taken.
    let named: HashSet<&str> = report.failures.iter().map(|one| &*one.key).collect();
    let sent: HashSet<&str> = keys.iter().map(String::as_str).collect();
    if !named.is_subset(&sent) {
        return Partial::Unclear;
    }
    let places = keys.iter().enumerate();
    let failed: Vec<usize> = places
        .filter(|(_, key)| named.contains(key.as_str()))
        .map(|(place, _)| place)
        .collect();
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
    #[test]
    fn a_key_that_is_sent_and_named_thousands_of_times_names_each_of_its_records_once() {
        let keys = vec!["same".to_owned(); 10_000];
        let failures = vec![r#"{"itemIdentifier":"same"}"#; 40_000].join(",");
        let body = format!(r#"{{"batchItemFailures":[{failures}]}}"#);
        let Partial::Failed(places) = partial(body.as_bytes(), &keys) else {
            panic!("every record is named");
        };
        assert!(places.into_iter().eq(0..keys.len()));
    }
}
