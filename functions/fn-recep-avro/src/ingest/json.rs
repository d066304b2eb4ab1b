//! Encodes the records of a JSON body as Avro.

use avro::{Data, Mismatch, Schema, parse_json};
use http_server::problem::{BODY_TOO_LARGE, Problem};
use serde_json::Value;
use serde_json::value::RawValue;

use super::limits::RequestLimits;
use super::problems::{EMPTY_BODY, MALFORMED_JSON};

/// The memory that parsed JSON occupies at most, for each byte of its text: an array of single digits.
pub(super) const PARSED_SIZE: usize = 2 + size_of::<Value>() / 2;

/// The records of a body: their texts, and whether they are a list.
struct Records<'a> {
    texts: Vec<&'a str>,
    is_list: bool,
}

/// Encodes one record, or each record of an array. Returns the datums, and whether the body is an array.
///
/// # Errors
/// The body is not JSON, a record does not fit the schema, or a limit is exceeded.
pub(super) fn encode(
    body: &[u8],
    schema: &Schema,
    limits: &RequestLimits,
) -> Result<(Data<'static>, bool), Problem> {
    let text = text(body)?;
    let records = match text.starts_with('[') && !is_array(schema) {
        true => {
            let records: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| malformed(&error, None))?;
            Records {
                texts: records.into_iter().map(RawValue::get).collect(),
                is_list: true,
            }
        }
        false => Records {
            texts: vec![text],
            is_list: false,
        },
    };
    Ok((data(&records, schema, limits)?, records.is_list))
}

/// Encodes a record in each line. Empty lines are skipped.
///
/// # Errors
/// As [`encode`].
pub(super) fn encode_lines(
    body: &[u8],
    schema: &Schema,
    limits: &RequestLimits,
) -> Result<Data<'static>, Problem> {
    let lines = text(body)?.lines().map(str::trim);
    let records = Records {
        texts: lines.filter(|line| !line.is_empty()).collect(),
        is_list: true,
    };
    data(&records, schema, limits)
}

fn data(
    records: &Records<'_>,
    schema: &Schema,
    limits: &RequestLimits,
) -> Result<Data<'static>, Problem> {
    let over = |what: &str, limit: usize, setting: &str| {
        let detail = format!("The body holds more than {limit} {what} ({setting}).");
        Problem::new(&BODY_TOO_LARGE, detail).with_member("limit", limit)
    };
    if records.texts.len() > limits.max_records {
        return Err(over("records", limits.max_records, "MAX_RECORDS"));
    }
    let mut data = Data::default();
    for (number, text) in (1u64..).zip(&records.texts) {
        let number = records.is_list.then_some(number);
        let value = parse_json(text.as_bytes()).map_err(|error| malformed(&error, number))?;
        data.push_json(schema, &value)
            .map_err(|error| mismatch(schema, error, number))?;
        if data.buffered() > limits.max_decoded {
            return Err(over("bytes of Avro", limits.max_decoded, "MAX_DECODED"));
        }
    }
    Ok(data)
}

/// The text of the body, without white space around it.
fn text(body: &[u8]) -> Result<&str, Problem> {
    // RFC 8259, section 8.1: a parser may ignore a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        let detail = format!("The body is not JSON: {error}.");
        Problem::new(&MALFORMED_JSON, detail)
            .with_member("reason", "the text is not UTF-8")
            .with_member("offset", error.valid_up_to())
    })?;
    match text.trim() {
        "" => Err(Problem::new(
            &EMPTY_BODY,
            "The body is empty. Send one JSON object, an array of them, or one in each line.",
        )),
        text => Ok(text),
    }
}

/// An array of such a schema is one record.
fn is_array(schema: &Schema) -> bool {
    matches!(schema.root().kind(), avro::SchemaType::Array(_))
}

fn malformed(error: &serde_json::Error, record: Option<u64>) -> Problem {
    let place = place(record);
    let detail = format!("The body is not JSON: {place}{error}.");
    with_record(
        Problem::new(&MALFORMED_JSON, detail).with_member("reason", error.to_string()),
        record,
    )
}

fn mismatch(schema: &Schema, error: Mismatch, record: Option<u64>) -> Problem {
    let place = place(record);
    let detail = format!("The body does not fit {}: {place}{error}.", schema.name());
    let reason = format!("expected {}, found {}", error.expected, error.found);
    let mut problem = Problem::new(&MALFORMED_JSON, detail).with_member("reason", reason);
    if !error.path.is_empty() {
        problem = problem.with_member("path", error.path);
    }
    with_record(problem, record)
}

fn place(record: Option<u64>) -> String {
    record.map_or(String::new(), |record| format!("record {record}: "))
}

fn with_record(problem: Problem, record: Option<u64>) -> Problem {
    match record {
        Some(record) => problem.with_member("record", record),
        None => problem,
    }
}
