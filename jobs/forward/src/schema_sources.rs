//! The schemas of a run: `AVRO_SCHEMA`, those of `AVRO_SCHEMAS`, and those of the registry.

use avro::Schema;
use kafka::settings::KAFKA_TOPIC;
use schema_registry::{RegisteredSchema, RegistryConfig, RegistryError, SubjectNameStrategy};
use settings::common::{AVRO_SCHEMA, AVRO_SCHEMAS};
use settings::{SettingError, Settings};
use writer_schemas::{SchemaRef, WriterSchemas};

use crate::schema_fetcher::SchemaFetcher;

/// The schemas of a run.
pub struct SchemaSources {
    /// The schemas that are known without the registry, and those that it has already returned.
    pub schemas: WriterSchemas,
    /// The registry, if there is one.
    pub registry: Option<SchemaFetcher>,
    /// The subject of the topic's values in the registry.
    subject: String,
}

/// The schemas cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaSourceError {
    /// A setting or a document is invalid.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The client of the registry cannot be started.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl SchemaSources {
    /// Parses the schemas of the settings, and starts the client of the registry. Sends no request.
    ///
    /// # Errors
    /// A schema or a setting of the registry is invalid.
    pub fn from_settings(settings: &Settings) -> Result<Self, SchemaSourceError> {
        let reader =
            settings.parsed_document(&AVRO_SCHEMA, avro::BUILT_IN_SCHEMA, Schema::parse)?;
        let others = settings.parsed_documents(&AVRO_SCHEMAS, Schema::parse_writer)?;
        let others: Vec<Schema> = others.into_iter().map(|(_, schema)| schema).collect();
        let registry = RegistryConfig::from_settings(settings)?;
        let strategy = SubjectNameStrategy::from_settings(settings)?;
        Ok(Self {
            schemas: WriterSchemas::new(&reader, &others, registry.is_some()),
            registry: registry
                .map(|config| SchemaFetcher::start(&config))
                .transpose()?,
            subject: strategy.subject(settings.required(&KAFKA_TOPIC)?, reader.name()),
        })
    }

    /// Reads all versions of the subject, so that no record waits for them. Logs a warning for each version whose records
    /// cannot be read. Returns the versions that can be read, oldest first, each with a label: none without a registry, or if
    /// it has no such subject.
    ///
    /// # Errors
    /// The registry did not answer. The schemas are then requested when records need them.
    pub fn read_versions(&mut self) -> Result<Vec<(String, Schema)>, RegistryError> {
        let Some(registry) = &self.registry else {
            return Ok(Vec::new());
        };
        let versions = match registry.versions(&self.subject) {
            Err(RegistryError::Unknown { .. }) => Vec::new(),
            result => result?,
        };
        Ok(versions
            .iter()
            .filter_map(|version| self.add(version))
            .collect())
    }

    fn add(&mut self, version: &RegisteredSchema) -> Option<(String, Schema)> {
        let id = version.id?;
        let label = match version.version {
            Some(number) => format!("version {number} (id {id}) of {}", self.subject),
            None => format!("id {id} of {}", self.subject),
        };
        let references: Vec<&str> = version.references.iter().map(String::as_str).collect();
        match self
            .schemas
            .add(SchemaRef::Id(id), &version.json, &references)
        {
            Ok(schema) => match schema.incompatibility() {
                Some(reason) => {
                    tracing::warn!("records of {label} cannot be read with AVRO_SCHEMA: {reason}");
                    None
                }
                None => Some((label, schema.schema().clone())),
            },
            Err(error) => {
                tracing::warn!("{label} is not a valid schema: {error}");
                None
            }
        }
    }
}
