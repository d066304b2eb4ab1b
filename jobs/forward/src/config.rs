//! Everything the job is told by its settings, read and checked before the first connection. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use kafka::config::{GroupProtocol, KafkaSettings, Profile};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use settings::catalog::{
    BACKOFF_INITIAL, BACKOFF_MAX, CIRCUIT_COOL_DOWN, CIRCUIT_FAILURE_THRESHOLD, CIRCUIT_MAX_PROBES,
    CONCURRENT_RUNS, DEAD_LETTER_ENVELOPE, DEAD_LETTER_MAX_RATIO, DEAD_LETTER_MIN_COUNT,
    DEAD_LETTER_TOPIC, DEADLINE, KAFKA_GROUP_ID, KAFKA_GROUP_PROTOCOL, MAX_ATTEMPTS, MAX_IN_FLIGHT,
    MAX_UNCOMMITTED, ON_DATA_LOSS, ORDER, RATE_LIMIT, REQUEST_TIMEOUT, SHUTDOWN_TIMEOUT,
    START_TIMEOUT, TOMBSTONES, UNMATCHED, WINDOW_END, WINDOW_MAX_BYTES, WINDOW_MAX_RECORDS,
    WINDOW_START,
};
use settings::{Setting, SettingError, Settings};

use crate::route_config::RouteConfig;
use crate::single_run::ConcurrentRuns;
use delivery::{DeliveryConfig, EndpointConfig, Limits, Order};
use offsets::window::{WindowEnd, WindowStart};
use record::StreamId;

/// Every setting of a run but its routes ([`RouteConfig`]). Each field's setting has the
/// field's name, or the one in brackets; the catalog says what it means and what its default is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The broker and the stream (`kafka_…`).
    pub kafka: KafkaSettings,
    /// The consumer group (`kafka_group_id`).
    pub group: String,
    /// How it is joined (`kafka_group_protocol`); `None`: by the best protocol that the broker has.
    pub group_protocol: Option<GroupProtocol>,
    /// What to do when another run is live.
    pub concurrent_runs: ConcurrentRuns,
    /// Where the window begins (`window_start`).
    pub window_start: WindowStart,
    /// Where the window ends (`window_end`).
    pub window_end: WindowEnd,
    /// The most records of the window (`window_max_records`).
    pub records: Option<u64>,
    /// The most bytes of the window's values (`window_max_bytes`).
    pub bytes: Option<u64>,
    /// How long the run may take.
    pub deadline: Option<Duration>,
    /// How long requests in flight may take when the run stops.
    pub shutdown_timeout: Duration,
    /// How long to wait for the broker at the start.
    pub start_timeout: Duration,
    /// What to do about records that are gone unread.
    pub on_data_loss: OnDataLoss,
    /// What becomes of a record that no route matches.
    pub unmatched: Unmatched,
    /// Whether a record without a value is a dead letter, or skipped (`tombstones`).
    pub tombstones_are_dead_letters: bool,
    /// Bounds of delivery, the same for every route.
    pub limits: Limits,
    /// What order deliveries keep.
    pub order: Order,
    /// Where dead letters go.
    pub dead_letter_topic: String,
    /// Whether dead letters are wrapped in an envelope.
    pub dead_letter_envelope: bool,
    /// The share of dead letters at which the run stops.
    pub dead_letter_max_ratio: f64,
    /// How many dead letters are written before the share counts.
    pub dead_letter_min_count: u64,
}

/// What a run does when records that it never read are gone from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDataLoss {
    /// It stops before it delivers anything.
    Stop,
    /// It goes on with what is there, and says how much is lost.
    Continue,
}

