//! A schema with its resolution to the reader's.

use avro::{Fault, Resolution, ResolveFault, Schema};

/// The maximum size of a resolved datum, in bytes. Defaults can make it larger than the written one.
pub const MAX_RESOLVED: usize = 64 << 20;

/// The schema of a writer, with its resolution to the reader's schema.
#[derive(Clone, Debug)]
pub struct WriterSchema {
    schema: Schema,
    /// The message is the reason why the schemas are incompatible.
    resolution: Result<Resolution, String>,
    /// Whether the schema has the reader's canonical form.
    is_reader: bool,
}

/// Why a datum has no value of the reader's schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The bytes are not exactly one datum of the writer's schema.
    #[error(transparent)]
    Malformed(#[from] Fault),
    /// The reader's schema does not allow the value, or any value of the writer's schema.
    #[error("{0}")]
    Incompatible(String),
}

impl WriterSchema {
    pub(crate) fn new(schema: Schema, reader: &Schema) -> Self {
        Self {
            resolution: Resolution::new(&schema, reader).map_err(|error| error.to_string()),
            is_reader: schema.canonical_form() == reader.canonical_form(),
            schema,
        }
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether the schema is the reader's. Then [`WriterSchema::resolve`] returns the datum without validation.
    pub fn is_reader(&self) -> bool {
        self.is_reader
    }

    /// Why no datum can be resolved; `None` if the schemas are compatible.
    pub fn incompatibility(&self) -> Option<&str> {
        self.resolution.as_ref().err().map(String::as_str)
    }

    /// The datum in the reader's schema: `datum` itself if the bytes are the same, or else the content of `resolved`.
    ///
    /// The datum is validated with the writer's schema, unless this [is the reader's](Self::is_reader).
    ///
    /// # Errors
    /// The bytes are not exactly one datum, or the reader's schema does not allow the value.
    #[inline]
    pub fn resolve<'a>(
        &self,
        datum: &'a [u8],
        resolved: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], ResolveError> {
        if self.is_reader {
            return Ok(datum);
        }
        let resolution = match &self.resolution {
            Ok(resolution) => resolution,
            Err(reason) => return Err(ResolveError::Incompatible(reason.clone())),
        };
        if resolution.is_identity() {
            self.schema.validate(datum)?;
            return Ok(datum);
        }
        match resolution.apply(datum, resolved, MAX_RESOLVED) {
            Ok(()) => Ok(resolved),
            Err(ResolveFault::Malformed(fault)) => Err(fault.into()),
            Err(error) => Err(ResolveError::Incompatible(error.to_string())),
        }
    }
}
