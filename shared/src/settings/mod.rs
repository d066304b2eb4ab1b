//! Settings: one table of names, one way to look a value up.
//!
//! A setting has one name. It is the line in `config.properties` (`kafka_topic=orders`), in upper case the
//! environment variable (`KAFKA_TOPIC`), and with dashes the flag (`--kafka-topic`). A flag beats the
//! environment, the environment beats the file, the file beats the default.

pub mod catalog;
pub mod cli;
mod properties;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::secret::Secret;
use catalog::{CATALOG, CONFIG_LOCATION};

/// One setting: its name, its default and what it means.
#[derive(Debug)]
pub struct Setting {
    /// The name in `config.properties`, in lower case with underscores.
    pub name: &'static str,
    /// The value when nothing sets it; `None` means unset.
    pub default: Option<&'static str>,
    /// One sentence for `--help` and the README.
    pub help: &'static str,
    /// True for values that must not be printed.
    pub secret: bool,
}

/// Settings that belong together, under one heading in `--help` and the README.
#[derive(Debug)]
pub struct Group {
    /// The heading.
    pub heading: &'static str,
    /// The settings, in the order of the README's table.
    pub settings: &'static [&'static Setting],
}

impl Setting {
    /// The environment variable: the name in upper case.
    pub fn variable(&self) -> String {
        self.name.to_ascii_uppercase()
    }

    /// The command-line flag, without the leading dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

/// Where a value came from; printed beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A command-line flag.
    Flag,
    /// An environment variable.
    Environment,
    /// A line of `config.properties`.
    File,
    /// The built-in default.
    Default,
}

/// What is wrong with a setting, in one sentence that names it.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A required setting has no value.
    #[error("{variable} is not set: {help}")]
    Missing {
        /// The environment variable that would set it.
        variable: String,
        /// What the setting means.
        help: &'static str,
    },
    /// A value does not have the form it needs.
    #[error("{variable} is {value:?}, expected {expected}")]
    Malformed {
        /// The environment variable of the setting.
        variable: String,
        /// The value met, or `[redacted]` for a secret.
        value: String,
        /// The form that was expected.
        expected: &'static str,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// The settings file could not be read.
    #[error("reading the settings file {location}: {reason}")]
    Unreadable {
        /// Where the file was looked for.
        location: String,
        /// What went wrong.
        reason: String,
    },
    /// A line of the settings file is not understood.
    #[error("{location}, line {line}: {reason}")]
    Line {
        /// The file.
        location: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Clone)]
struct Value {
    text: Secret,
    source: Source,
}

/// Every setting's value, looked up once at the start.
#[derive(Clone)]
pub struct Settings {
    values: BTreeMap<&'static str, Value>,
}

impl Settings {
    /// Looks every setting of the catalog up: `flags` (name, value), then `environment`, then the file that
    /// `config_location` names, then defaults. An empty value counts as unset.
    ///
    /// # Errors
    /// The settings file cannot be read, or holds a line that is no setting.
    pub async fn gather(
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        let mut values = BTreeMap::new();
        for setting in CATALOG {
            let flag = flags
                .iter()
                .find(|(name, _)| *name == setting.name)
                .map(|(_, value)| (value.clone(), Source::Flag));
            let given = flag.or_else(|| {
                environment(&setting.variable()).map(|value| (value, Source::Environment))
            });
            if let Some((text, source)) = given.filter(|(text, _)| !text.is_empty()) {
                values.insert(
                    setting.name,
                    Value {
                        text: Secret::new(text),
                        source,
                    },
                );
            }
        }
        if let Some(location) = values
            .get(CONFIG_LOCATION.name)
            .map(|value| value.text.reveal().to_owned())
        {
            for (name, text) in read_file(&location).await? {
                values.entry(name).or_insert(Value {
                    text: Secret::new(text),
                    source: Source::File,
                });
            }
        }
        for setting in CATALOG {
            if let Some(default) = setting.default {
                values.entry(setting.name).or_insert(Value {
                    text: Secret::new(default),
                    source: Source::Default,
                });
            }
        }
        Ok(Self { values })
    }

