//! The log of received records: counts and the last records.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::decode::{BodyFormat, DecodedRecord};

/// The largest record that is kept, in bytes of JSON text. Of a larger one only the size is kept.
const MAX_KEPT: usize = 16 * 1024;

/// One received record.
#[derive(Clone, Debug)]
pub(super) struct LogEntry {
    /// The number of the record, from 1.
    pub(super) number: u64,
    /// The time of receipt, in milliseconds since 1970.
    pub(super) received_ms: u64,
    /// The datum's size.
    pub(super) bytes: usize,
    /// The format of the body that contained it.
    pub(super) format: BodyFormat,
    /// The idempotency key, if there is one.
    pub(super) idempotency_key: Option<String>,
    /// The record, unless it is too large.
    pub(super) record: Option<Value>,
}

/// The number of records received, and the last of them.
#[derive(Debug)]
pub(super) struct RecordLog {
    received: u64,
    repeated: u64,
    refused: u64,
    last: VecDeque<LogEntry>,
    max_records: usize,
}

impl RecordLog {
    /// An empty log that keeps at most `max_records` records.
    pub(super) fn new(max_records: usize) -> Self {
        Self {
            received: 0,
            repeated: 0,
            refused: 0,
            last: VecDeque::new(),
            max_records,
        }
    }

    /// Adds a new record.
    pub(super) fn push(
        &mut self,
        record: &DecodedRecord,
        key: Option<&str>,
        format: BodyFormat,
        now_ms: u64,
    ) {
        self.received += 1;
        if self.last.len() >= self.max_records {
            self.last.pop_front();
        }
        self.last.push_back(LogEntry {
            number: self.received,
            received_ms: now_ms,
            bytes: record.bytes,
            format,
            idempotency_key: key.map(str::to_owned),
            record: (record.text.len() <= MAX_KEPT).then(|| record.value.clone()),
        });
    }

    /// Counts a duplicate of a record.
    pub(super) fn count_repeated(&mut self) {
        self.repeated += 1;
    }

    /// Counts a rejected request.
    pub(super) fn count_refused(&mut self) {
        self.refused += 1;
    }

    /// The numbers of records received, of duplicates, and of requests rejected.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        (self.received, self.repeated, self.refused)
    }

    /// The last records, newest first.
    pub(super) fn newest_first(&self) -> impl ExactSizeIterator<Item = &LogEntry> {
        self.last.iter().rev()
    }

    /// The response to `GET /records`.
    pub(super) fn to_json(&self, title: &str) -> Value {
        let records: Vec<Value> = self
            .newest_first()
            .map(|entry| {
                json!({
                    "number": entry.number,
                    "received_ms": entry.received_ms,
                    "bytes": entry.bytes,
                    "framing": entry.format.name(),
                    "idempotency_key": entry.idempotency_key,
                    "record": entry.record,
                })
            })
            .collect();
        json!({
            "title": title,
            "received": self.received,
            "repeated": self.repeated,
            "refused": self.refused,
            "records": records,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_records_and_counts_all() {
        let mut log = RecordLog::new(2);
        for number in 1..=5 {
            let record = DecodedRecord::new(json!({"id": number}), b"datum");
            log.push(&record, Some("key"), BodyFormat::Datum, 1_000);
        }
        log.count_repeated();
        log.count_refused();
        let shown = log.to_json("A");
        assert_eq!(shown["received"], 5);
        assert_eq!(shown["repeated"], 1);
        assert_eq!(shown["refused"], 1);
        assert_eq!(shown["records"].as_array().unwrap().len(), 2);
        assert_eq!(shown["records"][0]["number"], 5);
        assert_eq!(shown["records"][0]["record"], json!({"id": 5}));
        assert_eq!(shown["records"][0]["idempotency_key"], "key");
        assert_eq!(shown["records"][1]["number"], 4);
    }

    #[test]
    fn keeps_only_the_size_of_a_large_record() {
        let mut log = RecordLog::new(2);
        let large = DecodedRecord::new(Value::String("x".repeat(MAX_KEPT)), &[b'x'; MAX_KEPT]);
        log.push(&large, None, BodyFormat::Container, 0);
        let shown = log.to_json("A");
        assert_eq!(shown["records"][0]["record"], Value::Null);
        assert_eq!(shown["records"][0]["bytes"], MAX_KEPT);
        assert_eq!(shown["records"][0]["framing"], "container");
    }
}
