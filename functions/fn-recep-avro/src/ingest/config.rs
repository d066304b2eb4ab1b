//! The configuration of the ingest function: settings, read and checked before the first connection.

use std::sync::Arc;

use crate::metrics::IngestMetrics;
use crate::settings::{
    CONNECTIONS_MAX_IDLE, KAFKA_HEADERS, KAFKA_KEY, KAFKA_TIMESTAMP, MAX_MESSAGE, METRICS_TOKEN,
    PUBLISH_TIMEOUT, SCHEMA_REGISTRY_AUTO_REGISTER, STORE_AS,
};
use avro::Schema;
use caller_auth::CallerAuth;
use http_server::settings::{MAX_BODY, MAX_DECODED, MAX_RECORDS};
use kafka::config::{KafkaSettings, MAX_BATCH_BYTES, OCI_MAX_MESSAGE_BYTES, Profile};
use kafka::listing::ListedProperty;
use rdkafka::error::KafkaResult;
use schema_registry::{RegistryConfig, SubjectNameStrategy};
use settings::common::{AVRO_SCHEMA, AVRO_SCHEMAS};
use settings::{SettingError, Settings, Source};
use telemetry::Telemetry;
use writer_schemas::WriterSchemas;

use super::IngestFunction;
use super::envelope::{CallerHeaders, Envelope};
use super::limits::RequestLimits;
use super::publisher::PublisherConfig;
use super::schemas::RegistrySource;
use super::store::StoreAs;

/// What an [`IngestFunction`] is made of.
pub struct Config {
    pub(super) callers: CallerAuth,
    pub(super) metrics_callers: CallerAuth,
    pub(super) metrics: Option<Arc<IngestMetrics>>,
    pub(super) limits: RequestLimits,
    pub(super) schemas: WriterSchemas,
    pub(super) registry: Option<RegistrySource>,
    pub(super) store_as: StoreAs,
    pub(super) envelope: Envelope,
    pub(super) publisher: PublisherConfig,
    pub(super) telemetry: Telemetry,
}

impl Config {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// A setting is missing, malformed or contradicts another, or the schema is invalid.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let callers = CallerAuth::from_settings(settings)?;
        let metrics_callers = CallerAuth::with_tokens_of(settings, &METRICS_TOKEN)?;
        let kafka = KafkaSettings::from_settings(settings)?;
        let limits = RequestLimits {
            max_body: settings.bytes(&MAX_BODY)?,
            max_decoded: settings.bytes(&MAX_DECODED)?,
            max_records: settings.number(&MAX_RECORDS)?,
        };
        let schema =
            settings.parsed_document(&AVRO_SCHEMA, avro::BUILT_IN_SCHEMA, Schema::parse)?;
        let others = settings.parsed_documents(&AVRO_SCHEMAS, Schema::parse_writer)?;
        let others: Vec<Schema> = others.into_iter().map(|(_, schema)| schema).collect();
        let envelope = envelope(settings, &schema)?;
        let registry = registry(settings, &kafka.topic, schema.name())?;
        let schemas = WriterSchemas::new(&schema, &others, registry.is_some());
        let store_as = store_as(settings, registry.is_some())?;
        let max_message = max_message(settings, &kafka)?;
        let publisher = PublisherConfig {
            kafka,
            timeout: settings.positive_duration(&PUBLISH_TIMEOUT)?,
            max_idle: settings.positive_duration(&CONNECTIONS_MAX_IDLE)?,
            max_message,
        };
        Ok(Self {
            callers,
            metrics_callers,
            metrics: None,
            limits,
            schemas,
            registry,
            store_as,
            envelope,
            publisher,
            telemetry: Telemetry::default(),
        })
    }

    /// Records the spans of requests.
    pub fn set_telemetry(&mut self, telemetry: Telemetry) {
        self.telemetry = telemetry;
    }

    /// Lets the function count and measure. Without this it does not.
    #[must_use]
    pub fn with_metrics(self, metrics: Option<Arc<IngestMetrics>>) -> Self {
        Self { metrics, ..self }
    }

    /// Keeps the keys for tokens that the previous function has fetched.
    pub fn keep_keys(&mut self, previous: &IngestFunction) {
        self.callers.keep_keys(&previous.callers);
    }

    /// The properties of the Kafka client, by librdkafka's names, with their sources.
    ///
    /// # Errors
    /// librdkafka rejects a value.
    pub fn client_listing(&self) -> KafkaResult<Vec<ListedProperty>> {
        let kafka = &self.publisher.kafka;
        let publisher = &self.publisher;
        kafka.listing(&kafka.producer_within(publisher.timeout, MAX_BATCH_BYTES))
    }
}

