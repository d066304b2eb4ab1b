//! Partial failures: the records of a batch that a success response reports as failed.
//!
//! The format is AWS Lambda's "partial batch response": a JSON object with
//! `"batchItemFailures": [{"itemIdentifier": "<idempotency key>"}]`. Only these records are sent again.

use std::collections::HashSet;

use serde::Deserialize;

/// The records of a batch that a success response reports as failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartialFailures {
    /// No record failed.
    None,
    /// The records at these positions failed.
    Positions(Vec<usize>),
    /// The response reports failures but does not identify the records: none counts as delivered.
    Unidentified,
}

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<ItemFailure>,
}

#[derive(Deserialize)]
struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    key: String,
}

impl PartialFailures {
    /// Parses the body of a response to the records with these idempotency keys.
    pub(crate) fn parse(body: &[u8], keys: &[String]) -> Self {
        // Other bodies of a success are ignored, whether they are JSON or not.
        let marker = b"batchItemFailures";
        if !body.windows(marker.len()).any(|window| window == marker) {
            return Self::None;
        }
        let Ok(report) = serde_json::from_slice::<Report>(body) else {
            return Self::Unidentified;
        };
        // Sets, because both lists can hold a key more than once, and long lists must not take quadratic time. If records
        // share a key, all of them count as failed.
        let failed: HashSet<&str> = report.failures.iter().map(|item| &*item.key).collect();
        let sent: HashSet<&str> = keys.iter().map(String::as_str).collect();
        if !failed.is_subset(&sent) {
            return Self::Unidentified;
        }
        let positions: Vec<usize> = keys
            .iter()
            .enumerate()
            .filter(|(_, key)| failed.contains(key.as_str()))
            .map(|(position, _)| position)
            .collect();
        if positions.is_empty() {
            return Self::None;
        }
        Self::Positions(positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> PartialFailures {
        let keys = ["a", "b", "c", "b"].map(str::to_owned);
        PartialFailures::parse(body.as_bytes(), &keys)
    }

    #[test]
    fn returns_the_positions_of_failed_records() {
        let body = r#"{"took":3,"batchItemFailures":[{"itemIdentifier":"c","why":"?"},{"itemIdentifier":"a"}]}"#;
        assert_eq!(parse(body), PartialFailures::Positions(vec![0, 2]));
        let twice = r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}"#;
        assert_eq!(parse(twice), PartialFailures::Positions(vec![1, 3]));
    }

    #[test]
    fn a_body_without_failures_means_success() {
        for body in [
            "",
            "ok",
            "{}",
            "[1,2",
            r#"{"taken":4}"#,
            r#"{"batchItemFailures":[]}"#,
        ] {
            assert_eq!(parse(body), PartialFailures::None, "{body}");
        }
    }

    #[test]
    fn failures_of_unknown_records_are_unidentified() {
        for body in [
            r#"{"batchItemFailures":[{"itemIdentifier":"z"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":7}]}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"}"#,
            r#"batchItemFailures"#,
        ] {
            assert_eq!(parse(body), PartialFailures::Unidentified, "{body}");
        }
    }

    #[test]
    fn repeated_keys_take_linear_time_and_report_each_record_once() {
        let keys = vec!["same".to_owned(); 10_000];
        let failures = vec![r#"{"itemIdentifier":"same"}"#; 40_000].join(",");
        let body = format!(r#"{{"batchItemFailures":[{failures}]}}"#);
        let PartialFailures::Positions(positions) = PartialFailures::parse(body.as_bytes(), &keys)
        else {
            panic!("every record is reported");
        };
        assert!(positions.into_iter().eq(0..keys.len()));
    }
}
