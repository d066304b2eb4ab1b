//! Looks settings up, layer by layer: flags, environment, the settings file, defaults; then the documents.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::catalog::{CATALOG, CONFIG_LOCATION};
use super::{Location, Setting, SettingError, Settings, Source, Value, location, properties};
use crate::secret::Secret;

/// The largest settings file or document that is read, in bytes.
const MAX_DOCUMENT: u64 = 1 << 20;

type Values = BTreeMap<&'static str, Value>;

/// See [`Settings::gather`].
pub(super) async fn gather(
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Settings, SettingError> {
    let mut values = given(flags, environment);
    if let Some(location) = named(&values, &CONFIG_LOCATION)? {
        let text = read(&CONFIG_LOCATION, &location)?;
        let lines = properties::parse(&text).map_err(|(line, reason)| SettingError::Line {
            location: location.to_string(),
            line,
            reason,
        })?;
        for (name, text) in lines {
            values
                .entry(name)
                .or_insert_with(|| value(text, Source::File));
        }
    }
    for setting in CATALOG {
        if let Some(default) = setting.default {
            values
                .entry(setting.name)
                .or_insert_with(|| value(default, Source::Default));
        }
    }
    let mut documents = BTreeMap::new();
    for setting in CATALOG.iter().filter(|setting| setting.document) {
        if let Some(location) = named(&values, setting)? {
            documents.insert(setting.name, Arc::from(read(setting, &location)?));
        }
    }
    Ok(Settings { values, documents })
}

/// What flags and environment say.
fn given(flags: &[(&'static str, String)], environment: impl Fn(&str) -> Option<String>) -> Values {
    let flag = |setting: &Setting| {
        let (_, text) = flags.iter().find(|(name, _)| *name == setting.name)?;
        Some(value(text, Source::Flag))
    };
    let variable = |setting: &Setting| {
        Some(value(
            environment(&setting.variable())?,
            Source::Environment,
        ))
    };
    CATALOG
        .iter()
        .filter_map(|setting| Some((setting.name, flag(setting).or_else(|| variable(setting))?)))
        .filter(|(_, value)| !value.text.reveal().is_empty())
        .collect()
}

fn value(text: impl Into<String>, source: Source) -> Value {
    Value {
        text: Secret::new(text),
        source,
    }
}

/// The location that the setting holds, if it is set.
fn named(values: &Values, setting: &Setting) -> Result<Option<Location>, SettingError> {
    let Some(value) = values.get(setting.name) else {
        return Ok(None);
    };
    let text = value.text.reveal();
    text.parse()
        .map(Some)
        .map_err(|()| SettingError::Malformed {
            variable: setting.variable(),
            value: text.to_owned(),
            expected: location::EXPECTED,
        })
}

fn read(setting: &Setting, location: &Location) -> Result<String, SettingError> {
    let unreadable = |reason: String| SettingError::Unreadable {
        variable: setting.variable(),
        location: location.to_string(),
        reason,
    };
    match location {
        Location::File(path) => file(path).map_err(unreadable),
        Location::Object(_) => Err(unreadable("not built yet".to_owned())),
    }
}

/// A whole text file, up to [`MAX_DOCUMENT`] bytes.
fn file(path: &Path) -> Result<String, String> {
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_DOCUMENT + 1).read_to_end(&mut text))
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_DOCUMENT {
        return Err(format!("it is larger than {MAX_DOCUMENT} bytes"));
    }
    String::from_utf8(text).map_err(|_| "it is not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{AVRO_SCHEMA, KAFKA_TOPIC, ROUTES};
    use super::*;

    async fn gathered(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let lookup = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        };
        gather(&[(KAFKA_TOPIC.name, String::new())], lookup)
            .await
            .map_err(|error| error.to_string())
    }

    fn file_with(bytes: &[u8]) -> tempfile::TempPath {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[tokio::test]
    async fn the_environment_beats_the_file_and_the_file_beats_the_default() {
        let file = file_with(b"\xEF\xBB\xBFkafka_topic=from-file\nlisten=from-file\n");
        let path = file.to_str().unwrap();
        let settings = gathered(&[("CONFIG_LOCATION", path), ("LISTEN", "from-environment")])
            .await
            .unwrap();
        let listing = settings.listing();
        let of = |name: &str| listing.iter().find(|(known, ..)| *known == name).unwrap();
        assert_eq!(of("kafka_topic").1, "from-file");
        assert_eq!(of("listen").1, "from-environment");
        assert_eq!(of("listen").2, Source::Environment);
        assert_eq!(of("log_level").2, Source::Default);
    }

    #[tokio::test]
    async fn a_document_is_read_with_the_settings() {
        let file = file_with(b"\"string\"");
        let settings = gathered(&[("AVRO_SCHEMA", file.to_str().unwrap())])
            .await
            .unwrap();
        assert_eq!(settings.document(&AVRO_SCHEMA), Some("\"string\""));
        assert_eq!(settings.document(&ROUTES), None);
    }

    #[tokio::test]
    async fn a_document_that_cannot_be_read_is_named() {
        let binary = file_with(b"\xFF\xFE");
        let large = file_with(&vec![b' '; (1 << 20) + 1]);
        for (location, error) in [
            ("/nowhere/x.avsc", "No such file or directory (os error 2)"),
            (binary.to_str().unwrap(), "it is not UTF-8 text"),
            (large.to_str().unwrap(), "it is larger than 1048576 bytes"),
        ] {
            assert_eq!(
                gathered(&[("AVRO_SCHEMA", location)]).await.unwrap_err(),
                format!("reading AVRO_SCHEMA from {location}: {error}")
            );
        }
        assert_eq!(
            gathered(&[("CONFIG_LOCATION", "s3://b/o")])
                .await
                .unwrap_err(),
            "CONFIG_LOCATION is \"s3://b/o\", expected a path, or an object as oci://BUCKET/OBJECT or \
             oci://BUCKET@NAMESPACE/OBJECT"
        );
    }
}
