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
    /// The schemas of `AVRO_SCHEMAS`.
    others: Versions,
    /// The subject of the topic's values in the registry.
    pub subject: String,
}

/// Versions of a schema, oldest first, each with a label for people.
pub type Versions = Vec<(String, Schema)>;

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
        let registry = RegistryConfig::from_settings(settings)?;
        let registry = registry.map(|config| SchemaFetcher::start(&config));
        Self::with(settings, registry.transpose()?)
    }

    /// As [`SchemaSources::from_settings`], without the registry.
    ///
    /// # Errors
    /// A schema is invalid.
    pub fn offline(settings: &Settings) -> Result<Self, SchemaSourceError> {
        Self::with(settings, None)
    }

    fn with(
        settings: &Settings,
        registry: Option<SchemaFetcher>,
    ) -> Result<Self, SchemaSourceError> {
        let reader =
            settings.parsed_document(&AVRO_SCHEMA, avro::BUILT_IN_SCHEMA, Schema::parse)?;
        let others = settings.parsed_documents(&AVRO_SCHEMAS, Schema::parse_writer)?;
        let schemas: Vec<Schema> = others.iter().map(|(_, schema)| schema.clone()).collect();
        let strategy = SubjectNameStrategy::from_settings(settings)?;
        Ok(Self {
            schemas: WriterSchemas::new(&reader, &schemas, registry.is_some()),
            others,
            registry,
            subject: strategy.subject(settings.required(&KAFKA_TOPIC)?, reader.name()),
        })
    }

    /// The versions of the schema, oldest first, each with a label: those of `AVRO_SCHEMAS` in their order, then those of the
    /// subject in the registry. The latter are read here, so that no record waits for them.
    ///
    /// # Errors
    /// The registry did not answer. Its schemas are then requested when records need them.
    pub fn read_versions(&mut self) -> Result<Versions, RegistryError> {
        let mut versions = self.others.clone();
        let Some(registry) = &self.registry else {
            return Ok(versions);
        };
        let registered = match registry.versions(&self.subject) {
            Err(RegistryError::Unknown { .. }) => Vec::new(),
            result => result?,
        };
        versions.extend(registered.iter().filter_map(|version| self.add(version)));
        Ok(versions)
    }

    /// `None`: the schema is not valid.
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
            Ok(schema) => Some((label, schema.schema().clone())),
            Err(error) => {
                tracing::warn!("{label} is not a valid schema: {error}");
                None
            }
        }
    }
}
