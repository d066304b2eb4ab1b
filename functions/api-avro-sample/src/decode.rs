//! Decodes a body into records.

use avro::{self, Data, DecodeError, Fault, Limits};
use http_server::problem::{BODY_TOO_LARGE, Problem};
use record::idempotency::CONTAINER_KEYS;
use runtime::text::is_json;
use serde_json::Value;

use super::config::Config;
use super::container_keys;
use super::key_history::Digest;
use super::problems::MALFORMED_RECORDS;

/// The format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFormat {
    /// One datum, raw or as a single-object encoding.
    Datum,
    /// A container file.
    Container,
}

impl BodyFormat {
    /// The name on the page and in responses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Datum => "datum",
            Self::Container => "container",
        }
    }
}

/// One decoded record.
#[derive(Debug)]
pub(super) struct DecodedRecord {
    /// The digest of the datum.
    pub(super) payload: Digest,
    /// The size of the datum.
    pub(super) bytes: usize,
    /// The record as JSON.
    pub(super) value: Value,
    /// The record as JSON text.
    pub(super) text: String,
    /// The record's key in the container's metadata.
    pub(super) key: Option<String>,
}

impl DecodedRecord {
    /// The record `value`, which was decoded from `datum`.
    pub(super) fn new(value: Value, datum: &[u8]) -> Self {
        Self {
            payload: Digest::of(datum),
            bytes: datum.len(),
            text: value.to_string(),
            value,
            key: None,
        }
    }
}

/// All records of a body, in order.
#[derive(Debug)]
pub(super) struct DecodedBody {
    pub(super) format: BodyFormat,
    pub(super) records: Vec<DecodedRecord>,
}

/// Decodes all records of a body. Its format is detected as by the ingest function: see [`avro::Framing::detect`].
///
/// # Errors
/// A record, the container file or its keys are malformed, or a limit is exceeded.
pub(super) fn body(config: &Config, bytes: &[u8]) -> Result<DecodedBody, Problem> {
    match avro::Framing::detect(&config.schema, bytes) {
        avro::Framing::Container => container(config, bytes),
        avro::Framing::SingleObject => single_object(config, bytes),
        avro::Framing::Raw => datum(config, bytes),
    }
}

fn datum(config: &Config, bytes: &[u8]) -> Result<DecodedBody, Problem> {
    let record = record(config, bytes).map_err(|fault| {
        let what = if is_json(bytes) {
            "The body is JSON text, not one Avro datum"
        } else {
            "The body is not one Avro datum"
        };
        malformed(what, &fault)
    })?;
    Ok(one(record))
}

fn single_object(config: &Config, bytes: &[u8]) -> Result<DecodedBody, Problem> {
    let data = data(config, bytes, avro::Framing::SingleObject)
        .map_err(|error| problem("a single-object encoding", error))?;
    let datum = data.iter().next().unwrap_or_default();
    let record = record(config, datum)
        .map_err(|fault| malformed("The datum of the single-object encoding", &fault))?;
    Ok(one(record))
}

fn one(record: DecodedRecord) -> DecodedBody {
    DecodedBody {
        format: BodyFormat::Datum,
        records: vec![record],
    }
}

fn container(config: &Config, bytes: &[u8]) -> Result<DecodedBody, Problem> {
    let data = data(config, bytes, avro::Framing::Container)
        .map_err(|error| problem("a container file", error))?;
    let keys = container_keys::parse(data.metadata(CONTAINER_KEYS), data.len())?;
    let mut keys = keys.map(Vec::into_iter);
    let mut records = Vec::with_capacity(data.len());
    for datum in data.iter() {
        let mut record = record(config, datum)
            .map_err(|fault| malformed("A record of the container file", &fault))?;
        record.key = keys.as_mut().and_then(Iterator::next);
        records.push(record);
    }
    Ok(DecodedBody {
        format: BodyFormat::Container,
        records,
    })
}

