//! The endpoint's settings, read and checked before the first connection.

use crate::settings::{API_MAX_KEYS, API_MAX_RECORDS, API_TITLE};
use avro::Schema;
use http_server::settings::{LISTEN, MAX_BODY, MAX_DECODED, MAX_RECORDS};
use settings::common::AVRO_SCHEMA;
use settings::{SettingError, Settings};

/// What one endpoint is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port` to listen on; port 0 takes a free one. `listen`
    pub listen: String,
    /// The name in log lines, answers and on the page. `api_title`
    pub title: String,
    /// How many of the last records are shown. `api_max_records`
    pub keep: usize,
    /// How many idempotency keys are remembered. `api_max_keys`
    pub keys: usize,
    /// The largest request body, in bytes. `max_body`
    pub max_body: usize,
    /// The largest container after its codec is undone, in bytes. `max_decoded`
    pub max_decoded: usize,
    /// The most records of one container file. `max_records`
    pub max_records: usize,
    /// What a record is. `avro_schema`
    pub schema: Schema,
}

impl Config {
    /// Reads and checks them all.
    ///
    /// # Errors
    /// A setting is malformed, or the schema is none; the sentence names the setting.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        Ok(Self {
            listen: settings.required(&LISTEN)?.to_owned(),
            title: settings.required(&API_TITLE)?.to_owned(),
            keep: settings.parsed(&API_MAX_RECORDS, up_to(10_000), "a number from 1 to 10000")?,
            keys: settings.parsed(
                &API_MAX_KEYS,
                up_to(10_000_000),
                "a number from 1 to 10000000",
            )?,
            max_body: settings.bytes(&MAX_BODY)?,
            max_decoded: settings.bytes(&MAX_DECODED)?,
            max_records: settings.number(&MAX_RECORDS)?,
            schema: settings.parsed_document(&AVRO_SCHEMA, avro::BUILT_IN_SCHEMA, Schema::parse)?,
        })
    }
}

fn up_to(most: usize) -> impl Fn(&str) -> Option<usize> {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| (1..=most).contains(number))
    }
}
