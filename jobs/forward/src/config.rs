//! The configuration of the job: settings, parsed and checked before the first connection. Pure.
//!
//! - `parse`: values that have more than one form, or a relation to other settings
//! - `route_faults`: what contradicts the settings in the routes
//! - `endpoints`, `kafka_clients`: the configuration of delivery, and of the Kafka clients

mod endpoints;
mod kafka_clients;
mod parse;
mod route_faults;

use std::time::Duration;

use delivery::{Limits, Order};
use kafka::config::{GroupProtocol, KafkaSettings, Profile};
use kafka::settings::{KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_USERNAME};
use offsets::window::{WindowEnd, WindowStart};
use settings::common::SECRET_REFRESH_INTERVAL;
use settings::{SettingError, Settings};

use crate::metrics::MetricsConfig;
use crate::settings::{
    CONCURRENT_RUNS, DEAD_LETTER_ENVELOPE, DEAD_LETTER_MAX_RATIO, DEAD_LETTER_MIN_COUNT, DEADLINE,
    DELIVERY_SCHEMA, KAFKA_GROUP_ID, KAFKA_GROUP_PROTOCOL, ON_DATA_LOSS, ORDER, SHUTDOWN_TIMEOUT,
    START_TIMEOUT, TOMBSTONES, UNMATCHED, WINDOW_MAX_RECORDS,
};
use crate::single_run::ConcurrentRuns;
use crate::status_page::StatusConfig;

/// The settings of a run without its routes ([`RouteConfig`](crate::route_config::RouteConfig)). A field's setting has the
/// field's name or the one in brackets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Broker and topic (`kafka_…`).
    pub kafka: KafkaSettings,
    /// The consumer group (`kafka_group_id`).
    pub group: String,
    /// The group protocol (`kafka_group_protocol`); `None`: the newest that the broker supports.
    pub group_protocol: Option<GroupProtocol>,
    /// What a run does when another run of the group is active.
    pub concurrent_runs: ConcurrentRuns,
    /// The start of the window (`window_start`).
    pub window_start: WindowStart,
    /// The end of the window (`window_end`).
    pub window_end: WindowEnd,
    /// The maximum number of records of the window (`window_max_records`).
    pub records: Option<u64>,
    /// The maximum size of the window's record values, in bytes (`window_max_bytes`).
    pub bytes: Option<u64>,
    /// The maximum duration of the run.
    pub deadline: Option<Duration>,
    /// How old a record may be before it is a dead letter because its endpoint does not accept it; `None`: never.
    pub give_up_after: Option<Duration>,
    /// How long requests in flight may take to finish when the run stops early.
    pub shutdown_timeout: Duration,
    /// How long the start waits for the broker.
    pub start_timeout: Duration,
    /// What a run does when unread records were deleted from the log.
    pub on_data_loss: OnDataLoss,
    /// The treatment of a record that no route matches.
    pub unmatched: Unmatched,
    /// True: a record without a value is a dead letter; false: it is skipped (`tombstones`).
    pub tombstones_are_dead_letters: bool,
    /// The schema of the datums that endpoints receive.
    pub delivery_schema: DeliverySchema,
    /// The limits of routes that have no other. `max_uncommitted` is `None` if the setting is unset.
    pub limits: Limits,
    /// The order of deliveries of routes that have no other.
    pub order: Order,
    /// The dead-letter topic.
    pub dead_letter_topic: String,
    /// True: dead letters are wrapped in a JSON envelope.
    pub dead_letter_envelope: bool,
    /// The ratio of dead letters above which the run stops.
    pub dead_letter_max_ratio: f64,
    /// The number of dead letters below which the ratio is not checked.
    pub dead_letter_min_count: u64,
    /// The topic of reports (`report_topic`); `None`: none.
    pub report_topic: Option<String>,
    /// Where the metrics of each run are written (`metrics_…`).
    pub metrics: MetricsConfig,
    /// The status page (`status_…`); `None`: none.
    pub status: Option<StatusConfig>,
}

/// What a run does when unread records were deleted from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDataLoss {
    /// It stops before it delivers a record.
    Stop,
    /// It continues with the records that are left and reports the loss.
    Continue,
}

/// The treatment of a record that no route matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// It is skipped and counted.
    Skip,
    /// It is a dead letter.
    DeadLetter,
    /// It ends the run.
    Stop,
}

/// The schema of the datums that endpoints receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverySchema {
    /// `AVRO_SCHEMA`: other datums are resolved to it.
    Reader,
    /// The schema that the datum was written with.
    Writer,
}

