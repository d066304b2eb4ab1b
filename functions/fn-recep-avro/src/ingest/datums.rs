//! The body as data of the schema, every one of them proven in full before any is passed on.

use avro::{Data, DecodeError, Framing, Limits as AvroLimits, Schema, decode};
use runtime::text::{hex, is_json};

use super::intake::Limits;
use super::problem::{Kind, Problem};

/// What a body holds.
#[derive(Debug)]
pub(super) struct Datums<'a> {
    /// One raw datum of the configured schema each, in the caller's order.
    pub(super) data: Data<'a>,
    /// A container file, which is answered with a list however many records it holds.
    pub(super) many: bool,
}

/// Proves what the body holds: a container file, a single-object encoding, or one raw datum, as its first bytes say.
///
/// A raw datum is passed on byte for byte. So is a container's record if the file was written with the configured
/// schema; one written with another that the configured one can read is converted.
pub(super) fn prove<'a>(
    schema: &Schema,
    body: &'a [u8],
    limits: &Limits,
) -> Result<Datums<'a>, Box<Problem>> {
    let framing = Framing::detect(schema, body);
    let bounds = AvroLimits {
        max_decoded: limits.decoded,
        max_records: limits.records,
    };
    match decode(schema, body, framing, &bounds) {
        Ok(data) => Ok(Datums {
            data,
            many: framing == Framing::Container,
        }),
        Err(_) if body.is_empty() => Err(Problem::new(
            Kind::EmptyBody,
            "The body is empty; send one Avro datum, or a container file of them.",
        )),
        Err(error) => Err(problem(schema, body, framing, error)),
    }
}

fn problem(schema: &Schema, body: &[u8], framing: Framing, error: DecodeError) -> Box<Problem> {
    let words = error.to_string();
    match error {
        DecodeError::Malformed {
            block,
            record,
            fault,
        } => {
            let (kind, what) = match framing {
                Framing::Container => (Kind::MalformedContainer, "container file"),
                Framing::Raw | Framing::SingleObject => (Kind::MalformedDatum, "datum"),
            };
            let hint = match framing {
                Framing::Raw if is_json(body) => " The body is JSON text: encode it as Avro first.",
                _ => "",
            };
            let mut problem = Problem::new(
                kind,
                format!("As a {what} of {}: {words}.{hint}", schema.name()),
            )
            .with("reason", fault.reason)
            .with("offset", fault.offset);
            if !fault.path.is_empty() {
                problem = problem.with("path", fault.path);
            }
            placed(problem, block, record)
        }
        DecodeError::UnknownFingerprint { found, expected } => {
            Problem::new(Kind::ForeignSchema, sentence(&words))
                .with("reason", "unknown fingerprint")
                .with("found", hex(&found))
                .with("expected", hex(&expected))
        }
        DecodeError::UnsupportedCodec(codec) => {
            Problem::new(Kind::MalformedContainer, sentence(&words))
                .with("reason", "unsupported codec")
                .with("codec", codec.chars().take(100).collect::<String>())
        }
        DecodeError::IncompatibleSchema {
            block,
            record,
            reason,
        } => placed(
            Problem::new(Kind::ForeignSchema, sentence(&words)).with("reason", reason),
            block,
            record,
        ),
        DecodeError::OverLimit { what, limit } => {
            Problem::new(Kind::BodyTooLarge, sentence(&words))
                .with("reason", format!("more {what} than allowed"))
                .with("limit", limit)
        }
    }
}

/// Block and record count from 1, as in the detail.
fn placed(mut problem: Box<Problem>, block: Option<u64>, record: Option<u64>) -> Box<Problem> {
    if let Some(block) = block {
        problem = problem.with("block", block);
    }
    if let Some(record) = record {
        problem = problem.with("record", record);
    }
    problem
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
