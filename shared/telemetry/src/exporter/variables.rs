//! The values of the `OTEL_…` variables.
//!
//! OpenTelemetry's specification (Environment Variable Specification) requires that unknown words and malformed numbers
//! are ignored with a warning.

use std::collections::BTreeMap;
use std::time::Duration;

use runtime::secret::Secret;
use settings::{SettingError, Settings};
use tracing::warn;

use crate::settings::OTEL;

/// The values of the `OTEL_…` variables, by name without `OTEL_` in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, Secret>);

impl Variables {
    /// The variables that are set, in the environment or in config.properties.
    pub(crate) fn from_settings(settings: &Settings) -> Self {
        let properties = settings.properties(&OTEL).into_iter();
        Self(
            properties
                .map(|property| (property.name, property.value))
                .collect(),
        )
    }

    /// The value of a variable, if it is set.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.reveal().trim();
        (!text.is_empty()).then_some(text)
    }

    /// Whether a variable is `true`. Any other value than `true` and `false` is ignored.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        let values = [("true", true), ("false", false)];
        self.choice(name, &values).unwrap_or_default()
    }

    /// The value of a variable that is one of these words.
    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let is_chosen = |(word, _): &&(&str, T)| word.eq_ignore_ascii_case(text);
        let choice = choices.iter().find(is_chosen).map(|(_, choice)| *choice);
        if choice.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            ignored(name, text, &words.join(", "));
        }
        choice
    }

    /// The value of a variable that is a number within these bounds.
    pub(crate) fn number(&self, name: &str, min: u64, max: u64) -> Option<u64> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            ignored(name, text, &format!("a number from {min} to {max}"));
        }
        number
    }

    /// The value of a variable that is the size of a queue or batch, or the default.
    pub(crate) fn size(&self, name: &str, default: usize) -> usize {
        let number = self.number(name, 1, 65_536);
        number
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(default)
    }

    /// The value of a variable that is a number of milliseconds, up to an hour.
    pub(crate) fn milliseconds(&self, name: &str) -> Option<Duration> {
        self.number(name, 1, 3_600_000).map(Duration::from_millis)
    }
}

/// Warns that a value is ignored. It is never that of a secret.
pub(crate) fn ignored(name: &str, value: &str, expected: &str) {
    let variable = variable(name);
    warn!(
        variable,
        value, expected, "value not supported: the variable is ignored"
    );
}

/// The environment variable of this name.
pub(crate) fn variable(name: &str) -> String {
    format!("OTEL_{}", name.to_ascii_uppercase())
}

/// The error of a variable without which nothing can be exported. It does not repeat a secret.
pub(crate) fn malformed(name: &str, value: &str, expected: &'static str) -> SettingError {
    SettingError::Malformed {
        variable: variable(name),
        value: value.to_owned(),
        expected,
    }
}

#[cfg(test)]
pub(crate) fn of(values: &[(&str, &str)]) -> Variables {
    let entry = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
    Variables(values.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_supported_counts_as_unset() {
        let variables = of(&[
            ("sdk_disabled", "TRUE"),
            ("exporter_otlp_timeout", "10s"),
            ("bsp_schedule_delay", "250"),
            ("traces_exporter", "zipkin"),
            ("service_name", " "),
        ]);
        assert!(variables.is_true("sdk_disabled"));
        assert!(!variables.is_true("traces_exporter"));
        assert_eq!(variables.milliseconds("exporter_otlp_timeout"), None);
        let delay = variables.milliseconds("bsp_schedule_delay");
        assert_eq!(delay, Some(Duration::from_millis(250)));
        assert_eq!(variables.text("service_name"), None);
        let exporter = variables.choice("traces_exporter", &[("otlp", 1), ("none", 2)]);
        assert_eq!(exporter, None);
    }
}
