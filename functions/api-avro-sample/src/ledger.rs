//! What the endpoint has received: three counts and the last records. Pure: the time is passed in.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::intake::{Framing, Understood};

/// The longest record that is kept to be shown, in bytes of JSON; of a longer one only the size is kept.
const SHOWN: usize = 16 * 1024;

/// One record as it was received.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its place among all records counted, from 1.
    pub(super) number: u64,
    /// When, in milliseconds since 1970.
    pub(super) received_ms: u64,
    /// The datum's size.
    pub(super) bytes: usize,
    /// `datum` or `container`: what it arrived in.
    pub(super) framing: &'static str,
    /// The key that it came with, if it came with one.
    pub(super) idempotency_key: Option<String>,
    /// The record, unless it is too long to be shown.
    pub(super) record: Option<Value>,
}

/// Counts, and the last records.
#[derive(Debug)]
pub(super) struct Ledger {
    received: u64,
    repeated: u64,
    refused: u64,
    last: VecDeque<Entry>,
    keep: usize,
}

impl Ledger {
    /// Keeps at most that many records.
    pub(super) fn new(keep: usize) -> Self {
        Self {
            received: 0,
            repeated: 0,
            refused: 0,
            last: VecDeque::new(),
            keep,
        }
    }

    /// Counts a record that is here for the first time.
    pub(super) fn received(
        &mut self,
        record: &Understood,
        key: Option<&str>,
        framing: Framing,
        now_ms: u64,
    ) {
        self.received += 1;
        if self.last.len() >= self.keep {
            self.last.pop_front();
        }
        self.last.push_back(Entry {
            number: self.received,
            received_ms: now_ms,
            bytes: record.bytes,
            framing: framing.name(),
            idempotency_key: key.map(str::to_owned),
            record: (record.text.len() <= SHOWN).then(|| record.record.clone()),
        });
    }

    /// Counts a record that was counted before.
    pub(super) fn repeated(&mut self) {
        self.repeated += 1;
    }

    /// Counts a request that was refused.
    pub(super) fn refused(&mut self) {
        self.refused += 1;
    }

    /// Records received, each once; records received again; requests refused.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        (self.received, self.repeated, self.refused)
    }

    /// The last records, newest first.
    pub(super) fn newest_first(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.last.iter().rev()
    }

    /// `GET /records`: all of it, for machines.
    pub(super) fn to_json(&self, title: &str) -> Value {
        let records: Vec<Value> = self
            .newest_first()
            .map(|entry| {
                json!({
                    "number": entry.number,
                    "received_ms": entry.received_ms,
                    "bytes": entry.bytes,
                    "framing": entry.framing,
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
    fn keeps_the_last_records_newest_first_and_counts_all() {
        let mut ledger = Ledger::new(2);
        for number in 1..=5 {
            let record = Understood::of(json!({"id": number}), b"datum");
            ledger.received(&record, Some("key"), Framing::Datum, 1_000);
        }
        ledger.repeated();
        ledger.refused();
        let shown = ledger.to_json("A");
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
    fn of_a_very_long_record_only_the_size_is_kept() {
        let mut ledger = Ledger::new(2);
        let long = Understood::of(Value::String("x".repeat(SHOWN)), &[b'x'; SHOWN]);
        ledger.received(&long, None, Framing::Container, 0);
        let shown = ledger.to_json("A");
        assert_eq!(shown["records"][0]["record"], Value::Null);
        assert_eq!(shown["records"][0]["bytes"], SHOWN);
        assert_eq!(shown["records"][0]["framing"], "container");
    }
}
