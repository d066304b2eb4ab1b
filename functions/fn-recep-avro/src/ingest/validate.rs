//! Validates the datums of a body, all of them before any is published.

use avro::{Data, DecodeError, Framing, Limits as AvroLimits, Schema, decode};
use http_server::problem::{BODY_TOO_LARGE, Problem};
use runtime::text::{hex, is_json};

use super::limits::RequestLimits;
use super::problems::{EMPTY_BODY, MALFORMED_CONTAINER, MALFORMED_DATUM, SCHEMA_MISMATCH};

/// The validated datums of one body.
#[derive(Debug)]
pub(super) struct ValidatedBody<'a> {
    /// Raw datums of the configured schema, in the order of the body.
    pub(super) data: Data<'a>,
    /// Whether the body is a container file. The response to one is a list, however many records it has.
    pub(super) is_container: bool,
}

/// Validates every datum of a body. The first bytes say what the body is: a container file, a single-object encoding
/// or one raw datum.
///
/// A raw datum is kept byte for byte, and so are the records of a container file that was written with the configured
/// schema. Records that were written with another schema are resolved to the configured one.
///
/// # Errors
/// The body is empty, malformed, or larger than a limit, or its schema does not match.
pub(super) fn all<'a>(
    body: &'a [u8],
    schema: &Schema,
    limits: &RequestLimits,
) -> Result<ValidatedBody<'a>, Problem> {
    let framing = Framing::detect(schema, body);
    let avro_limits = AvroLimits {
        max_decoded: limits.max_decoded,
        max_records: limits.max_records,
    };
    match decode(schema, body, framing, &avro_limits) {
        Ok(data) => Ok(ValidatedBody {
            data,
            is_container: framing == Framing::Container,
        }),
        Err(_) if body.is_empty() => Err(Problem::new(
            &EMPTY_BODY,
            "The body is empty. Send one Avro datum or a container file.",
        )),
        Err(error) => Err(problem(schema, body, framing, error)),
    }
}

fn problem(schema: &Schema, body: &[u8], framing: Framing, error: DecodeError) -> Problem {
    let message = error.to_string();
    match error {
        DecodeError::Malformed {
            block,
            record,
            fault,
        } => {
            let (kind, what) = match framing {
                Framing::Container => (&MALFORMED_CONTAINER, "container file"),
                Framing::Raw | Framing::SingleObject => (&MALFORMED_DATUM, "datum"),
            };
            let hint = match framing {
                Framing::Raw if is_json(body) => " The body is JSON text: encode it as Avro first.",
                _ => "",
            };
            let detail = format!(
                "The body is not a valid {what} of {}: {message}.{hint}",
                schema.name()
            );
            let mut problem = Problem::new(kind, detail)
                .with_member("reason", fault.reason)
                .with_member("offset", fault.offset);
            if !fault.path.is_empty() {
                problem = problem.with_member("path", fault.path);
            }
            with_position(problem, block, record)
        }
        DecodeError::UnknownFingerprint { found, expected } => {
            Problem::new(&SCHEMA_MISMATCH, sentence(&message))
                .with_member("reason", "unknown fingerprint")
                .with_member("found", hex(&found))
                .with_member("expected", hex(&expected))
        }
        DecodeError::UnsupportedCodec(codec) => {
            Problem::new(&MALFORMED_CONTAINER, sentence(&message))
                .with_member("reason", "unsupported codec")
                .with_member("codec", codec.chars().take(100).collect::<String>())
        }
        DecodeError::IncompatibleSchema {
            block,
            record,
            reason,
        } => with_position(
            Problem::new(&SCHEMA_MISMATCH, sentence(&message)).with_member("reason", reason),
            block,
            record,
        ),
        DecodeError::OverLimit { what, limit } => Problem::new(&BODY_TOO_LARGE, sentence(&message))
            .with_member("reason", format!("more {what} than allowed"))
            .with_member("limit", limit),
    }
}

/// Adds the numbers of the block and of the record. Both count from 1, as in the detail.
fn with_position(mut problem: Problem, block: Option<u64>, record: Option<u64>) -> Problem {
    if let Some(block) = block {
        problem = problem.with_member("block", block);
    }
    if let Some(record) = record {
        problem = problem.with_member("record", record);
    }
    problem
}

/// The message with a capital letter and a full stop.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
