//! The known schemas.

use std::collections::HashMap;
use std::sync::Arc;

use avro::confluent::{self, SchemaHeader};
use avro::{FINGERPRINT_HEADER, Schema, SchemaError};
use runtime::text::hex;

use crate::headers::SchemaHeaders;
use crate::schema_ref::SchemaRef;
use crate::writer_schema::WriterSchema;

/// The maximum number of references that are remembered as unknown.
const MAX_UNKNOWN: usize = 10_000;

/// The maximum number of schemas of the registry that are kept, and the maximum size of their texts, in bytes. The ids come from
/// records. A caller can add a schema again.
const MAX_REGISTERED: usize = 1_000;
const MAX_REGISTERED_BYTES: usize = 64 << 20;

/// The schemas that values may have been written with. Clones share the schemas.
#[derive(Clone, Debug)]
pub struct WriterSchemas {
    reader: Arc<WriterSchema>,
    /// Those that are not the reader's.
    by_fingerprint: HashMap<[u8; 8], Arc<WriterSchema>>,
    registered: HashMap<SchemaRef, Arc<WriterSchema>>,
    /// What the registry does not have, with the reason.
    unknown: HashMap<SchemaRef, String>,
    has_registry: bool,
}

/// What is known about the schema of a value.
#[derive(Debug)]
pub enum Found<'s, 'v> {
    /// The schema, and the datum: the value without its framing. The datum is not validated.
    Known {
        /// The schema.
        schema: &'s Arc<WriterSchema>,
        /// The datum.
        datum: &'v [u8],
    },
    /// Only the registry can have the schema.
    Missing(SchemaRef),
    /// The schema is unknown: the reason, in a sentence. The value must not be decoded.
    Unknown(String),
}

impl WriterSchemas {
    /// The reader's schema, and others that are found by their fingerprints. `has_registry`: whether a schema registry can
    /// be asked for further ones.
    pub fn new(reader: &Schema, others: &[Schema], has_registry: bool) -> Self {
        let of = |schema: &Schema| Arc::new(WriterSchema::new(schema.clone(), reader));
        let others = others
            .iter()
            .filter(|schema| schema.fingerprint() != reader.fingerprint());
        Self {
            reader: of(reader),
            by_fingerprint: others
                .map(|schema| (schema.fingerprint(), of(schema)))
                .collect(),
            registered: HashMap::new(),
            unknown: HashMap::new(),
            has_registry,
        }
    }

    /// Whether a schema registry can be asked for schemas.
    pub fn has_registry(&self) -> bool {
        self.has_registry
    }

    /// The reader's schema.
    pub fn reader(&self) -> &Schema {
        self.reader.schema()
    }

    /// A hash of what else than the reader's schema decides which values can be decoded: the fingerprints of the other
    /// schemas, in any order, and whether there is a registry. 0 if there is nothing else.
    pub fn scope(&self) -> u64 {
        let others = self.by_fingerprint.keys();
        others.fold(u64::from(self.has_registry), |hash, fingerprint| {
            // The product spreads the bits: sums of fingerprints alone could cancel the fingerprint of the routes.
            let spread = u64::from_le_bytes(*fingerprint).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash.wrapping_add(spread)
        })
    }

    /// The schema of a value, and its datum.
    #[inline]
    pub fn find<'s, 'v>(&'s self, value: &'v [u8], headers: &SchemaHeaders) -> Found<'s, 'v> {
        if headers.is_avro_binary
            && let Some(Some(fingerprint)) = headers.fingerprint
        {
            return self.fingerprinted(fingerprint, value);
        }
        if let Some(header @ Some(_)) = headers.registered {
            return self.by_header(header, value);
        }
        if self.has_registry
            && let Some((id, datum)) = confluent::split(value)
            && !self.is_fingerprinted_datum(value, headers)
        {
            return self.registered(SchemaRef::Id(id), datum);
        }
        if headers.registered.is_some() {
            return self.by_header(None, value);
        }
        if let Some((fingerprint, datum)) = avro::split_single_object(value) {
            let found = self.fingerprinted(fingerprint, datum);
            // A raw datum may begin with the same bytes.
            let is_single_object = matches!(found, Found::Known { .. })
                || (headers.fingerprint.is_none() && self.reader().validate(value).is_err());
            if is_single_object {
                return found;
            }
        }
        match headers.fingerprint {
            None => self.raw(value),
            Some(Some(fingerprint)) => self.fingerprinted(fingerprint, value),
            Some(None) => Found::Unknown(format!(
                // The value is not repeated: it may have any length and content.
                "the header {FINGERPRINT_HEADER} is not 16 hex digits"
            )),
        }
    }

