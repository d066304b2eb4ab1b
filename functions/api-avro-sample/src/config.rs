//! The configuration of the endpoint: settings, read and checked before the first connection.

use crate::settings::{API_MAX_KEYS, API_MAX_RECORDS, API_TITLE};
use avro::Schema;
use http_server::settings::{LISTEN, MAX_BODY, MAX_DECODED, MAX_RECORDS};
use settings::common::AVRO_SCHEMA;
use settings::{SettingError, Settings};

/// The configuration of one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// The address to listen on, `host:port`; port 0 is any free port. `listen`
    pub(super) listen: String,
    /// The name in log lines, responses and on the page. `api_title`
    pub(super) title: String,
    /// How many of the last records are kept and shown. `api_max_records`
    pub(super) max_records_kept: usize,
    /// How many idempotency keys are remembered. `api_max_keys`
    pub(super) max_keys: usize,
    /// The largest request body, in bytes. `max_body`
    pub(super) max_body: usize,
    /// The largest container file after its codec is decoded, in bytes. `max_decoded`
    pub(super) max_decoded: usize,
    /// The most records of one container file. `max_records`
    pub(super) max_records: usize,
    /// The schema of the records. `avro_schema`
    pub(super) schema: Schema,
}

impl Config {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// A setting is malformed, or the schema is invalid.
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        Ok(Self {
            listen: settings.required(&LISTEN)?.to_owned(),
            title: settings.required(&API_TITLE)?.to_owned(),
            max_records_kept: settings.parsed(
                &API_MAX_RECORDS,
                up_to(10_000),
                "a number from 1 to 10000",
            )?,
            max_keys: settings.parsed(
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

fn up_to(max: usize) -> impl Fn(&str) -> Option<usize> {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| (1..=max).contains(number))
    }
}
