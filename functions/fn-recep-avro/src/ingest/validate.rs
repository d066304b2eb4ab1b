//! Validates the datums of a body, all of them before any is published.

use avro::{Data, DecodeError, Fault, Framing, Limits as AvroLimits, Schema, confluent, decode};
use http_server::problem::{BODY_TOO_LARGE, Problem};
use runtime::text::{hex, is_json};
use writer_schemas::{Found, ResolveError, SchemaHeaders, WriterSchemas};

use super::decode::BodyFormat;
use super::json;
use super::limits::RequestLimits;
use super::problems::{
    EMPTY_BODY, MALFORMED_CONTAINER, MALFORMED_DATUM, SCHEMA_MISMATCH, UNKNOWN_SCHEMA,
};

/// The validated datums of one body.
#[derive(Debug)]
pub(super) struct ValidatedBody<'a> {
    /// Raw datums of the configured schema, in the order of the body.
    pub(super) data: Data<'a>,
    /// Whether the body is a list of records: a container file, a JSON array or JSON lines. The response to one is a list,
    /// however many records it has.
    pub(super) is_list: bool,
    pub(super) origin: Origin,
}

/// What the datums were made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// One datum after the id of its schema in the registry.
    Framed(u32),
    /// One datum in the single-object encoding.
    SingleObject,
    /// Anything else.
    Other,
}

/// Validates every datum of a body. Its content type says whether it is JSON. The first bytes of an Avro body say what it
/// is: a container file, a datum after an id of the schema registry, a single-object encoding, or one raw datum.
///
/// A raw datum is kept byte for byte, and so are the records of a container file that was written with the configured
/// schema. Datums that were written with another schema are resolved to the configured one.
///
/// # Errors
/// The body is empty, malformed, or larger than a limit, or its schema does not match.
pub(super) fn all<'a>(
    body: &'a [u8],
    format: BodyFormat,
    schemas: &WriterSchemas,
    limits: &RequestLimits,
) -> Result<ValidatedBody<'a>, Problem> {
    let schema = schemas.reader();
    match format {
        BodyFormat::Avro => avro(body, schemas, limits),
        BodyFormat::Json => {
            let (data, is_list) = json::encode(body, schema, limits)?;
            Ok(ValidatedBody {
                data,
                is_list,
                origin: Origin::Other,
            })
        }
        BodyFormat::NdJson => Ok(ValidatedBody {
            data: json::encode_lines(body, schema, limits)?,
            is_list: true,
            origin: Origin::Other,
        }),
    }
}

fn avro<'a>(
    body: &'a [u8],
    schemas: &WriterSchemas,
    limits: &RequestLimits,
) -> Result<ValidatedBody<'a>, Problem> {
    let schema = schemas.reader();
    if let Some(body) = written(body, schemas)? {
        return Ok(body);
    }
    let framing = Framing::detect(schema, body);
    let avro_limits = AvroLimits {
        max_decoded: limits.max_decoded,
        max_records: limits.max_records,
    };
    match decode(schema, body, framing, &avro_limits) {
        Ok(data) => Ok(ValidatedBody {
            data,
            is_list: framing == Framing::Container,
            origin: match framing {
                Framing::SingleObject => Origin::SingleObject,
                Framing::Raw | Framing::Container => Origin::Other,
            },
        }),
        Err(_) if body.is_empty() => Err(Problem::new(
            &EMPTY_BODY,
            "The body is empty. Send one Avro datum or a container file.",
        )),
        Err(error) => Err(problem(schema, body, framing, error)),
    }
}

/// The datum of a body that names its schema: by the registry's id, or by the fingerprint of one of `AVRO_SCHEMAS`.
/// `None`: the body names no such schema.
fn written<'a>(
    body: &'a [u8],
    schemas: &WriterSchemas,
) -> Result<Option<ValidatedBody<'a>>, Problem> {
    let id = match schemas.has_registry() {
        true => confluent::split(body).map(|(id, _)| id),
        false => None,
    };
    let unknown = |reason: &str| {
        // A raw datum may begin like a framed one.
        if schemas.reader().validate(body).is_ok() {
            return Ok(None);
        }
        let detail = format!("The body begins with the id of a schema: {reason}.");
        Err(Problem::new(&UNKNOWN_SCHEMA, detail).with_member("schema_id", id))
    };
    let (schema, datum) = match schemas.find(body, &SchemaHeaders::default()) {
        Found::Known { schema, datum } if datum.len() < body.len() => (schema, datum),
        Found::Missing(reference) => {
            return unknown(&format!(
                "the schema registry has no schema with {reference}"
            ));
        }
        Found::Unknown(reason) if id.is_some() => return unknown(&reason),
        _ => return Ok(None),
    };
    let header = body.len() - datum.len();
    let malformed = |fault: Fault| {
        let offset = header + fault.offset;
        let fault = Fault { offset, ..fault };
        let error = DecodeError::Malformed {
            block: None,
            record: None,
            fault,
        };
        problem(schema.schema(), body, Framing::SingleObject, error)
    };
    let mut resolved = Vec::new();
    let data = match schema.resolve(datum, &mut resolved) {
        Ok(unchanged) if std::ptr::eq(unchanged, datum) => {
            schema.schema().validate(datum).map_err(malformed)?;
            Data::single(datum)
        }
        Ok(_) => Data::resolved(resolved),
        Err(ResolveError::Malformed(fault)) => return Err(malformed(fault)),
        Err(ResolveError::Incompatible(reason)) => {
            let detail = format!(
                "The body was written with {}, which cannot be resolved to the configured schema: {reason}.",
                schema.schema().name()
            );
            return Err(Problem::new(&SCHEMA_MISMATCH, detail).with_member("reason", reason));
        }
    };
    Ok(Some(ValidatedBody {
        data,
        is_list: false,
        origin: id.map_or(Origin::SingleObject, Origin::Framed),
    }))
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
                Framing::Raw if is_json(body) => {
                    " The body is JSON text: send it with Content-Type: application/json."
                }
                Framing::Raw if confluent::split(body).is_some() => {
                    " If it begins with the id of a schema registry, set SCHEMA_REGISTRY_URL."
                }
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