impl Config {
    /// Parses and checks the settings.
    ///
    /// # Errors
    /// A setting is missing, malformed, or contradicts another.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let kafka = KafkaSettings::from_settings(settings)?;
        // Checked only: `LiveSettings` reads it, and does not refresh if it is malformed.
        settings.duration(&SECRET_REFRESH_INTERVAL)?;
        let (window_start, window_end) = parse::window(settings)?;
        let envelope = settings.choice(
            &DEAD_LETTER_ENVELOPE,
            &[("auto", None), ("true", Some(true)), ("false", Some(false))],
            "true, false or auto",
        )?;
        Ok(Self {
            group: settings.required(&KAFKA_GROUP_ID)?.to_owned(),
            group_protocol: settings.choice(
                &KAFKA_GROUP_PROTOCOL,
                &[
                    ("auto", None),
                    ("consumer", Some(GroupProtocol::Consumer)),
                    ("classic", Some(GroupProtocol::Classic)),
                ],
                "consumer, classic or auto",
            )?,
            concurrent_runs: settings.choice(
                &CONCURRENT_RUNS,
                &[
                    ("exit", ConcurrentRuns::Exit),
                    ("share", ConcurrentRuns::Share),
                ],
                "exit or share",
            )?,
            window_start,
            window_end,
            records: parse::optional(settings, &WINDOW_MAX_RECORDS, |setting| {
                settings.parsed(setting, parse::positive, "a whole number from 1")
            })?,
            bytes: parse::window_max_bytes(settings)?,
            give_up_after: parse::give_up_after(settings)?,
            deadline: parse::optional(settings, &DEADLINE, |setting| {
                settings.positive_duration(setting)
            })?,
            shutdown_timeout: settings.duration(&SHUTDOWN_TIMEOUT)?,
            start_timeout: settings.positive_duration(&START_TIMEOUT)?,
            on_data_loss: settings.choice(
                &ON_DATA_LOSS,
                &[
                    ("stop", OnDataLoss::Stop),
                    ("continue", OnDataLoss::Continue),
                ],
                "stop or continue",
            )?,
            unmatched: settings.choice(
                &UNMATCHED,
                &[
                    ("skip", Unmatched::Skip),
                    ("dead_letter", Unmatched::DeadLetter),
                    ("stop", Unmatched::Stop),
                ],
                "skip, dead_letter or stop",
            )?,
            tombstones_are_dead_letters: settings.choice(
                &TOMBSTONES,
                &[("skip", false), ("dead_letter", true)],
                "skip or dead_letter",
            )?,
            delivery_schema: settings.choice(
                &DELIVERY_SCHEMA,
                &[
                    ("reader", DeliverySchema::Reader),
                    ("writer", DeliverySchema::Writer),
                ],
                "reader or writer",
            )?,
            limits: parse::limits(settings)?,
            order: settings.choice(
                &ORDER,
                &[
                    ("none", Order::None),
                    ("key", Order::Key),
                    ("partition", Order::Partition),
                ],
                "none, key or partition",
            )?,
            metrics: MetricsConfig::from_settings(settings)?,
            report_topic: parse::report_topic(settings, &kafka)?,
            status: StatusConfig::from_settings(settings)?,
            dead_letter_topic: parse::dead_letter_topic(settings, &kafka)?,
            dead_letter_envelope: envelope.unwrap_or(kafka.profile == Profile::OciStreaming),
            dead_letter_max_ratio: settings.parsed(
                &DEAD_LETTER_MAX_RATIO,
                |text| {
                    text.parse()
                        .ok()
                        .filter(|share| *share > 0.0 && *share <= 1.0)
                },
                "a share above 0 and up to 1",
            )?,
            dead_letter_min_count: settings.parsed(
                &DEAD_LETTER_MIN_COUNT,
                parse::positive,
                "a whole number from 1",
            )?,
            kafka,
        })
    }

    /// As [`Config::from_settings`], for a program that opens no connection: the broker's address and credentials need not be
    /// known.
    ///
    /// # Errors
    /// As [`Config::from_settings`].
    pub fn offline(settings: &Settings) -> Result<Self, SettingError> {
        const STAND_IN: &str = "unknown";
        let mut settings = settings
            .clone()
            .with_default(&KAFKA_BOOTSTRAP_SERVERS, "localhost:9092");
        if settings.is_unread(&KAFKA_USERNAME) {
            settings = settings.with_default(&KAFKA_USERNAME, STAND_IN);
        }
        if settings.optional(&KAFKA_USERNAME).is_some() {
            settings = settings.with_default(&KAFKA_PASSWORD, STAND_IN);
        }
        Self::from_settings(&settings)
    }
}

#[cfg(test)]
pub(crate) mod tests;
