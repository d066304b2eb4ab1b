//! Compares the results with the expected ones.
//!
//! The function's responses give the offset of each record; the endpoints and the run report give its destination.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::messages::{Destination, Message, destination_of};

/// The function's response to one message.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The positions of its records, in order; none if the message was rejected.
    pub(crate) stored: Vec<Position>,
    /// The reason of a rejection.
    pub(crate) detail: Option<String>,
}

/// The position of a record in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) topic: String,
    pub(crate) partition: i64,
    pub(crate) offset: i64,
}

impl Response {
    /// Parses a response: one position, a list of positions, or problem details (RFC 9457).
    pub(crate) fn read(status: u16, body: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(body)
            .with_context(|| format!("the body of the function's response {status} is not JSON"))?;
        let stored = match (&json, status) {
            (Value::Array(records), 202) => records.iter().map(position).collect::<Result<_>>()?,
            (record, 202) => vec![position(record)?],
            _ => Vec::new(),
        };
        let detail = json["detail"].as_str().map(str::to_owned);
        Ok(Self {
            status,
            stored,
            detail,
        })
    }
}

fn position(record: &Value) -> Result<Position> {
    let read = || {
        Some(Position {
            topic: record["topic"].as_str()?.to_owned(),
            partition: record["partition"].as_i64()?,
            offset: record["offset"].as_i64()?,
        })
    };
    read().with_context(|| format!("the function's response has no position: {record}"))
}

/// The records that an endpoint received, each with its idempotency key.
#[derive(Clone, Debug)]
pub(crate) struct Received(Vec<(Value, String)>);

impl Received {
    /// Parses the response to `GET /records`.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(body).context("/records is not JSON")?;
        let Some(records) = json["records"].as_array() else {
            bail!("/records has no member `records`: {json}");
        };
        let entry = |entry: &Value| {
            let key = entry["idempotency_key"].as_str().unwrap_or_default();
            (entry["record"].clone(), key.to_owned())
        };
        Ok(Self(records.iter().map(entry).collect()))
    }

    /// How many times the record at this position was received. The job's keys end in `/partition/offset`.
    fn count(&self, record: &Value, position: &Position) -> usize {
        let end = format!("/{}/{}", position.partition, position.offset);
        let matches = |entry: &&(Value, String)| entry.0 == *record && entry.1.ends_with(&end);
        self.0.iter().filter(matches).count()
    }
}

/// The run report.
#[derive(Clone, Debug)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// Whether the run's window contains the position and all its records are committed.
    fn covers(&self, position: &Position) -> bool {
        self.partition(position.partition).is_some_and(|partition| {
            let offset = |name: &str| partition[name].as_i64().unwrap_or(-1);
            (offset("start")..offset("end")).contains(&position.offset)
                && offset("committed") >= offset("end")
        })
    }

    fn partition(&self, number: i64) -> Option<&Value> {
        let partitions = self.0["partitions"].as_array()?;
        partitions
            .iter()
            .find(|partition| partition["partition"].as_i64() == Some(number))
    }

    fn total(&self, name: &str) -> i64 {
        self.0["totals"][name].as_i64().unwrap_or(-1)
    }
}

/// The actual destination of a record after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    At(Destination),
    /// A description of an unexpected outcome.
    Unexpected(String),
}

/// The actual destination of one record.
pub(crate) fn outcome(
    record: &Value,
    position: &Position,
    a: &Received,
    b: &Received,
    report: &Report,
) -> Outcome {
    match (a.count(record, position), b.count(record, position)) {
        (1, 0) => Outcome::At(Destination::A),
        (0, 1) => Outcome::At(Destination::B),
        (0, 0) if report.covers(position) => Outcome::At(Destination::NoRoute),
        (0, 0) => Outcome::Unexpected("not delivered, and not in the run's window".to_owned()),
        (in_a, in_b) => Outcome::Unexpected(format!("{in_a} times at A, {in_b} times at B")),
    }
}

