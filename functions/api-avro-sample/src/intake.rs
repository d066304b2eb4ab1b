//! Body → records. Pure: bytes in, what they say out, or the reason why they say nothing.

use avro::{self, Data, DecodeError, Fault, Limits, Schema};
use http::StatusCode;
use record::idempotency::CONTAINER_KEYS;
use runtime::text::is_json;
use serde_json::Value;

use super::config::Config;
use super::container_keys;
use super::keys::Digest;
use super::problem::Problem;

/// What the records arrived in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One datum, raw or in a single object.
    Datum,
    /// An object container file.
    Container,
}

impl Framing {
    /// Its name on the page and in answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Datum => "datum",
            Self::Container => "container",
        }
    }
}

/// One record, understood.
#[derive(Debug)]
pub(super) struct Understood {
    /// The digest of the datum.
    pub(super) payload: Digest,
    /// The datum's size.
    pub(super) bytes: usize,
    /// The record, for answers and the page.
    pub(super) record: Value,
    /// The same as JSON text, for the log.
    pub(super) text: String,
    /// The record's own idempotency key, if the container brought one.
    pub(super) key: Option<String>,
}

impl Understood {
    /// The record that these bytes say.
    pub(super) fn of(record: Value, datum: &[u8]) -> Self {
        Self {
            payload: Digest::of(datum),
            bytes: datum.len(),
            text: record.to_string(),
            record,
            key: None,
        }
    }
}

/// All records of one body, in order.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) framing: Framing,
    pub(super) records: Vec<Understood>,
}

impl Intake {
    fn of_one(record: Understood) -> Self {
        Self {
            framing: Framing::Datum,
            records: vec![record],
        }
    }
}

/// Reads the whole body, or nothing.
///
/// What it holds is told as the door tells it, see [`avro::Framing::detect`].
pub(super) fn understand(config: &Config, body: &[u8]) -> Result<Intake, Problem> {
    match avro::Framing::detect(&config.schema, body) {
        avro::Framing::Container => container(config, body),
        avro::Framing::SingleObject => single_object(config, body),
        avro::Framing::Raw => datum(config, body),
    }
}

fn datum(config: &Config, body: &[u8]) -> Result<Intake, Problem> {
    let fault = match record(&config.schema, body) {
        Ok(record) => return Ok(Intake::of_one(record)),
        Err(fault) => fault,
    };
    let what = if is_json(body) {
        "the body is JSON text, not one Avro datum"
    } else {
        "the body is not one Avro datum"
    };
    Err(Problem::unreadable(what, &fault))
}

fn single_object(config: &Config, body: &[u8]) -> Result<Intake, Problem> {
    let data = data(config, body, avro::Framing::SingleObject)
        .map_err(|error| unreadable("a single object", error))?;
    let datum = data.iter().next().unwrap_or_default();
    let record = record(&config.schema, datum)
        .map_err(|fault| Problem::unreadable("the datum of the single object", &fault))?;
    Ok(Intake::of_one(record))
}

fn record(schema: &Schema, datum: &[u8]) -> Result<Understood, Fault> {
    Ok(Understood::of(schema.to_json(datum)?, datum))
}

fn container(config: &Config, body: &[u8]) -> Result<Intake, Problem> {
    let data = data(config, body, avro::Framing::Container)
        .map_err(|error| unreadable("a container file", error))?;
    let keys = container_keys::read(data.metadata(CONTAINER_KEYS), data.len())?;
    let mut keys = keys.map(Vec::into_iter);
    let mut records = Vec::with_capacity(data.len());
    for datum in data.iter() {
        let mut record = record(&config.schema, datum)
            .map_err(|fault| Problem::unreadable("a record of the container", &fault))?;
        record.key = keys.as_mut().and_then(Iterator::next);
        records.push(record);
    }
    Ok(Intake {
        framing: Framing::Container,
        records,
    })
}

fn data<'a>(
    config: &Config,
    body: &'a [u8],
    framing: avro::Framing,
) -> Result<Data<'a>, DecodeError> {
    let limits = Limits {
        max_decoded: config.max_decoded,
        max_records: config.max_records,
    };
    avro::decode(&config.schema, body, framing, &limits)
}

fn unreadable(what: &str, error: DecodeError) -> Problem {
    let status = match &error {
        DecodeError::OverLimit { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    let problem = Problem::new(status, format!("the body is {what}, but {error}"));
    match error {
        DecodeError::Malformed {
            block,
            record,
            fault,
        } => problem
            .member("block", block.into())
            .member("record", record.into())
            .member("offset", fault.offset.into())
            .member("field", fault.path.into()),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema whose smallest datum begins like a container file: a fixed of four bytes, then a string.
    const LOOKALIKE: &str = r#"{"type":"record","name":"L","fields":[
        {"name":"f","type":{"type":"fixed","name":"F","size":4}},{"name":"s","type":"string"}]}"#;

    fn config(schema: &str) -> Config {
        Config {
            listen: String::new(),
            title: String::new(),
            keep: 1,
            keys: 1,
            max_body: 1000,
            max_decoded: 1000,
            max_records: 3,
            schema: Schema::parse(schema).unwrap(),
        }
    }

    fn understood(schema: &str, body: &[u8]) -> Result<Intake, Problem> {
        understand(&config(schema), body)
    }

    #[test]
    fn a_datum_that_begins_like_a_container_file_is_a_datum() {
        let intake = understood(LOOKALIKE, b"Obj\x01\x02a").unwrap();
        assert_eq!(intake.framing, Framing::Datum);
        assert_eq!(intake.records[0].record["s"], "a");
    }

    #[test]
    fn a_single_object_is_its_datum_and_one_of_another_schema_is_refused() {
        let mut body = [0xc3, 0x01].to_vec();
        body.extend(Schema::parse(LOOKALIKE).unwrap().fingerprint());
        body.extend(b"four\x02a");
        let intake = understood(LOOKALIKE, &body).unwrap();
        assert_eq!(intake.framing, Framing::Datum);
        assert_eq!(intake.records[0].record["s"], "a");
        assert_eq!(intake.records[0].bytes, 6);
        body.pop();
        assert_eq!(understood(LOOKALIKE, &body).unwrap_err().status, 400);
        body[5] ^= 1;
        let problem = understood(LOOKALIKE, &body).unwrap_err();
        assert!(problem.detail.contains("fingerprint"), "{problem:?}");
    }

    #[test]
    fn json_text_is_named_as_such() {
        let problem = understood(LOOKALIKE, b" {\"id\": 1}").unwrap_err();
        assert!(
            problem.detail.starts_with("the body is JSON text"),
            "{problem:?}"
        );
        let problem = understood(LOOKALIKE, b"{\"id\": 1").unwrap_err();
        assert!(problem.detail.starts_with("the body is not"), "{problem:?}");
    }
}