/// What becomes of a record that no route matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// It is counted and skipped.
    Skip,
    /// It is a dead letter.
    DeadLetter,
    /// It ends the run.
    Stop,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// A setting is missing, malformed, or contradicts another.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let kafka = KafkaSettings::from_settings(settings)?;
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
            bytes: optional(settings, &WINDOW_MAX_BYTES, |setting| {
                settings.bytes(setting)
            })?
            .map(|bytes| bytes as u64),
            deadline: optional(settings, &DEADLINE, |setting| duration(settings, setting))?,
            shutdown_timeout: settings.duration(&SHUTDOWN_TIMEOUT)?,
            start_timeout: duration(settings, &START_TIMEOUT)?,
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
            dead_letter_topic: dead_letter_topic(settings, &kafka)?,
            dead_letter_envelope: envelope.unwrap_or(kafka.profile == Profile::Oci),
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

    /// How long what is under way may take before its partition is given to another run; the margin is for the threads'
    /// own pace.
    pub fn handover(&self) -> Duration {
        let longest = self.limits.request_timeout + Duration::from_secs(1);
        self.shutdown_timeout.max(longest)
    }

    /// The producer of dead letters. A shutdown_timeout of no time is for requests that hang; a letter is given the time that a
    /// broker may need.
    pub fn dead_letter_producer(&self) -> ClientConfig {
        let patience = self.shutdown_timeout.max(Duration::from_secs(5));
        self.kafka.dead_letter_producer(patience)
    }

    /// How long giving a partition up may take, its last commit included.
    pub fn settling(&self) -> Duration {
        self.handover() + Duration::from_secs(20)
    }

    /// What delivery needs to know: an endpoint for each route, and the bounds.
    pub fn delivery(
        &self,
        routes: &[RouteConfig],
        stream: StreamId,
        schema: &str,
        seed: u64,
    ) -> DeliveryConfig {
        let endpoints = routes.iter().map(|route| EndpointConfig {
            name: route.name.clone(),
            url: route.url.clone(),
            token: route.token.clone(),
            batch: route.batch,
        });
        DeliveryConfig {
            endpoints: endpoints.collect(),
            limits: self.limits,
            order: self.order,
            stream,
            schema: schema.to_owned(),
            seed,
        }
    }
}

impl Config {
    /// What each Kafka client of a run is given, by librdkafka's names, with secrets redacted.
    ///
    /// # Errors
    /// librdkafka refuses a value.
    pub fn kafka_listing(&self) -> KafkaResult<String> {
        let kafka = &self.kafka;
        let protocol = self
            .group_protocol
            .unwrap_or_else(|| kafka.best_group_protocol());
        let clients = [
            ("the reader", kafka.reader(&self.group)),
            (
                "the member of the group",
                kafka.member(&self.group, protocol, self.settling()),
            ),
            ("the writer of dead letters", self.dead_letter_producer()),
        ];
        let mut text = String::new();
        for (name, config) in clients {
            text.push_str(&format!("# {name}; all else is librdkafka's default\n"));
            for (option, value) in kafka.listing(&config)? {
                text.push_str(&format!("{option}={value}\n"));
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
            "WINDOW_START and WINDOW_END do not fit together: they must name the same partitions, and the window must \
             begin before it ends"
                .to_owned(),
        ));
    }
    Ok((from, until))
}

/// For each request that may be under way, how many may be uncommitted: at full speed that is what is answered while a
/// commit travels.
const UNCOMMITTED_FOR_EACH: usize = 16;

fn limits(settings: &Settings) -> Result<Limits, SettingError> {
    let count = |setting| settings.parsed(setting, positive, "a whole number from 1");
    let mut limits = Limits {
        max_in_flight: settings.parsed(
            &MAX_IN_FLIGHT,
            |text| positive(text).filter(|count| *count <= 10_000),
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
        request_timeout: duration(settings, &REQUEST_TIMEOUT)?,
        max_attempts: count(&MAX_ATTEMPTS)?,
        backoff_initial: settings.duration(&BACKOFF_INITIAL)?,
        backoff_max: settings.duration(&BACKOFF_MAX)?,
        circuit_failure_threshold: count(&CIRCUIT_FAILURE_THRESHOLD)?,
        circuit_cool_down: duration(settings, &CIRCUIT_COOL_DOWN)?,
        circuit_max_probes: count(&CIRCUIT_MAX_PROBES)?,
        ..Limits::default()
    };
    limits
        .max_uncommitted
        .get_or_insert(limits.max_in_flight * UNCOMMITTED_FOR_EACH);
    if limits.backoff_initial > limits.backoff_max {
        return Err(SettingError::Contradiction(
            "BACKOFF_INITIAL is longer than BACKOFF_MAX, the longest wait of all".to_owned(),
        ));
    }
    Ok(limits)
}

fn dead_letter_topic(settings: &Settings, kafka: &KafkaSettings) -> Result<String, SettingError> {
    let Some(topic) = settings.optional(&DEAD_LETTER_TOPIC) else {
        return Ok(format!("{}-dead-letter", kafka.topic));
    };
    if topic == kafka.topic {
        return Err(SettingError::Contradiction(
            "DEAD_LETTER_TOPIC and KAFKA_TOPIC are the same topic: each dead letter would come back as a record"
                .to_owned(),
        ));
    }
    Ok(topic.to_owned())
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

/// A duration that is not zero.
fn duration(settings: &Settings, setting: &'static Setting) -> Result<Duration, SettingError> {
    let duration = settings.duration(setting)?;
    if duration.is_zero() {
        return Err(SettingError::Contradiction(format!(
            "{} is zero: nothing could be done in no time",
            setting.variable()
        )));
    }
    Ok(duration)
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
mod tests;
