//! The values of a program's settings, and typed access to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use oci::OciConfig;
use runtime::secret::Secret;

use crate::access::Access;
use crate::reference::{self, Part, Reference};
use crate::value::{Value, Values};
use crate::{
    Group, Setting, SettingError, Source, environment, layers, names, protect, setting, units,
};

/// A document that a setting names. Prints its location only: the routes contain tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// A path, or `oci://BUCKET/OBJECT`.
    pub location: String,
    /// The content.
    pub text: String,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes", self.location, self.text.len())
    }
}

/// The values of a program's settings, read once.
#[derive(Clone, Default)]
pub struct Settings {
    pub(crate) settings: Arc<[&'static Setting]>,
    pub(crate) values: Values,
    pub(crate) documents: BTreeMap<&'static str, Arc<[Document]>>,
    /// The values of the references in documents, except those to settings.
    pub(crate) references: BTreeMap<Reference, Secret>,
    pub(crate) principal: Option<Arc<str>>,
    /// The configuration of a client of Oracle Cloud, if the settings were gathered.
    pub(crate) oracle_cloud: Option<Result<OciConfig, SettingError>>,
    pub(crate) access: Access,
    /// The names of the settings whose secrets were not read offline.
    pub(crate) unread: BTreeSet<&'static str>,
}

/// A text whose references are replaced by their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: Secret,
    /// Whether it has a reference to a secret: a secret setting, a file or a secret in a vault.
    pub has_secret: bool,
    /// Whether it has any reference.
    pub has_reference: bool,
}

/// A property of a family of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The name without that of the family, in lower case with underscores.
    pub name: String,
    /// The environment variable.
    pub variable: String,
    /// The value.
    pub value: Secret,
    /// Whether the value must not be printed.
    pub is_secret: bool,
}

impl Settings {
    /// The values of flags, environment and defaults. Reads no file: enough to start the log.
    pub fn without_files(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let settings = setting::all(groups);
        let values = layers::explicit(&settings, flags, environment, &environment::properties());
        protect::values(&settings, &values);
        Self::with_defaults(settings, values)
    }

