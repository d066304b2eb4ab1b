//! Settings → what the door needs, all of it checked before the first connection.

use crate::settings::{CONNECTIONS_MAX_IDLE, KAFKA_KEY_FIELD, PUBLISH_TIMEOUT};
use avro::Schema;
use http_server::settings::{MAX_BODY, MAX_DECODED, MAX_RECORDS};
use kafka::config::KafkaSettings;
use rdkafka::error::KafkaResult;
use settings::common::AVRO_SCHEMA;
use settings::{SettingError, Settings, Source};

use super::envelope::Stamp;
use super::intake::Limits;
use super::publisher::PublisherConfig;

/// Everything that the door is made of.
#[derive(Debug)]
pub struct Config {
    pub(super) limits: Limits,
    pub(super) schema: Schema,
    pub(super) stamp: Stamp,
    pub(super) publisher: PublisherConfig,
}

impl Config {
    /// Reads and checks the settings of the door.
    ///
    /// # Errors
    /// A setting is missing, malformed, contradicts another, or the schema is not one.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let kafka = KafkaSettings::from_settings(settings)?;
        let limits = Limits {
            body: settings.bytes(&MAX_BODY)?,
            decoded: settings.bytes(&MAX_DECODED)?,
            records: settings.number(&MAX_RECORDS)?,
        };
        let schema =
            settings.parsed_document(&AVRO_SCHEMA, avro::BUILT_IN_SCHEMA, Schema::parse)?;
        let stamp = stamp(settings, &schema)?;
        let publisher = PublisherConfig {
            kafka,
            timeout: settings.duration(&PUBLISH_TIMEOUT)?,
            max_idle: settings.duration(&CONNECTIONS_MAX_IDLE)?,
        };
        Ok(Self {
            limits,
            schema,
            stamp,
            publisher,
        })
    }
}

impl Config {
    /// What the Kafka client is given, by librdkafka's names, with secrets redacted.
    ///
    /// # Errors
    /// librdkafka refuses a value.
    pub fn client_listing(&self) -> KafkaResult<Vec<(String, String)>> {
        let kafka = &self.publisher.kafka;
        kafka.listing(&kafka.producer_within(self.publisher.timeout))
    }
}

/// The default key field need not exist in a schema of the user's own: then messages have no key. One that was asked
/// for must.
fn stamp(settings: &Settings, schema: &Schema) -> Result<Stamp, SettingError> {
    let asked_for = settings
        .source(&KAFKA_KEY_FIELD)
        .is_some_and(|source| source != Source::Default);
    let field = settings.optional(&KAFKA_KEY_FIELD);
    match Stamp::new(schema, field) {
        Err(_) if !asked_for => Stamp::new(schema, None),
        stamp => stamp,
    }
    .map_err(|error| {
        SettingError::Contradiction(format!(
            "KAFKA_KEY_FIELD does not fit the Avro schema {}: {error}",
            schema.name()
        ))
    })
}
