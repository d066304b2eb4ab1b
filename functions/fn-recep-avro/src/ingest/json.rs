//! Encodes the records of a JSON body as Avro.

use std::fmt;

use avro::{Data, JsonError, Mismatch, Schema, parse_json};
use http_server::problem::{BODY_TOO_LARGE, Problem};
use serde::Deserializer;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::limits::RequestLimits;
use super::problems::{EMPTY_BODY, MALFORMED_JSON};

/// The maximum memory of one parsed record, in bytes. Calls parse in turn, so that there is one at a time.
const MAX_PARSED: usize = 64 << 20;

/// The records of a body: their texts, and whether they are a list.
struct Records<'a> {
    texts: Vec<&'a str>,
    is_list: bool,
}

/// Reads the texts of an array's items: all of them, or one more than the maximum.
struct Texts(usize);

impl<'a> Visitor<'a> for Texts {
    type Value = Vec<&'a str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while texts.len() <= self.0
            && let Some(item) = items.next_element::<&RawValue>()?
        {
            texts.push(item.get());
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(texts)
    }
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
            let mut deserializer = serde_json::Deserializer::from_str(text);
            let texts = deserializer
                .deserialize_seq(Texts(limits.max_records))
                .and_then(|texts| deserializer.end().map(|()| texts));
            Records {
                texts: texts.map_err(|error| malformed(&error, None))?,
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
    let lines = lines.filter(|line| !line.is_empty());
    let records = Records {
        // One more than the maximum is enough to reject the body.
        texts: lines.take(limits.max_records.saturating_add(1)).collect(),
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
        let value = parse_json(text.as_bytes(), MAX_PARSED).map_err(|error| match error {
            JsonError::Malformed(error) => malformed(&error, number),
            JsonError::TooLarge { max } => {
                let detail = format!(
                    "The body is too large: {}its values occupy more than {max} bytes. Send it as Avro.",
                    place(number)
                );
                let problem = Problem::new(&BODY_TOO_LARGE, detail).with_member("limit", max);
                with_record(problem, number)
            }
        })?;
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