fn registry(
    settings: &Settings,
    topic: &str,
    name: &str,
) -> Result<Option<RegistrySource>, SettingError> {
    let strategy = SubjectNameStrategy::from_settings(settings)?;
    let auto_register = settings.choice(
        &SCHEMA_REGISTRY_AUTO_REGISTER,
        &[("true", true), ("false", false)],
        "true or false",
    )?;
    let client = RegistryConfig::from_settings(settings)?;
    Ok(client.map(|client| RegistrySource {
        client,
        subject: strategy.subject(topic, name),
        auto_register,
    }))
}

fn store_as(settings: &Settings, has_registry: bool) -> Result<StoreAs, SettingError> {
    let store_as = settings.choice(
        &STORE_AS,
        &[
            ("datum", StoreAs::Datum),
            ("confluent", StoreAs::Confluent),
            ("received", StoreAs::Received),
        ],
        "datum, confluent or received",
    )?;
    if store_as == StoreAs::Confluent && !has_registry {
        return Err(SettingError::Contradiction(
            "STORE_AS is confluent, which needs the ids of a schema registry: set SCHEMA_REGISTRY_URL"
                .to_owned(),
        ));
    }
    Ok(store_as)
}

/// `MAX_MESSAGE`, within the limits of librdkafka's `message.max.bytes` and of OCI Streaming.
fn max_message(settings: &Settings, kafka: &KafkaSettings) -> Result<Option<usize>, SettingError> {
    if settings.optional(&MAX_MESSAGE).is_none() {
        return Ok(None);
    }
    let bytes = settings.bytes(&MAX_MESSAGE)?;
    if kafka.profile == Profile::OciStreaming && bytes > OCI_MAX_MESSAGE_BYTES {
        return Err(SettingError::Contradiction(format!(
            "MAX_MESSAGE is {bytes} bytes, and OCI Streaming accepts {OCI_MAX_MESSAGE_BYTES}"
        )));
    }
    if !(1_000..=1_000_000_000).contains(&bytes) {
        return Err(SettingError::Contradiction(format!(
            "MAX_MESSAGE is {bytes} bytes, expected 1kB to 1GB"
        )));
    }
    Ok(Some(bytes))
}

/// A schema need not have the default key: then messages have no key. A key that is set must fit the schema.
fn envelope(settings: &Settings, schema: &Schema) -> Result<Envelope, SettingError> {
    let invalid = |name: &str, error: &dyn std::fmt::Display| {
        SettingError::Contradiction(format!(
            "{name} does not fit the Avro schema {}: {error}",
            schema.name()
        ))
    };
    let mut envelope = Envelope::new(schema);
    if let Some(text) = settings.optional(&KAFKA_KEY) {
        let is_default = settings.source(&KAFKA_KEY) == Some(Source::Default);
        match envelope.set_key(schema, text) {
            Err(error) if !is_default => return Err(invalid("KAFKA_KEY", &error)),
            _ => {}
        }
    }
    if let Some(text) = settings.optional(&KAFKA_TIMESTAMP) {
        let set = envelope.set_timestamp(text);
        set.map_err(|error| invalid("KAFKA_TIMESTAMP", &error))?;
    }
    if let Some(text) = settings.optional(&KAFKA_HEADERS) {
        let headers = CallerHeaders::parse(text);
        let invalid = |error| SettingError::Contradiction(format!("KAFKA_HEADERS: {error}"));
        envelope.set_caller_headers(headers.map_err(invalid)?);
    }
    Ok(envelope)
}