    /// Adds a schema of the registry, and returns it with its resolution.
    ///
    /// # Errors
    /// The text is not a valid schema. Then the reference is unknown.
    pub fn add(
        &mut self,
        reference: SchemaRef,
        json: &str,
        references: &[&str],
    ) -> Result<Arc<WriterSchema>, SchemaError> {
        match Schema::parse_writer_with_references(json, references) {
            Ok(schema) => {
                let schema = Arc::new(WriterSchema::new(schema, self.reader()));
                let kept = self.registered.values();
                let bytes: usize = kept.map(|one| one.schema().json().len()).sum();
                if self.registered.len() >= MAX_REGISTERED || bytes > MAX_REGISTERED_BYTES {
                    self.registered.clear();
                }
                self.registered.insert(reference, Arc::clone(&schema));
                self.unknown.remove(&reference);
                Ok(schema)
            }
            Err(error) => {
                let reason = format!("the schema with {reference} is not valid: {error}");
                self.add_unknown(reference, reason);
                Err(error)
            }
        }
    }

    /// Records that the registry does not have a schema, or that it cannot be used, for this reason.
    pub fn add_unknown(&mut self, reference: SchemaRef, reason: String) {
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.clear();
        }
        self.unknown.insert(reference, reason);
    }

    /// Forgets which schemas the registry does not have: they are [`Found::Missing`] again.
    pub fn forget_unknown(&mut self) {
        self.unknown.clear();
    }

    fn raw<'s, 'v>(&'s self, value: &'v [u8]) -> Found<'s, 'v> {
        // A raw datum can begin with a zero byte, too.
        if let Some((id, _)) = confluent::split(value)
            && self.reader().validate(value).is_err()
        {
            return Found::Unknown(format!(
                "the value is not a datum of {}; it begins like a value with a schema id ({id}): set SCHEMA_REGISTRY_URL",
                self.reader().name()
            ));
        }
        Found::Known {
            schema: &self.reader,
            datum: value,
        }
    }

    /// Whether the headers have the fingerprint of a known schema, and the value is a datum of that schema.
    fn is_fingerprinted_datum(&self, value: &[u8], headers: &SchemaHeaders) -> bool {
        let Some(Some(fingerprint)) = headers.fingerprint else {
            return false;
        };
        match self.fingerprinted(fingerprint, value) {
            Found::Known { schema, datum } => schema.schema().validate(datum).is_ok(),
            Found::Missing(_) | Found::Unknown(_) => false,
        }
    }

    fn fingerprinted<'s, 'v>(&'s self, fingerprint: [u8; 8], datum: &'v [u8]) -> Found<'s, 'v> {
        if fingerprint == self.reader().fingerprint() {
            let schema = &self.reader;
            return Found::Known { schema, datum };
        }
        match self.by_fingerprint.get(&fingerprint) {
            Some(schema) => Found::Known { schema, datum },
            None => Found::Unknown(format!(
                "no schema with fingerprint {} is known: AVRO_SCHEMA has {}; add the schema to AVRO_SCHEMAS",
                hex(&fingerprint),
                hex(&self.reader().fingerprint())
            )),
        }
    }

    fn by_header<'s, 'v>(&'s self, header: Option<SchemaHeader>, datum: &'v [u8]) -> Found<'s, 'v> {
        let reference = match header {
            Some(SchemaHeader::Id(id)) => SchemaRef::Id(id),
            Some(SchemaHeader::Guid(guid)) => SchemaRef::Guid(guid),
            None => {
                return Found::Unknown(format!(
                    "the header {} is neither an id nor a GUID",
                    confluent::VALUE_SCHEMA_ID
                ));
            }
        };
        if self.has_registry {
            self.registered(reference, datum)
        } else {
            Found::Unknown(format!(
                "the header {} names the schema with {reference}: set SCHEMA_REGISTRY_URL",
                confluent::VALUE_SCHEMA_ID
            ))
        }
    }

    fn registered<'s, 'v>(&'s self, reference: SchemaRef, datum: &'v [u8]) -> Found<'s, 'v> {
        if let Some(schema) = self.registered.get(&reference) {
            return Found::Known { schema, datum };
        }
        match self.unknown.get(&reference) {
            Some(reason) => Found::Unknown(reason.clone()),
            None => Found::Missing(reference),
        }
    }
}

#[cfg(test)]
mod tests;
