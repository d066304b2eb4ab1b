//! Settings: one table of names, one way to look a value up.
//!
//! A setting has one name. It is the line in `config.properties` (`kafka_topic=orders`), in upper case the
//! environment variable (`KAFKA_TOPIC`), and with dashes the flag (`--kafka-topic`). A flag beats the
//! environment, the environment beats the file, the file beats the default. In the file, `name_vaultOCID=` in place
//! of `name=` gives the OCID of a secret whose content is the value.
//!
//! The file and the documents that settings name lie on this machine or in Object Storage ([`Location`]). A program
//! that runs on takes [`LiveSettings`], which reads all of it again now and then.

pub mod cli;
mod cloud;
pub mod common;
mod environment;
mod error;
mod gather;
mod layers;
mod live;
mod location;
pub mod names;
mod pasted;
mod properties;
#[cfg(test)]
mod samples;
mod setting;
pub mod telemetry;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use runtime::secret::Secret;

pub use environment::environment;
pub use error::SettingError;
pub use gather::Part;
pub use live::{Inspection, LiveSettings};
pub use location::Location;
pub use setting::{Group, Setting};

/// Where a value came from; printed beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A command-line flag.
    Flag,
    /// An environment variable.
    Environment,
    /// A line of `config.properties`.
    File,
    /// A secret that a line of `config.properties` names.
    Vault,
    /// The built-in default.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "config.properties",
            Self::Vault => "vault",
            Self::Default => "default",
        })
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Value {
    text: Secret,
    source: Source,
}

/// Every setting's value, looked up once at the start.
#[derive(Clone, Default)]
pub struct Settings {
    settings: Arc<[&'static Setting]>,
    values: BTreeMap<&'static str, Value>,
    documents: BTreeMap<&'static str, Arc<str>>,
    identity: Option<Arc<str>>,
}

impl Settings {
    /// Looks up every setting of these groups: `flags` (name, value), then `environment`, then the file that
    /// `config_location` names, then defaults. An empty value counts as unset. A line `name_vaultOCID=<secret OCID>`
    /// of the file means that the secret's content is the value. Documents that settings name by location
    /// (`avro_schema`, `routes`) are read too: see [`Settings::document`].
    ///
    /// Secrets and documents of other programs are not read, so that a program needs no permission for what it does
    /// not use. Objects and secrets in Oracle Cloud are fetched concurrently, each once. Without a reference to Oracle
    /// Cloud in flags, environment and file, no request is made.
    ///
    /// # Errors
    /// The first problem: the settings file, a document or a secret cannot be read, or a line names no setting of any
    /// program.
    pub async fn gather(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        let origin = gather::Origin::new(groups, flags, environment);
        origin.gather().await.settings(origin.cloud())
    }

    /// The values of flags and environment, and the defaults. Reads no file: enough to start the log.
    pub fn given(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let settings = setting::all(groups);
        let values = layers::given(&settings, flags, environment);
        Self::with_defaults(settings, values)
    }

    fn with_defaults(settings: Arc<[&'static Setting]>, mut values: layers::Values) -> Self {
        layers::defaults(&settings, &mut values);
        Self {
            settings,
            values,
            ..Self::default()
        }
    }

    /// Who we are to Oracle Cloud, if anything was fetched there.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// The text of the document that this setting names by its location (a file, or `oci://BUCKET/OBJECT`), or
    /// `None` when the setting is unset. It was read by [`Settings::gather`].
    pub fn document(&self, setting: &'static Setting) -> Option<&str> {
        debug_assert!(setting.document, "{} names no document", setting.name);
        self.documents.get(setting.name).map(AsRef::as_ref)
    }

    /// The document that this setting names, through `parse`; where the setting is unset, the text of `built_in`, which
    /// is its location and its text.
    ///
    /// # Errors
    /// `parse` refused the text.
    pub fn parsed_document<T, E: fmt::Display>(
        &self,
        setting: &'static Setting,
        built_in: (&str, &str),
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, SettingError> {
        let (location, text) = built_in;
        parse(self.document(setting).unwrap_or(text)).map_err(|error| SettingError::Unreadable {
            variable: setting.variable(),
            location: self.optional(setting).unwrap_or(location).to_owned(),
            reason: error.to_string(),
        })
    }

    /// The value, or `None` when it is unset.
    pub fn optional(&self, setting: &'static Setting) -> Option<&str> {
        self.values
            .get(setting.name)
            .map(|value| value.text.reveal())
    }

    /// Where the value came from, or `None` when it is unset.
    pub fn source(&self, setting: &'static Setting) -> Option<Source> {
        self.values.get(setting.name).map(|value| value.source)
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
            value: if self.is_secret(setting) {
                "[redacted]".to_owned()
            } else {
                text.to_owned()
            },
            expected,
        })
    }

    /// The names of what is another value or another document there.
    fn changed(&self, other: &Self) -> Vec<&'static str> {
        self.settings
            .iter()
            .map(|setting| setting.name)
            .filter(|name| {
                self.values.get(name) != other.values.get(name)
                    || self.documents.get(name) != other.documents.get(name)
            })
            .collect()
    }

    /// True for a value that must not be printed: the catalog says so, or it came out of a vault, where somebody put
    /// it so that it is not seen.
    pub fn is_secret(&self, setting: &'static Setting) -> bool {
        let value = self.values.get(setting.name);
        setting.secret || value.is_some_and(|value| value.source == Source::Vault)
    }

    /// Name, printable value (secrets as `[redacted]`) and source of every setting that has a value, in name order.
    pub fn listing(&self) -> Vec<(&'static str, String, Source)> {
        let mut listing: Vec<_> = self
            .settings
            .iter()
            .filter_map(|setting| {
                let value = self.values.get(setting.name)?;
                let text = value.text.reveal();
                let shown = match text.contains("://") {
                    _ if self.is_secret(setting) => value.text.to_string(),
                    true => without_secrets(text, &value.text),
                    false => text.to_owned(),
                };
                Some((setting.name, shown, value.source))
            })
            .collect();
        listing.sort_unstable_by_key(|(name, ..)| *name);
        listing
    }
}

/// A URL whose user and password, and whose query, which may hold a key, are printed as `redacted` prints. A password may
/// hold what should have been encoded in it, so all before the last `@` is taken for one.
fn without_secrets(url: &str, redacted: &Secret) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (user, rest) = match rest.rsplit_once('@') {
        // In an object's place it stands between bucket and namespace.
        Some((_, rest)) if scheme != "oci" => (format!("{redacted}@"), rest),
        _ => (String::new(), rest),
    };
    match rest.split_once('?') {
        Some((shown, _)) => format!("{scheme}://{user}{shown}?{redacted}"),
        None => format!("{scheme}://{user}{rest}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_url_shows_neither_its_user_nor_its_query() {
        let redacted = Secret::new("");
        for (url, shown) in [
            ("http://h:1/p", "http://h:1/p"),
            ("http://h/p?key=hunter2", "http://h/p?[redacted]"),
            ("http://u:hunter2@h:1/p", "http://[redacted]@h:1/p"),
            (
                "http://u:hunter2@h?hunter2",
                "http://[redacted]@h?[redacted]",
            ),
            ("http://u:hun/ter?2@h/p", "http://[redacted]@h/p"),
            ("http://h/a@b", "http://[redacted]@b"),
            (
                "oci://bucket@namespace/object",
                "oci://bucket@namespace/object",
            ),
        ] {
            assert_eq!(without_secrets(url, &redacted), shown, "{url}");
        }
    }
}