/// The differences between the actual and the expected results.
///
/// `stored` contains the partition and offset of every record in a topic that only the demo uses. Then the report's totals
/// are compared too, and the topic must not contain a rejected message.
pub(crate) fn differences(
    sent: &[(Message, Response)],
    a: &Received,
    b: &Received,
    report: &Report,
    stored: Option<&[(i64, i64)]>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut destinations = Vec::new();
    for (message, response) in sent {
        let records = message.records();
        let file = message.file;
        if records.len() != response.stored.len() {
            let (actual, expected) = (response.stored.len(), records.len());
            found.push(format!(
                "{file}: the function stored {actual} records, expected {expected}"
            ));
        }
        if records.is_empty() && !(400..500).contains(&response.status) {
            found.push(format!(
                "{file}: the function responded with {}, expected 4xx",
                response.status
            ));
        }
        for (record, position) in records.into_iter().zip(&response.stored) {
            let expected = destination_of(record);
            let actual = outcome(record, position, a, b, report);
            if actual != Outcome::At(expected) {
                found.push(format!(
                    "{file}, {record}: {actual:?}, expected {expected:?}"
                ));
            }
            destinations.push(expected);
        }
    }
    if report.0["balanced"] != Value::Bool(true) || report.0["exit_code"] != 0 {
        found.push("the run report does not balance, or its exit code is not 0".to_owned());
    }
    if let Some(stored) = stored {
        let mut acknowledged: Vec<(i64, i64)> = sent
            .iter()
            .flat_map(|(_, response)| &response.stored)
            .map(|position| (position.partition, position.offset))
            .collect();
        acknowledged.sort_unstable();
        if acknowledged != stored {
            found.push(format!(
                "the topic contains {stored:?}, the function acknowledged {acknowledged:?}"
            ));
        }
        let count = |of: &[Destination]| {
            let matching = destinations.iter().filter(|one| of.contains(one));
            matching.count() as i64
        };
        for (name, expected) in [
            ("planned", destinations.len() as i64),
            ("delivered", count(&[Destination::A, Destination::B])),
            ("skipped", count(&[Destination::NoRoute])),
            ("dead_lettered", 0),
            ("deferred", 0),
        ] {
            let actual = report.total(name);
            if actual != expected {
                found.push(format!(
                    "the report has {name} {actual}, expected {expected}"
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::messages::{Body, Message};

    fn position(offset: i64) -> Position {
        Position {
            topic: "t".to_owned(),
            partition: 0,
            offset,
        }
    }

    fn received(entries: &[(&Value, i64)]) -> Received {
        let entry =
            |(record, offset): &(&Value, i64)| ((*record).clone(), format!("c/t/0/{offset}"));
        Received(entries.iter().map(entry).collect())
    }

    fn report(delivered: i64, skipped: i64) -> Report {
        let planned = delivered + skipped;
        Report(json!({
            "exit_code": 0, "balanced": true,
            "totals": {"planned": planned, "delivered": delivered, "skipped": skipped,
                       "dead_lettered": 0, "deferred": 0},
            "partitions": [{"partition": 0, "start": 0, "end": planned, "committed": planned}],
        }))
    }

    fn sent(record: &Value, offset: i64) -> (Message, Response) {
        let message = Message {
            file: "f",
            what: "w",
            body: Body::Datum(record.clone()),
        };
        let response = Response {
            status: 202,
            stored: vec![position(offset)],
            detail: None,
        };
        (message, response)
    }

    #[test]
    fn reports_each_record_with_an_unexpected_destination() {
        let (paul, john) = (json!({"id": 1010}), json!({"id": 10029}));
        let sent = [sent(&paul, 0), sent(&john, 1)];
        let (right, none) = (received(&[(&paul, 0)]), received(&[]));
        let all = [(0, 0), (0, 1)];
        let count = |a: &Received, b: &Received, report: &Report, stored: &[(i64, i64)]| {
            differences(&sent, a, b, report, Some(stored)).len()
        };
        assert_eq!(count(&right, &none, &report(1, 1), &all), 0);
        // Delivered to the other endpoint, to both, to none, twice, or with the key of a different offset.
        assert_eq!(count(&none, &right, &report(1, 1), &all), 1);
        assert_eq!(count(&right, &right, &report(1, 1), &all), 1);
        assert_eq!(count(&none, &none, &report(1, 1), &all), 1);
        let twice = received(&[(&paul, 0), (&paul, 0)]);
        assert_eq!(count(&twice, &none, &report(1, 1), &all), 1);
        let elsewhere = received(&[(&paul, 7)]);
        assert_eq!(count(&elsewhere, &none, &report(1, 1), &all), 1);
        // Delivered although no route matches; the report's totals and the topic differ.
        let both = received(&[(&paul, 0), (&john, 1)]);
        assert_eq!(count(&both, &none, &report(1, 1), &all), 1);
        assert_eq!(count(&right, &none, &report(2, 0), &all), 2);
        assert_eq!(
            count(&right, &none, &report(1, 1), &[(0, 0), (0, 1), (0, 2)]),
            1
        );
        let mut unbalanced = report(1, 1);
        unbalanced.0["balanced"] = false.into();
        assert_eq!(count(&right, &none, &unbalanced, &all), 1);
        // The window ended before John's record, so the record was not skipped.
        let mut short = report(1, 1);
        short.0["partitions"][0]["end"] = 1.into();
        short.0["partitions"][0]["committed"] = 1.into();
        assert_eq!(count(&right, &none, &short, &all), 1);
    }

    #[test]
    fn parses_the_functions_responses() {
        let one = br#"{"topic":"t","partition":0,"offset":7,"timestamp":1}"#;
        assert_eq!(Response::read(202, one).unwrap().stored, [position(7)]);
        let many = [b"[".as_slice(), one, b",", one, b"]"].concat();
        assert_eq!(Response::read(202, &many).unwrap().stored.len(), 2);
        let rejected = Response::read(422, br#"{"detail":"why"}"#).unwrap();
        assert_eq!(
            (rejected.stored.len(), rejected.detail.as_deref()),
            (0, Some("why"))
        );
        assert!(Response::read(202, b"{}").is_err());
        assert!(Response::read(202, b"not JSON").is_err());
    }
}
