//! The configuration of the job: settings, parsed and checked before the first connection. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::settings::{
    BACKOFF_INITIAL, BACKOFF_MAX, CIRCUIT_COOL_DOWN, CIRCUIT_FAILURE_THRESHOLD, CIRCUIT_MAX_PROBES,
    CONCURRENT_RUNS, DEAD_LETTER_ENVELOPE, DEAD_LETTER_MAX_RATIO, DEAD_LETTER_MIN_COUNT,
    DEAD_LETTER_TOPIC, DEADLINE, DELIVERY_SCHEMA, GIVE_UP_AFTER, KAFKA_GROUP_ID,
    KAFKA_GROUP_PROTOCOL, MAX_ATTEMPTS, MAX_IN_FLIGHT, MAX_UNCOMMITTED, ON_DATA_LOSS, ORDER,
    RATE_LIMIT, REPORT_TOPIC, REQUEST_TIMEOUT, SHUTDOWN_TIMEOUT, START_TIMEOUT, TOMBSTONES,
    UNMATCHED, WINDOW_END, WINDOW_MAX_BYTES, WINDOW_MAX_RECORDS, WINDOW_START,
};
use jiff::Timestamp;
use kafka::check;
use kafka::config::{GroupProtocol, KafkaSettings, Profile};
use kafka::listing::ListedProperty;
use kafka::settings::{KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_USERNAME};
use kafka::tokens::ClientProperties;
use rdkafka::error::KafkaResult;
use settings::common::SECRET_REFRESH_INTERVAL;
use settings::{Setting, SettingError, Settings};

use crate::route_config::{self, RouteAnswers, RouteConfig, RouteLimits};
use crate::single_run::ConcurrentRuns;
use avro::Schema;
use delivery::{DeliveryConfig, EndpointConfig, Limits, Order};
use offsets::window::{WindowEnd, WindowStart};
use record::StreamId;

/// The settings of a run without its routes ([`RouteConfig`]). A field's setting has the field's name or the one in
/// brackets.
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
        let (window_start, window_end) = window(settings)?;
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
            records: optional(settings, &WINDOW_MAX_RECORDS, |setting| {
                settings.parsed(setting, positive, "a whole number from 1")
            })?,
            bytes: window_max_bytes(settings)?,
            give_up_after: give_up_after(settings)?,
            deadline: optional(settings, &DEADLINE, |setting| {
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
            limits: limits(settings)?,
            order: settings.choice(
                &ORDER,
                &[
                    ("none", Order::None),
                    ("key", Order::Key),
                    ("partition", Order::Partition),
                ],
                "none, key or partition",
            )?,
            report_topic: report_topic(settings, &kafka)?,
            dead_letter_topic: dead_letter_topic(settings, &kafka)?,
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
                positive,
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

    /// Checks the settings against the routes.
    ///
    /// # Errors
    /// The first of [`Config::route_faults`].
    pub fn check_routes(&self, routes: &[RouteConfig]) -> Result<(), SettingError> {
        let faults = self.route_faults(routes).into_iter();
        faults.take(1).try_for_each(|(_, error)| Err(error))
    }

    /// What contradicts the settings, with the index of the route. A container file has one schema, and JSON and values in
    /// requests are made with `AVRO_SCHEMA`, so with `DELIVERY_SCHEMA=writer` only single datums can be sent. The limits of
    /// a route may contradict each other together with the settings. Answers cannot be written to the topic, to the
    /// dead-letter topic or to the topic of reports.
    pub fn route_faults(&self, routes: &[RouteConfig]) -> Vec<(usize, SettingError)> {
        let mut faults = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let limits = self.limits_of(route);
            if limits.backoff_initial > limits.backoff_max {
                let error = format!(
                    "backoff_initial of route {:?} is longer than its backoff_max: \
                     each is the route's limit, or the setting",
                    route.name
                );
                faults.push((index, SettingError::Contradiction(error)));
            }
            for (member, topic) in route.answers.iter().flat_map(RouteAnswers::topics) {
                let used = if topic == self.kafka.topic {
                    "KAFKA_TOPIC: each answer would be read as a record"
                } else if topic == self.dead_letter_topic {
                    "DEAD_LETTER_TOPIC: each answer would be read as a dead letter"
                } else if Some(topic) == self.report_topic.as_deref() {
                    "REPORT_TOPIC: each answer would be read as a report"
                } else {
                    continue;
                };
                let error = format!("the {member} of route {:?} is {used}", route.name);
                faults.push((index, SettingError::Contradiction(error)));
            }
            if self.delivery_schema != DeliverySchema::Writer {
                continue;
            }
            let (has, remedy) = if !route.format.keeps_datums() {
                ("another format than avro".to_owned(), "format to avro")
            } else if route.reads_records() {
                let has = "values of the record in its url or headers".to_owned();
                (has, "url and headers to text without placeholders")
            } else if route.batch > 1 {
                (format!("a batch of {}", route.batch), "batch to 1")
            } else {
                continue;
            };
            let error = format!(
                "DELIVERY_SCHEMA is writer, and route {:?} has {has}: set DELIVERY_SCHEMA=reader, or {remedy}",
                route.name
            );
            faults.push((index, SettingError::Contradiction(error)));
        }
        faults
    }

    /// The limits of a route.
    pub fn limits_of(&self, route: &RouteConfig) -> Limits {
        route.limits.over(&self.limits)
    }

    /// The most dead letters of records without a route that are sent and not committed.
    pub fn max_uncommitted_dead_letters(&self) -> Option<usize> {
        RouteLimits::default().over(&self.limits).max_uncommitted
    }

    /// How long requests in flight may take before their partition is handed to another run: as long as the slowest of the
    /// routes permits. The margin covers thread scheduling.
    pub fn handover(&self, routes: &[RouteConfig]) -> Duration {
        let timeouts = routes
            .iter()
            .map(|route| self.limits_of(route).request_timeout);
        let longest = timeouts.max().unwrap_or(self.limits.request_timeout);
        self.shutdown_timeout.max(longest + Duration::from_secs(1))
    }

    /// The configuration of the dead-letter producer. At least five seconds, since a short shutdown timeout is meant for
    /// hanging requests and not for the broker.
    pub fn dead_letter_producer(&self) -> ClientProperties {
        let timeout = self.shutdown_timeout.max(Duration::from_secs(5));
        self.kafka.dead_letter_producer(timeout)
    }

    /// How long revoking a partition may take, the last commit included.
    pub fn settling(&self, routes: &[RouteConfig]) -> Duration {
        self.handover(routes) + Duration::from_secs(20)
    }

    /// The configuration of delivery: an endpoint for each route, and the limits.
    ///
    /// # Errors
    /// An expression in the requests of a route does not fit the schema.
    pub fn delivery(
        &self,
        routes: &[RouteConfig],
        stream: StreamId,
        schema: &Schema,
        seed: u64,
    ) -> Result<DeliveryConfig, SettingError> {
        let mut endpoints = Vec::new();
        for route in routes {
            let request = route.compile(schema).map_err(SettingError::Contradiction)?;
            endpoints.push(EndpointConfig {
                limits: self.limits_of(route),
                order: route.order.unwrap_or(self.order),
                group: routes.iter().position(|other| other.has_access_of(route)),
                format: route.format.payload(schema, route.batch, request.body()),
                batch_records: route.batch,
                ..route.endpoint(Some(&request))
            });
        }
        Ok(DeliveryConfig {
            endpoints,
            queue_bytes: DeliveryConfig::QUEUE_BYTES,
            stream,
            seed,
        })
    }
}