    /// The value, or `None` when it is unset.
    pub fn optional(&self, setting: &'static Setting) -> Option<&str> {
        self.values
            .get(setting.name)
            .map(|value| value.text.reveal())
    }

    /// The value of a setting that the program cannot do without.
    ///
    /// # Errors
    /// [`SettingError::Missing`].
    pub fn required(&self, setting: &'static Setting) -> Result<&str, SettingError> {
        self.optional(setting).ok_or_else(|| SettingError::Missing {
            variable: setting.variable(),
            help: setting.help,
        })
    }

    /// A secret's value, or `None` when it is unset.
    pub fn secret(&self, setting: &'static Setting) -> Option<Secret> {
        self.values
            .get(setting.name)
            .map(|value| value.text.clone())
    }

    /// The value as a duration: `500ms`, `30s`, `5m`, `1h`.
    ///
    /// # Errors
    /// Missing, or not of that form.
    pub fn duration(&self, setting: &'static Setting) -> Result<Duration, SettingError> {
        self.parsed(
            setting,
            values::duration,
            "a duration such as 500ms, 30s, 5m or 1h",
        )
    }

    /// The value as a number of bytes: `4096`, `64KiB`, `6MB`.
    ///
    /// # Errors
    /// Missing, or not of that form.
    pub fn bytes(&self, setting: &'static Setting) -> Result<usize, SettingError> {
        self.parsed(
            setting,
            values::bytes,
            "a size such as 4096, 64KiB, 1MiB or 6MB",
        )
    }

    /// The value as a number.
    ///
    /// # Errors
    /// Missing, or not a number of that type.
    pub fn number<T: std::str::FromStr>(
        &self,
        setting: &'static Setting,
    ) -> Result<T, SettingError> {
        self.parsed(setting, |text| text.parse().ok(), "a number")
    }

    /// The value as `true` or `false`.
    ///
    /// # Errors
    /// Missing, or neither.
    pub fn boolean(&self, setting: &'static Setting) -> Result<bool, SettingError> {
        self.parsed(setting, |text| text.parse().ok(), "true or false")
    }

    /// The value as one of a few words.
    ///
    /// # Errors
    /// Missing, or none of them; `expected` lists them for the reader.
    pub fn choice<T: Copy>(
        &self,
        setting: &'static Setting,
        choices: &[(&str, T)],
        expected: &'static str,
    ) -> Result<T, SettingError> {
        self.parsed(
            setting,
            |text| {
                choices
                    .iter()
                    .find(|(word, _)| *word == text)
                    .map(|(_, choice)| *choice)
            },
            expected,
        )
    }

    /// The value through `parse`; `expected` completes the sentence "KAFKA_TOPIC is …, expected …".
    ///
    /// # Errors
    /// Missing, or `parse` answered `None`.
    pub fn parsed<T>(
        &self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &'static str,
    ) -> Result<T, SettingError> {
        let text = self.required(setting)?;
        parse(text).ok_or_else(|| SettingError::Malformed {
            variable: setting.variable(),
            value: if setting.secret {
                "[redacted]".to_owned()
            } else {
                text.to_owned()
            },
            expected,
        })
    }

    /// Name, printable value (secrets as `[redacted]`) and source of everything that is set, in name order.
    pub fn listing(&self) -> Vec<(&'static str, String, Source)> {
        let secret = |name: &str| {
            CATALOG
                .iter()
                .any(|setting| setting.name == name && setting.secret)
        };
        self.values
            .iter()
            .map(|(name, value)| {
                let shown = if secret(name) {
                    value.text.to_string()
                } else {
                    value.text.reveal().to_owned()
                };
                (*name, shown, value.source)
            })
            .collect()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.listing()
                    .into_iter()
                    .map(|(name, value, source)| (name, (value, source))),
            )
            .finish()
    }
}

async fn read_file(location: &str) -> Result<Vec<(&'static str, String)>, SettingError> {
    let unreadable = |reason: String| SettingError::Unreadable {
        location: location.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(Path::new(location))
        .map_err(|error| unreadable(error.to_string()))?;
    properties::parse(&text).map_err(|(line, reason)| SettingError::Line {
        location: location.to_owned(),
        line,
        reason,
    })
}