    pub(crate) fn with_defaults(settings: Arc<[&'static Setting]>, mut values: Values) -> Self {
        layers::defaults(&settings, &mut values);
        Self {
            settings,
            values,
            ..Self::default()
        }
    }

    /// The Oracle Cloud principal that was used, if anything was fetched from Oracle Cloud.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    /// The configuration of a client of Oracle Cloud, from the settings and the environment.
    ///
    /// # Errors
    /// A setting is malformed, or the settings were not gathered.
    pub fn oracle_cloud(&self) -> Result<OciConfig, SettingError> {
        let not_gathered =
            || SettingError::Contradiction("the settings were not gathered".to_owned());
        self.oracle_cloud
            .clone()
            .unwrap_or_else(|| Err(not_gathered()))
    }

    /// The text of the document at the location that the setting gives (a file, or `oci://BUCKET/OBJECT`), or `None`
    /// when the setting is unset. [`Settings::gather`] has read it.
    pub fn document(&self, setting: &'static Setting) -> Option<&str> {
        debug_assert!(setting.document, "{} is not a document", setting.name);
        let [document, ..] = self.read_for(setting) else {
            return None;
        };
        Some(&document.text)
    }

    /// The documents that the setting names, in the order of its list, those of a directory or prefix by name; empty
    /// when the setting is unset. [`Settings::gather`] has read them. They are at most 1,000, of at most 16 MiB together.
    pub fn documents(&self, setting: &'static Setting) -> &[Document] {
        debug_assert!(setting.documents, "{} is not a list", setting.name);
        debug_assert!(
            self.settings.iter().any(|known| known.name == setting.name),
            "{} is in none of the groups that were gathered",
            setting.name
        );
        self.read_for(setting)
    }

    /// Replaces the references in a text of a document that was declared `#[template]`: `${NAME}` by the value of a setting,
    /// `${env:NAME}` by that of an environment variable, `${file:PATH}` by the content of a file and `${vault:SECRET}` by
    /// that of a secret, without surrounding white space. `$${` becomes `${`. [`Settings::gather`] has read the values.
    ///
    /// # Errors
    /// A reference is malformed, or has no value. The text contains no value.
    pub fn expand(&self, text: &str) -> Result<Expanded, String> {
        let mut expanded = String::new();
        let (mut has_secret, mut has_reference) = (false, false);
        for part in reference::parts(text)? {
            let reference = match part {
                Part::Text(text) => {
                    expanded.push_str(text);
                    continue;
                }
                Part::Reference(reference) => reference,
            };
            has_reference = true;
            let value = match &reference {
                Reference::Setting(name) => {
                    let mut settings = self.settings.iter().copied();
                    let setting = settings
                        .find(|setting| setting.variable() == *name)
                        .ok_or_else(|| {
                            format!("unknown setting {name} in {reference}; an environment variable is ${{env:{name}}}")
                        })?;
                    has_secret |= setting.secret;
                    let value = self.values.get(setting.name);
                    // The value of a setting that was not read is its default.
                    value
                        .filter(|_| !self.unread.contains(setting.name))
                        .map(|value| &value.text)
                }
                Reference::Environment(_) => self.references.get(&reference),
                Reference::File(_) | Reference::Secret(_) => {
                    has_secret = true;
                    self.references.get(&reference)
                }
            };
            let value = value.ok_or_else(|| format!("{reference} has no value"))?;
            expanded.push_str(value.reveal());
        }
        Ok(Expanded {
            text: Secret::new(expanded),
            has_secret,
            has_reference,
        })
    }

    /// The references in a text of which the value is not known because the settings were read offline: those to secrets, to
    /// environment variables that are not set, and to settings whose secrets were not read. Empty if they were not read
    /// offline, or if the text is malformed, which is an error of [`Settings::expand`].
    pub fn unknown(&self, text: &str) -> Vec<String> {
        if self.access == Access::Online {
            return Vec::new();
        }
        let is_unknown = |reference: &Reference| match reference {
            Reference::Setting(name) => {
                let mut settings = self.settings.iter();
                let setting = settings.find(|setting| setting.variable() == *name);
                setting.is_some_and(|setting| {
                    let is_unset = setting.secret && !self.values.contains_key(setting.name);
                    is_unset || self.unread.contains(setting.name)
                })
            }
            other => !self.references.contains_key(other),
        };
        let references = reference::parts(text).unwrap_or_default().into_iter();
        references
            .filter_map(|part| match part {
                Part::Reference(reference) => Some(reference),
                Part::Text(_) => None,
            })
            .filter(is_unknown)
            .map(|reference| reference.to_string())
            .collect()
    }

    /// Whether the value is a secret that was not read offline.
    pub fn is_unread(&self, setting: &'static Setting) -> bool {
        self.unread.contains(setting.name)
    }

    /// The same settings, with this value for a setting that is unset.
    #[must_use]
    pub fn with_default(mut self, setting: &'static Setting, value: &str) -> Self {
        let value = || Value::new(value, Source::Default);
        self.values.entry(setting.name.into()).or_insert_with(value);
        self
    }

    fn read_for(&self, setting: &'static Setting) -> &[Document] {
        self.documents.get(setting.name).map_or(&[], AsRef::as_ref)
    }

    /// The document of a setting, parsed. When the setting is unset, `built_in` is parsed, a pair of location and text.
    ///
    /// # Errors
    /// `parse` failed.
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

    /// The documents of a setting, parsed, each with its location.
    ///
    /// # Errors
    /// `parse` failed. The error names the document.
    pub fn parsed_documents<T, E: fmt::Display>(
        &self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<(String, T)>, SettingError> {
        let documents = self.documents(setting).iter();
        let parsed = documents.map(|document| match parse(&document.text) {
            Ok(parsed) => Ok((document.location.clone(), parsed)),
            Err(error) => Err(SettingError::Unreadable {
                variable: setting.variable(),
                location: document.location.clone(),
                reason: error.to_string(),
            }),
        });
        parsed.collect()
    }

    /// The value, or `None` when it is unset.
    pub fn optional(&self, setting: &'static Setting) -> Option<&str> {
        self.values
            .get(setting.name)
            .map(|value| value.text.reveal())
    }

    /// The properties of a setting that is declared `#[family]`, in the order of their names.
    pub fn properties(&self, family: &'static Setting) -> Vec<Property> {
        let properties = self.values.iter().filter_map(|(name, value)| {
            Some(Property {
                name: family.property(name)?.to_owned(),
                variable: name.to_ascii_uppercase(),
                value: value.text.clone(),
                is_secret: names::is_secret_property(name) || value.source == Source::Vault,
            })
        });
        properties.collect()
    }

    /// The source of the value, or `None` when it is unset.
    pub fn source(&self, setting: &'static Setting) -> Option<Source> {
        self.values.get(setting.name).map(|value| value.source)
    }

    /// The value of a required setting.
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
    /// Missing or malformed.
    pub fn duration(&self, setting: &'static Setting) -> Result<Duration, SettingError> {
        self.parsed(
            setting,
            units::duration,
            "a duration such as 500ms, 30s, 5m or 1h",
        )
    }

    /// As [`Settings::duration`], greater than zero.
    ///
    /// # Errors
    /// Missing, malformed or zero.
    pub fn positive_duration(&self, setting: &'static Setting) -> Result<Duration, SettingError> {
        let duration = self.duration(setting)?;
        if duration.is_zero() {
            return Err(SettingError::Contradiction(format!(
                "{} must be greater than zero",
                setting.variable()
            )));
        }
        Ok(duration)
    }

    /// The value as a number of bytes: `4096`, `64KiB`, `6MB`.
    ///
    /// # Errors
    /// Missing or malformed.
    pub fn bytes(&self, setting: &'static Setting) -> Result<usize, SettingError> {
        self.parsed(
            setting,
            units::bytes,
            "a size such as 4096, 64KiB, 1MiB or 6MB",
        )
    }

    /// The value as a number.
    ///
    /// # Errors
    /// Missing, or not a number of that type.
    pub fn number<T: FromStr>(&self, setting: &'static Setting) -> Result<T, SettingError> {
        self.parsed(setting, |text| text.parse().ok(), "a number")
    }

    /// The value as one of a few words.
    ///
    /// # Errors
    /// Missing, or none of the words. `expected` lists them for the error message.
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

    /// The value, parsed. `expected` completes the sentence "KAFKA_TOPIC is …, expected …".
    ///
    /// # Errors
    /// Missing, or `parse` returned `None`.
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

    /// Whether the value must not be printed: its setting is declared `#[secret]`, or it comes from a vault.
    pub fn is_secret(&self, setting: &'static Setting) -> bool {
        let value = self.values.get(setting.name);
        setting.secret || value.is_some_and(|value| value.source == Source::Vault)
    }

    /// The values of the references in the documents of a setting, if it is declared `#[template]`.
    fn referenced_by(&self, name: &str) -> Option<&BTreeMap<Reference, Secret>> {
        let mut settings = self.settings.iter();
        let has_references = settings.any(|setting| setting.name == name && setting.references);
        has_references.then_some(&self.references)
    }

    /// The names of the settings and properties whose value or document differs.
    pub(crate) fn changed<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let properties = self.values.keys().chain(other.values.keys());
        let properties = properties
            .map(AsRef::as_ref)
            .filter(|name| names::is_property(name));
        let properties: BTreeSet<&str> = properties.collect();
        self.settings
            .iter()
            .map(|setting| setting.name)
            .chain(properties)
            .filter(|name| {
                self.values.get(*name) != other.values.get(*name)
                    || self.documents.get(*name) != other.documents.get(*name)
                    || self.referenced_by(name) != other.referenced_by(name)
            })
            .collect()
    }
}