impl Config {
    /// The properties of each Kafka client of a run, by librdkafka's names, with secrets redacted.
    ///
    /// # Errors
    /// librdkafka rejects a value.
    pub fn kafka_listing(&self, routes: &[RouteConfig]) -> KafkaResult<String> {
        let kafka = &self.kafka;
        let protocol = self
            .group_protocol
            .unwrap_or_else(|| kafka.best_group_protocol());
        let clients = [
            ("reader", kafka.reader(&self.group)),
            (
                "group member",
                kafka.member(&self.group, protocol, self.settling(routes)),
            ),
            ("dead-letter producer", self.dead_letter_producer()),
        ];
        let mut text = String::new();
        for (name, config) in clients {
            text.push_str(&format!(
                "# {name}; other properties have librdkafka's defaults\n"
            ));
            for property in kafka.listing(&config)? {
                let ListedProperty {
                    name,
                    value,
                    source,
                } = property;
                text.push_str(&format!("{name}={value} ({source})\n"));
            }
            text.push('\n');
        }
        Ok(text)
    }
}

fn window(settings: &Settings) -> Result<(WindowStart, WindowEnd), SettingError> {
    let from = settings.parsed(
        &WINDOW_START,
        |text| match text {
            "committed" => Some(WindowStart::Committed),
            "earliest" => Some(WindowStart::Earliest),
            _ => offsets(text)
                .map(WindowStart::Offsets)
                .or_else(|| time(text).map(WindowStart::Time)),
        },
        "committed, earliest, a time such as 2026-11-22T10:00:00Z, or offsets such as 0:100,1:250",
    )?;
    let until = settings.parsed(
        &WINDOW_END,
        |text| match text {
            "now" => Some(WindowEnd::Now),
            _ => offsets(text)
                .map(WindowEnd::Offsets)
                .or_else(|| time(text).map(WindowEnd::Time)),
        },
        "now, a time such as 2026-11-22T10:00:00Z, or offsets such as 0:200,1:300",
    )?;
    let empty = match (&from, &until) {
        (WindowStart::Time(from), WindowEnd::Time(until)) => from >= until,
        (WindowStart::Offsets(from), WindowEnd::Offsets(until)) => {
            !from.keys().eq(until.keys())
                || from
                    .iter()
                    .zip(until)
                    .any(|((_, from), (_, until))| from > until)
        }
        _ => false,
    };
    if empty {
        return Err(SettingError::Contradiction(
            "WINDOW_START and WINDOW_END contradict each other: they must name the same partitions, and the start must be \
             before the end"
                .to_owned(),
        ));
    }
    Ok((from, until))
}

