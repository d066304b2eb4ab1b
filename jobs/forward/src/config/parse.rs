//! Values of settings that have more than one form, or a relation to other settings. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use delivery::Limits;
use jiff::Timestamp;
use kafka::check;
use kafka::config::KafkaSettings;
use offsets::window::{WindowEnd, WindowStart};
use settings::{Setting, SettingError, Settings};

use crate::route_config;
use crate::settings::{
    BACKOFF_INITIAL, BACKOFF_MAX, CIRCUIT_COOL_DOWN, CIRCUIT_FAILURE_THRESHOLD, CIRCUIT_MAX_PROBES,
    DEAD_LETTER_TOPIC, GIVE_UP_AFTER, MAX_ATTEMPTS, MAX_IN_FLIGHT, MAX_UNCOMMITTED, RATE_LIMIT,
    REPORT_TOPIC, REQUEST_TIMEOUT, WINDOW_END, WINDOW_MAX_BYTES, WINDOW_START,
};

pub(super) fn window(settings: &Settings) -> Result<(WindowStart, WindowEnd), SettingError> {
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

pub(super) fn window_max_bytes(settings: &Settings) -> Result<Option<u64>, SettingError> {
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

pub(super) fn limits(settings: &Settings) -> Result<Limits, SettingError> {
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

pub(super) fn give_up_after(settings: &Settings) -> Result<Option<Duration>, SettingError> {
    match settings.optional(&GIVE_UP_AFTER) {
        Some("never") => Ok(None),
        _ => settings.positive_duration(&GIVE_UP_AFTER).map(Some),
    }
}

pub(super) fn dead_letter_topic(
    settings: &Settings,
    kafka: &KafkaSettings,
) -> Result<String, SettingError> {
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

pub(super) fn report_topic(
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
pub(super) fn optional<T>(
    settings: &Settings,
    setting: &'static Setting,
    read: impl FnOnce(&'static Setting) -> Result<T, SettingError>,
) -> Result<Option<T>, SettingError> {
    settings
        .optional(setting)
        .map(|_| read(setting))
        .transpose()
}

pub(super) fn positive<T: FromStr + PartialOrd + Default>(text: &str) -> Option<T> {
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
