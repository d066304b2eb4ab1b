//! Where a report is, and reading it.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use kafka::reader::SourceError;
use oci::ObjectLocation;
use settings::{Location, Settings};

use super::destinations;
use super::error::ReportError;
use super::parse::{KIND, parse};
use super::topic;
use crate::config::Config;
use crate::report::RunReport;

/// Where a report is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportSource {
    /// Standard input.
    Input,
    /// A file.
    File(PathBuf),
    /// A file of this name, or if there is none, the topic.
    FileOrTopic(String),
    /// An object in Object Storage.
    Object(ObjectLocation),
}

impl ReportSource {
    /// `-` is standard input, `oci://BUCKET/OBJECT` an object. Other text that can be the name of a topic is a file or a topic.
    ///
    /// # Errors
    /// The text is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Input);
        }
        match text.parse() {
            Ok(Location::File(_)) if kafka::check::topic(text).is_some() => {
                Ok(Self::FileOrTopic(text.to_owned()))
            }
            Ok(Location::File(path)) => Ok(Self::File(path)),
            Ok(Location::Object(object)) => Ok(Self::Object(object)),
            Err(()) => Err("expected a file, a topic, oci://BUCKET/OBJECT, or -".to_owned()),
        }
    }

    /// The report: of a topic, the newest one of the group. The settings are read only for a topic or an object. `timeout`: how
    /// long reading a topic may take.
    ///
    /// # Errors
    /// There is none, reading fails, or the content is not a report.
    pub fn read(
        &self,
        settings: impl FnOnce() -> anyhow::Result<Settings>,
        timeout: Duration,
    ) -> Result<RunReport, ReportError> {
        let bytes = match self {
            Self::Input => self.all_of(io::stdin().lock())?,
            Self::File(path) => match self.opened(path.to_owned())? {
                Some(file) => self.all_of(file)?,
                None => return Err(self.not_found("there is no such file")),
            },
            Self::FileOrTopic(name) => match self.opened(PathBuf::from(name))? {
                Some(file) => self.all_of(file)?,
                None => self.of_topic(name, settings, timeout)?,
            },
            Self::Object(object) => self.of_object(object, settings)?,
        };
        parse(&bytes).map_err(|invalid| ReportError::Invalid(self.to_string(), invalid))
    }

    /// `None`: there is no such file.
    fn opened(&self, path: PathBuf) -> Result<Option<File>, ReportError> {
        match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    fn all_of(&self, input: impl Read) -> Result<Vec<u8>, ReportError> {
        KIND.read(input).map_err(|error| self.unreadable(error))
    }

    fn of_topic(
        &self,
        topic: &str,
        settings: impl FnOnce() -> anyhow::Result<Settings>,
        timeout: Duration,
    ) -> Result<Vec<u8>, ReportError> {
        let config = settings().and_then(|settings| Ok(Config::from_settings(&settings)?));
        let config = config.map_err(|error| {
            ReportError::Configuration(format!(
                "there is no file {topic}, and to read a topic of this name: {error:#}"
            ))
        })?;
        let found = topic::read(&config, topic, timeout).map_err(|error| match error {
            SourceError::NoTopic { bootstrap, .. } => self.not_found(&format!(
                "there is no such file, and no such topic at {bootstrap}"
            )),
            error => self.unreadable(error),
        })?;
        found.ok_or_else(|| {
            self.not_found(&format!(
                "the topic has no report of group {}",
                config.group
            ))
        })
    }

    fn of_object(
        &self,
        object: &ObjectLocation,
        settings: impl FnOnce() -> anyhow::Result<Settings>,
    ) -> Result<Vec<u8>, ReportError> {
        let config = settings().and_then(|settings| Ok(settings.oracle_cloud()?));
        let config = config.map_err(|error| ReportError::Configuration(format!("{error:#}")))?;
        let found = destinations::get(&config, object, KIND.max_bytes);
        let found = found.map_err(|error| self.unreadable(error))?;
        found.ok_or_else(|| {
            self.not_found("there is no such object, or this principal may not read it")
        })
    }

    fn not_found(&self, reason: &str) -> ReportError {
        ReportError::NotFound(self.to_string(), reason.to_owned())
    }

    fn unreadable(&self, error: impl fmt::Display) -> ReportError {
        ReportError::Unreadable(self.to_string(), error.to_string())
    }
}

impl fmt::Display for ReportSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
            Self::FileOrTopic(name) => f.write_str(name),
            Self::Object(object) => object.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_by_its_form() {
        let file = |path: &str| Ok(ReportSource::File(PathBuf::from(path)));
        let name = |text: &str| Ok(ReportSource::FileOrTopic(text.to_owned()));
        for (text, expected) in [
            ("-", Ok(ReportSource::Input)),
            ("./reports", file("./reports")),
            ("my report.json", file("my report.json")),
            ("report.json", name("report.json")),
            ("frontdoor-reports", name("frontdoor-reports")),
        ] {
            assert_eq!(ReportSource::parse(text), expected, "{text}");
        }
        let object = ReportSource::parse("oci://b@n/report.json").unwrap();
        assert_eq!(object.to_string(), "oci://b@n/report.json");
        for text in ["", "oci://b", "kafka://t"] {
            assert!(ReportSource::parse(text).is_err(), "{text}");
        }
    }
}