fn window_max_bytes(settings: &Settings) -> Result<Option<u64>, SettingError> {
    let bytes = optional(settings, &WINDOW_MAX_BYTES, |setting| {
        settings.bytes(setting)
    })?;
    if bytes == Some(0) {
        return Err(SettingError::Contradiction(
            "WINDOW_MAX_BYTES must be greater than zero".to_owned(),
        ));
    }
    Ok(bytes.map(|bytes| bytes as u64))
}

fn limits(settings: &Settings) -> Result<Limits, SettingError> {
    let count = |setting| settings.parsed(setting, positive, "a whole number from 1");
    let limits = Limits {
        max_in_flight: settings.parsed(
            &MAX_IN_FLIGHT,
            |text| positive(text).filter(|count| *count <= route_config::MAX_IN_FLIGHT),
            "a whole number from 1 to 10000",
        )?,
        max_uncommitted: optional(settings, &MAX_UNCOMMITTED, |setting| {
            settings.parsed(setting, positive, "a whole number from 1")
        })?,
        rate_limit: optional(settings, &RATE_LIMIT, |setting| {
            let rate = |text: &str| {
                text.parse()
                    .ok()
                    .filter(|rate: &f64| *rate > 0.0 && rate.is_finite())
            };
            settings.parsed(setting, rate, "a number above 0")
        })?,
        request_timeout: settings.positive_duration(&REQUEST_TIMEOUT)?,
        max_attempts: count(&MAX_ATTEMPTS)?,
        backoff_initial: settings.duration(&BACKOFF_INITIAL)?,
        backoff_max: settings.duration(&BACKOFF_MAX)?,
        circuit_failure_threshold: count(&CIRCUIT_FAILURE_THRESHOLD)?,
        circuit_cool_down: settings.positive_duration(&CIRCUIT_COOL_DOWN)?,
        circuit_max_probes: count(&CIRCUIT_MAX_PROBES)?,
        ..Limits::default()
    };
    if limits.backoff_initial > limits.backoff_max {
        return Err(SettingError::Contradiction(
            "BACKOFF_INITIAL is longer than BACKOFF_MAX".to_owned(),
        ));
    }
    Ok(limits)
}

fn give_up_after(settings: &Settings) -> Result<Option<Duration>, SettingError> {
    match settings.optional(&GIVE_UP_AFTER) {
        Some("never") => Ok(None),
        _ => settings.positive_duration(&GIVE_UP_AFTER).map(Some),
    }
}

fn dead_letter_topic(settings: &Settings, kafka: &KafkaSettings) -> Result<String, SettingError> {
    if settings.optional(&DEAD_LETTER_TOPIC).is_none() {
        let topic = format!("{}-dead-letter", kafka.topic);
        return check::topic(&topic).ok_or_else(|| {
            SettingError::Contradiction(
                "KAFKA_TOPIC is too long for a topic of this name with \"-dead-letter\": set DEAD_LETTER_TOPIC".to_owned(),
            )
        });
    }
    let topic = settings.parsed(&DEAD_LETTER_TOPIC, check::topic, check::TOPIC)?;
    if topic == kafka.topic {
        return Err(SettingError::Contradiction(
            "DEAD_LETTER_TOPIC and KAFKA_TOPIC are the same topic: each dead letter would be read again as a record"
                .to_owned(),
        ));
    }
    Ok(topic)
}

fn report_topic(
    settings: &Settings,
    kafka: &KafkaSettings,
) -> Result<Option<String>, SettingError> {
    let topic = optional(settings, &REPORT_TOPIC, |setting| {
        settings.parsed(setting, check::topic, check::TOPIC)
    })?;
    let others = [
        (kafka.topic.clone(), "KAFKA_TOPIC", "record"),
        (
            dead_letter_topic(settings, kafka)?,
            "DEAD_LETTER_TOPIC",
            "dead letter",
        ),
    ];
    for (other, name, kind) in others {
        if topic.as_ref() == Some(&other) {
            return Err(SettingError::Contradiction(format!(
                "REPORT_TOPIC and {name} are the same topic: each report would be read as a {kind}"
            )));
        }
    }
    Ok(topic)
}

/// A setting that may be unset.
fn optional<T>(
    settings: &Settings,
    setting: &'static Setting,
    read: impl FnOnce(&'static Setting) -> Result<T, SettingError>,
) -> Result<Option<T>, SettingError> {
    settings
        .optional(setting)
        .map(|_| read(setting))
        .transpose()
}

fn positive<T: FromStr + PartialOrd + Default>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number| *number > T::default())
}

/// RFC 3339, in milliseconds since 1970.
fn time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// `0:100,1:250`: each partition once.
fn offsets(text: &str) -> Option<BTreeMap<i32, i64>> {
    let mut offsets = BTreeMap::new();
    for pair in text.split(',') {
        let (partition, offset) = pair.trim().split_once(':')?;
        let (partition, offset): (i32, i64) = (partition.parse().ok()?, offset.parse().ok()?);
        if partition < 0 || offset < 0 || offsets.insert(partition, offset).is_some() {
            return None;
        }
    }
    Some(offsets)
}

#[cfg(test)]
pub(crate) mod tests;
