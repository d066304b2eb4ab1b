//! Parses a plan, and rejects an invalid one.

use std::collections::BTreeSet;
use std::io::Read;

use super::document::{PlanDocument, PlannedPartition, VERSION};
use crate::versioned::{DocumentKind, InvalidDocument};

/// Thousands of partitions with all that can be completed above a commit are smaller.
const KIND: DocumentKind = DocumentKind {
    name: "a plan",
    version: VERSION,
    max_bytes: 32 << 20,
};

/// Why a plan is invalid, or does not fit the settings.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPlan {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// It is not a plan of this version.
    #[error(transparent)]
    Document(#[from] InvalidDocument),
    /// Its members contradict each other.
    #[error("it contradicts itself: {0}")]
    Inconsistent(String),
    /// A setting has another value.
    #[error("it is of the {name} {planned:?}, and {setting} is {found:?}")]
    Setting {
        /// What.
        name: &'static str,
        /// The setting.
        setting: String,
        /// Its value in the plan.
        planned: String,
        /// Its value now.
        found: String,
    },
    /// The shard does not fit the plan or the settings.
    #[error("{0}")]
    Shard(String),
}

impl PlanDocument {
    /// Reads a plan, up to 32 MiB.
    ///
    /// # Errors
    /// It cannot be read, or is not a valid plan of this version.
    pub fn read(reader: impl Read) -> Result<Self, InvalidPlan> {
        Self::parse(&KIND.read(reader)?)
    }

    /// Parses a plan.
    ///
    /// # Errors
    /// It is not a valid plan of this version.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidPlan> {
        let plan: Self = KIND.parse(bytes)?;
        match plan.contradiction() {
            Some(contradiction) => Err(InvalidPlan::Inconsistent(contradiction)),
            None => Ok(plan),
        }
    }

    /// What contradicts the rest of the plan, in a sentence.
    fn contradiction(&self) -> Option<String> {
        let fingerprint = &self.routes_fingerprint;
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if fingerprint.len() != 16 || !fingerprint.chars().all(is_hex) {
            return Some("routes_fingerprint is not 16 hexadecimal digits".to_owned());
        }
        let mut seen = BTreeSet::new();
        for one in &self.partitions {
            let partition = one.partition;
            let problem = if !(0..self.topic_partitions).contains(&partition) {
                Some(format!(
                    "the topic has {} partitions",
                    self.topic_partitions
                ))
            } else if !seen.insert(partition) {
                Some("it is listed twice".to_owned())
            } else {
                self.problem(one)
            };
            if let Some(problem) = problem {
                return Some(format!("partition {partition}: {problem}"));
            }
        }
        None
    }

    fn problem(&self, one: &PlannedPartition) -> Option<String> {
        let (start, end) = (one.start, one.end);
        if start < 0 || start > end {
            return Some(format!("start {start} and end {end} are not a range"));
        }
        let mut from = start;
        for (first, after) in &one.completed {
            if *first < from || first >= after || *after > end {
                return Some(format!(
                    "the completed range from {first} to {after} is not in the window, or not above the one before it"
                ));
            }
            from = *after;
        }
        let is_shard = match (one.shard, self.shards) {
            (None, None) => true,
            (Some(shard), Some(shards)) => (1..=shards).contains(&shard),
            _ => false,
        };
        (!is_shard).then(|| "its shard is not one of the plan's".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::document::tests::document;
    use super::*;

    /// The error of the document with this change.
    fn error(change: impl FnOnce(&mut Value)) -> String {
        let mut value = serde_json::to_value(document()).unwrap();
        change(&mut value);
        let parsed = PlanDocument::parse(value.to_string().as_bytes());
        parsed.unwrap_err().to_string()
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let json = serde_json::to_string_pretty(&document()).unwrap();
        assert_eq!(PlanDocument::read(json.as_bytes()).unwrap(), document());
        let mut later = serde_json::to_value(document()).unwrap();
        later["a_new_member"] = json!({"x": 1});
        assert_eq!(
            PlanDocument::parse(later.to_string().as_bytes()).unwrap(),
            document()
        );
    }

    #[test]
    fn a_document_that_is_not_a_plan_is_refused_with_the_reason() {
        let of = |bytes: &[u8]| PlanDocument::read(bytes).unwrap_err().to_string();
        for bytes in [&b""[..], b"{", b"not json", b"{} {}", b"\xff"] {
            assert!(of(bytes).starts_with("it is not JSON: "), "{}", of(bytes));
        }
        for text in ["{}", "[]", "7", "null", r#"{"version": null}"#] {
            assert_eq!(of(text.as_bytes()), "it is not a plan: it has no version");
        }
        let version = |version: Value| error(|value| value["version"] = version);
        assert!(
            version(json!(2)).starts_with("it has version 2, and this program reads version 1")
        );
        assert!(version(json!("1")).starts_with("it has version \"1\","));
        assert!(version(json!("9".repeat(9_999))).len() < 1_000);
        let missing = error(|value| {
            value.as_object_mut().unwrap().remove("cluster");
        });
        assert!(missing.contains("missing field `cluster`"), "{missing}");
        let large = std::io::repeat(b' ');
        let large = PlanDocument::read(large).unwrap_err();
        assert_eq!(large.to_string(), "it has more than 33554432 bytes");
    }

    #[test]
    fn text_of_the_file_in_a_reason_is_bounded_and_printable() {
        let text = format!("\u{1b}[31m{}", "x".repeat(100_000));
        for name in ["version", "progress", "offsets"] {
            let reason = error(|value| value[name] = json!(text));
            assert!(reason.len() < 1_000, "{name}: {}", reason.len());
            assert!(!reason.contains('\u{1b}'), "{name}: {reason}");
        }
    }

    #[test]
    fn a_plan_that_contradicts_itself_is_refused() {
        let partition = |name: &str, value: Value| {
            error(|plan| {
                plan["partitions"][0][name] = value;
            })
        };
        assert_eq!(
            partition("start", json!(201)),
            "it contradicts itself: partition 0: start 201 and end 200 are not a range"
        );
        assert!(partition("start", json!(-1)).contains("are not a range"));
        assert!(partition("partition", json!(1)).contains("partition 1: it is listed twice"));
        assert!(partition("partition", json!(2)).contains("the topic has 2 partitions"));
        assert!(partition("partition", json!(-1)).contains("the topic has 2 partitions"));
        for ranges in [
            json!([[90, 120]]),
            json!([[120, 120]]),
            json!([[150, 201]]),
            json!([[150, 160], [155, 170]]),
        ] {
            assert!(partition("completed", ranges.clone()).contains("the completed range"));
        }
        assert!(partition("shard", json!(1)).contains("its shard"));
        let fingerprint = error(|plan| plan["routes_fingerprint"] = json!("xyz"));
        assert!(fingerprint.contains("16 hexadecimal digits"));
    }

    proptest! {
        #[test]
        fn hostile_bytes_cause_no_panic(bytes: Vec<u8>, number: i64, other: i64) {
            let _ = PlanDocument::parse(&bytes);
            let mut value = serde_json::to_value(document()).unwrap();
            value["partitions"][0]["start"] = json!(number);
            value["partitions"][0]["end"] = json!(other);
            value["partitions"][0]["completed"] = json!([[number, other], [other, number]]);
            if let Ok(plan) = PlanDocument::parse(value.to_string().as_bytes()) {
                let _ = plan.partitions[0].offsets();
            }
        }
    }
}
