//! What was seen to happen, beside what the story promises. Pure: answers in, findings out.
//!
//! Nothing is assumed: where a record lies is what the door answered, where it went is what A, B and the run's
//! report say.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::story::{End, Message, end_of};

/// What the door answered to one message.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Where its records are stored, in order; none when it was refused.
    pub(crate) stored: Vec<Place>,
    /// Why it was refused.
    pub(crate) detail: Option<String>,
}

/// Where a record lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) partition: i64,
    pub(crate) offset: i64,
}

impl Answer {
    /// Reads the door's answer: coordinates, one object or a list, or problem details.
    pub(crate) fn read(status: u16, body: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(body)
            .with_context(|| format!("the door answered {status} without JSON"))?;
        let stored = match (&json, status) {
            (Value::Array(records), 202) => records.iter().map(place).collect::<Result<_>>()?,
            (record, 202) => vec![place(record)?],
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

fn place(record: &Value) -> Result<Place> {
    let read = || {
        Some(Place {
            topic: record["topic"].as_str()?.to_owned(),
            partition: record["partition"].as_i64()?,
            offset: record["offset"].as_i64()?,
        })
    };
    read().with_context(|| format!("the door's answer holds no coordinates: {record}"))
}

/// What an endpoint shows: the records that it received, each with the key it came with.
#[derive(Clone, Debug)]
pub(crate) struct Received(Vec<(Value, String)>);

impl Received {
    /// Reads `GET /records`.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(body).context("/records is no JSON")?;
        let Some(records) = json["records"].as_array() else {
            bail!("/records holds no records: {json}");
        };
        let entry = |entry: &Value| {
            let key = entry["idempotency_key"].as_str().unwrap_or_default();
            (entry["record"].clone(), key.to_owned())
        };
        Ok(Self(records.iter().map(entry).collect()))
    }

    /// How often this record, stored at this place, was received: the job's keys end in `/partition/offset`.
    fn count(&self, record: &Value, place: &Place) -> usize {
        let end = format!("/{}/{}", place.partition, place.offset);
        let is_it = |entry: &&(Value, String)| entry.0 == *record && entry.1.ends_with(&end);
        self.0.iter().filter(is_it).count()
    }
}

/// What the run's report says about the places that this story filled.
#[derive(Clone, Debug)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// Whether the run's window held that offset, so that nobody is still to come for it.
    fn covers(&self, place: &Place) -> bool {
        self.partition(place.partition).is_some_and(|partition| {
            let offset = |name: &str| partition[name].as_i64().unwrap_or(-1);
            (offset("start")..offset("end")).contains(&place.offset)
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

/// Where a stored record was seen to be after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    At(End),
    /// Something that no story promises, in words.
    Strange(String),
}

/// Looks for one stored record in all places.
pub(crate) fn look(
    record: &Value,
    place: &Place,
    a: &Received,
    b: &Received,
    report: &Report,
) -> Seen {
    match (a.count(record, place), b.count(record, place)) {
        (1, 0) => Seen::At(End::A),
        (0, 1) => Seen::At(End::B),
        (0, 0) if report.covers(place) => Seen::At(End::NoRoute),
        (0, 0) => Seen::Strange("nowhere, and the run's window does not cover it".to_owned()),
        (in_a, in_b) => Seen::Strange(format!("{in_a} times at A, {in_b} times at B")),
    }
}

/// Every way in which what was seen differs from the story.
///
/// `stored` holds every place of the topic that has a record, when nobody else uses the topic: then the report's
/// totals must be the story's too, and nothing that was refused may lie anywhere.
pub(crate) fn differences(
    sent: &[(Message, Answer)],
    a: &Received,
    b: &Received,
    report: &Report,
    stored: Option<&[(i64, i64)]>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut ends = Vec::new();
    for (message, answer) in sent {
        let records = message.records();
        let file = message.file;
        if records.len() != answer.stored.len() {
            let (told, wanted) = (answer.stored.len(), records.len());
            found.push(format!(
                "{file}: the door stored {told} records, not {wanted}"
            ));
        }
        if records.is_empty() && !(400..500).contains(&answer.status) {
            found.push(format!(
                "{file}: the door answered {}, not 4xx",
                answer.status
            ));
        }
        for (record, place) in records.into_iter().zip(&answer.stored) {
            let (wanted, seen) = (end_of(record), look(record, place, a, b, report));
            if seen != Seen::At(wanted) {
                found.push(format!(
                    "{file}, {record}: expected {wanted:?}, seen {seen:?}"
                ));
            }
            ends.push(wanted);
        }
    }
    if report.0["balanced"] != Value::Bool(true) || report.0["exit_code"] != 0 {
        found.push("the run's report does not balance, or its exit code is not 0".to_owned());
    }
    if let Some(stored) = stored {
        let mut told: Vec<(i64, i64)> = sent
            .iter()
            .flat_map(|(_, answer)| &answer.stored)
            .map(|place| (place.partition, place.offset))
            .collect();
        told.sort_unstable();
        if told != stored {
            found.push(format!(
                "the topic holds {stored:?}, the door told of {told:?}"
            ));
        }
        let count = |end: &[End]| ends.iter().filter(|seen| end.contains(seen)).count() as i64;
        for (name, wanted) in [
            ("planned", ends.len() as i64),
            ("delivered", count(&[End::A, End::B])),
            ("skipped", count(&[End::NoRoute])),
            ("dead_lettered", 0),
            ("deferred", 0),
        ] {
            let told = report.total(name);
            if told != wanted {
                found.push(format!("the report says {name} {told}, not {wanted}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::story::{Body, Message};

    fn place(offset: i64) -> Place {
        Place {
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

    fn sent(record: &Value, offset: i64) -> (Message, Answer) {
        let message = Message {
            file: "f",
            what: "w",
            body: Body::Datum(record.clone()),
        };
        let answer = Answer {
            status: 202,
            stored: vec![place(offset)],
            detail: None,
        };
        (message, answer)
    }

    #[test]
    fn a_record_that_is_not_where_it_belongs_is_told() {
        let (paul, john) = (json!({"id": 1010}), json!({"id": 10029}));
        let sent = [sent(&paul, 0), sent(&john, 1)];
        let (right, none) = (received(&[(&paul, 0)]), received(&[]));
        let all = [(0, 0), (0, 1)];
        let told = |a: &Received, b: &Received, report: &Report, stored: &[(i64, i64)]| {
            differences(&sent, a, b, report, Some(stored)).len()
        };
        assert_eq!(told(&right, &none, &report(1, 1), &all), 0);
        // Delivered to the wrong one, to both, to none, twice, or from another place.
        assert_eq!(told(&none, &right, &report(1, 1), &all), 1);
        assert_eq!(told(&right, &right, &report(1, 1), &all), 1);
        assert_eq!(told(&none, &none, &report(1, 1), &all), 1);
        let twice = received(&[(&paul, 0), (&paul, 0)]);
        assert_eq!(told(&twice, &none, &report(1, 1), &all), 1);
        let elsewhere = received(&[(&paul, 7)]);
        assert_eq!(told(&elsewhere, &none, &report(1, 1), &all), 1);
        // Delivered although no route wants it; the report's totals and the topic differ.
        let both = received(&[(&paul, 0), (&john, 1)]);
        assert_eq!(told(&both, &none, &report(1, 1), &all), 1);
        assert_eq!(told(&right, &none, &report(2, 0), &all), 2);
        assert_eq!(
            told(&right, &none, &report(1, 1), &[(0, 0), (0, 1), (0, 2)]),
            1
        );
        let mut unbalanced = report(1, 1);
        unbalanced.0["balanced"] = false.into();
        assert_eq!(told(&right, &none, &unbalanced, &all), 1);
        // The window ended before John: nobody has passed him over yet.
        let mut short = report(1, 1);
        short.0["partitions"][0]["end"] = 1.into();
        short.0["partitions"][0]["committed"] = 1.into();
        assert_eq!(told(&right, &none, &short, &all), 1);
    }

    #[test]
    fn the_doors_answers_are_read_as_they_come() {
        let one = br#"{"topic":"t","partition":0,"offset":7,"timestamp":1}"#;
        assert_eq!(Answer::read(202, one).unwrap().stored, [place(7)]);
        let many = [b"[".as_slice(), one, b",", one, b"]"].concat();
        assert_eq!(Answer::read(202, &many).unwrap().stored.len(), 2);
        let refused = Answer::read(422, br#"{"detail":"why"}"#).unwrap();
        assert_eq!(
            (refused.stored.len(), refused.detail.as_deref()),
            (0, Some("why"))
        );
        assert!(Answer::read(202, b"{}").is_err());
        assert!(Answer::read(202, b"not JSON").is_err());
    }
}