fn record(config: &Config, datum: &[u8]) -> Result<DecodedRecord, Fault> {
    Ok(DecodedRecord::new(config.schema.to_json(datum)?, datum))
}

fn data<'a>(
    config: &Config,
    bytes: &'a [u8],
    framing: avro::Framing,
) -> Result<Data<'a>, DecodeError> {
    let limits = Limits {
        max_decoded: config.max_decoded,
        max_records: config.max_records,
    };
    avro::decode(&config.schema, bytes, framing, &limits)
}

fn malformed(what: &str, fault: &Fault) -> Problem {
    Problem::new(&MALFORMED_RECORDS, format!("{what}: {fault}."))
        .with_member("offset", fault.offset)
        .with_member("field", fault.path.as_str())
}

fn problem(what: &str, error: DecodeError) -> Problem {
    let kind = match &error {
        DecodeError::OverLimit { .. } => &BODY_TOO_LARGE,
        _ => &MALFORMED_RECORDS,
    };
    let mut problem = Problem::new(kind, format!("The body is {what}, but {error}."));
    if let DecodeError::Malformed {
        block,
        record,
        fault,
    } = error
    {
        for (name, number) in [("block", block), ("record", record)] {
            if let Some(number) = number {
                problem = problem.with_member(name, number);
            }
        }
        problem = problem
            .with_member("offset", fault.offset)
            .with_member("field", fault.path);
    }
    problem
}

#[cfg(test)]
mod tests {
    use avro::Schema;

    use super::*;

    /// A schema whose smallest datum begins like a container file: a fixed of four bytes, then a string.
    const LOOKALIKE: &str = r#"{"type":"record","name":"L","fields":[
        {"name":"f","type":{"type":"fixed","name":"F","size":4}},{"name":"s","type":"string"}]}"#;

    fn config(schema: &str) -> Config {
        Config {
            listen: String::new(),
            title: String::new(),
            max_records_kept: 1,
            max_keys: 1,
            max_body: 1000,
            max_decoded: 1000,
            max_records: 3,
            schema: Schema::parse(schema).unwrap(),
        }
    }

    fn decoded(schema: &str, bytes: &[u8]) -> Result<DecodedBody, Problem> {
        body(&config(schema), bytes)
    }

    #[test]
    fn a_datum_that_begins_like_a_container_file_is_a_datum() {
        let decoded_body = decoded(LOOKALIKE, b"Obj\x01\x02a").unwrap();
        assert_eq!(decoded_body.format, BodyFormat::Datum);
        assert_eq!(decoded_body.records[0].value["s"], "a");
    }

    #[test]
    fn decodes_a_single_object_and_rejects_one_of_another_schema() {
        let mut bytes = [0xc3, 0x01].to_vec();
        bytes.extend(Schema::parse(LOOKALIKE).unwrap().fingerprint());
        bytes.extend(b"four\x02a");
        let decoded_body = decoded(LOOKALIKE, &bytes).unwrap();
        assert_eq!(decoded_body.format, BodyFormat::Datum);
        assert_eq!(decoded_body.records[0].value["s"], "a");
        assert_eq!(decoded_body.records[0].bytes, 6);
        bytes.pop();
        assert_eq!(decoded(LOOKALIKE, &bytes).unwrap_err().kind().status, 400);
        bytes[5] ^= 1;
        let problem = decoded(LOOKALIKE, &bytes).unwrap_err();
        assert!(problem.detail().contains("fingerprint"), "{problem:?}");
    }

    #[test]
    fn the_problem_of_json_text_says_that_it_is_json() {
        let problem = decoded(LOOKALIKE, b" {\"id\": 1}").unwrap_err();
        assert!(
            problem.detail().starts_with("The body is JSON text"),
            "{problem:?}"
        );
        let problem = decoded(LOOKALIKE, b"{\"id\": 1").unwrap_err();
        assert!(
            problem.detail().starts_with("The body is not"),
            "{problem:?}"
        );
    }
}
