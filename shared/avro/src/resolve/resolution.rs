//! The resolution of a writer's schema to a reader's schema.

use std::sync::Arc;

use super::apply::append;
use super::fault::ResolveFault;
use super::identity::is_identity;
use super::plan::plan;
use super::steps::Plan;
use crate::{Schema, SchemaError, validate};

/// Converts datums of a writer's schema to a reader's schema; cheap to clone.
///
/// ```
/// use avro::{Resolution, Schema};
///
/// let writer = Schema::parse_writer(
///     r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"int"}]}"#,
/// )?;
/// let reader = Schema::parse(
///     r#"{"type":"record","name":"Order","fields":[
///         {"name":"id","type":"double"},{"name":"country","type":"string","default":"PT"}]}"#,
/// )?;
/// let resolution = Resolution::new(&writer, &reader)?;
/// let mut datum = Vec::new();
/// resolution.apply(&[14], &mut datum, 1_000)?;
/// assert_eq!(reader.to_json(&datum)?, serde_json::json!({"id": 7.0, "country": "PT"}));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resolution(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Schema,
    /// `None` if every datum of the writer is the reader's datum.
    plan: Option<Plan>,
}

impl Resolution {
    /// Plans the conversion. Schemas of the same canonical form need none, and aliases in them are ignored.
    ///
    /// # Errors
    /// The schemas are incompatible: in which field, which types, and why. The message quotes names of the writer's schema,
    /// which may be long and have any characters.
    pub fn new(writer: &Schema, reader: &Schema) -> Result<Self, SchemaError> {
        let plan = match writer.canonical_form() == reader.canonical_form() {
            true => None,
            false => {
                let plan = plan(writer.graph(), reader.graph()).map_err(SchemaError)?;
                (!is_identity(&plan)).then_some(plan)
            }
        };
        Ok(Self(Arc::new(Inner {
            writer: writer.clone(),
            plan,
        })))
    }

    /// The writer's schema.
    pub fn writer(&self) -> &Schema {
        &self.0.writer
    }

    /// Whether every datum of the writer's schema is, byte for byte, the reader's datum. Then a datum of the writer only has
    /// to be validated with [`writer`](Self::writer).
    pub fn is_identity(&self) -> bool {
        self.0.plan.is_none()
    }

    /// Validates bytes as exactly one datum of the writer's schema, and replaces the content of `out` with the reader's datum
    /// of at most `max` bytes. The bytes may come from anyone. After an error the content of `out` is not specified.
    ///
    /// # Errors
    /// See [`ResolveFault`].
    pub fn apply(&self, datum: &[u8], out: &mut Vec<u8>, max: usize) -> Result<(), ResolveFault> {
        out.clear();
        self.0.writer.validate(datum)?;
        self.append(datum, out, max)
    }

    /// Validates a datum of the writer's schema that begins at `start`. Returns the offset of its end.
    pub(crate) fn validate_prefix(
        &self,
        bytes: &[u8],
        start: usize,
    ) -> Result<usize, crate::Fault> {
        validate::prefix(self.0.writer.program(), bytes, start)
    }

    /// Appends the reader's datum of a validated datum. `out` has at most `max` bytes afterwards.
    pub(crate) fn append(
        &self,
        datum: &[u8],
        out: &mut Vec<u8>,
        max: usize,
    ) -> Result<(), ResolveFault> {
        match &self.0.plan {
            Some(plan) => append(plan, self.0.writer.graph(), datum, out, max),
            None if datum.len() > max.saturating_sub(out.len()) => {
                Err(ResolveFault::TooLong { max })
            }
            None => {
                out.extend_from_slice(datum);
                Ok(())
            }
        }
    }
}
