//! Looks settings up, layer by layer: flags, environment, the settings file with its secrets, defaults; and reads
//! the documents that they name. What does not depend on one another is fetched at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::cloud::{Cloud, MAX_DOCUMENT, Trouble};
use super::common::CONFIG_LOCATION;
use super::layers::{self, Values};
use super::properties::{Given, Line};
use super::{Group, Location, Setting, SettingError, Settings, Source, Value, setting};
use runtime::files;
use runtime::secret::Secret;

/// Everything that settings are made from, part by part. It can be gathered again.
pub(super) struct Origin {
    settings: Arc<[&'static Setting]>,
    given: Values,
    cloud: Cloud,
}

/// One thing that was read for the settings, and how it went.
#[derive(Clone, Debug)]
pub struct Part {
    /// The setting that names it.
    pub setting: &'static Setting,
    /// Where it lies: a path, an object, a secret.
    pub location: String,
    /// What may be told about it (size, version), or what is wrong.
    pub outcome: Result<String, SettingError>,
    /// What to do about it.
    pub advice: Option<&'static str>,
}

/// What one gathering brought.
pub(super) struct Gathered {
    settings: Arc<[&'static Setting]>,
    pub(super) values: Values,
    pub(super) documents: BTreeMap<&'static str, Arc<str>>,
    pub(super) parts: Vec<Part>,
}

impl Origin {
    /// Takes flags and environment, and reads a settings file of this machine: it may say how to reach the cloud.
    pub(super) fn new(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let settings = setting::all(groups);
        let given = layers::given(&settings, flags, &environment);
        let mut early = given.clone();
        // What is wrong with the file is told when it is gathered.
        let local = layers::local_lines(&settings, &given);
        layers::merge(&settings, &mut early, local.as_deref().unwrap_or_default());
        let early = Settings::with_defaults(Arc::clone(&settings), early);
        Self {
            settings,
            cloud: Cloud::new(&early, environment),
            given,
        }
    }

    pub(super) fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Fetches everything that is wanted.
    pub(super) async fn gather(&self) -> Gathered {
        // Documents whose place is known already need not wait for the settings file.
        let (early, (mut gathered, read)) =
            tokio::join!(self.documents(&self.given, &[]), self.beyond_given());
        layers::defaults(&self.settings, &mut gathered.values);
        let known: Vec<&str> = early
            .iter()
            .chain(&read)
            .map(|read| read.setting.name)
            .collect();
        // A secret may name a place, too.
        let late = self.documents(&gathered.values, &known).await;
        for Document {
            setting,
            location,
            result,
            advice,
        } in early.into_iter().chain(read).chain(late)
        {
            let outcome = result.map(|(text, note)| {
                gathered
                    .documents
                    .insert(setting.name, Arc::from(text.reveal()));
                note
            });
            gathered.parts.push(Part {
                setting,
                location,
                outcome,
                advice,
            });
        }
        gathered
    }

    /// The settings file, and at the same time the secrets and the documents that it names.
    async fn beyond_given(&self) -> (Gathered, Vec<Document>) {
        let (lines, mut parts) = self.lines().await;
        let mut values = self.given.clone();
        layers::merge(&self.settings, &mut values, &lines);
        let known: Vec<&str> = self.given.keys().copied().collect();
        let (secrets, documents) =
            tokio::join!(self.secrets(&lines), self.documents(&values, &known));
        for (part, text) in secrets {
            if let Some(text) = text {
                values.insert(
                    part.setting.name,
                    Value {
                        text,
                        source: Source::Vault,
                    },
                );
            }
            parts.push(part);
        }
        layers::protect(&self.settings, &values);
        (
            Gathered {
                settings: Arc::clone(&self.settings),
                values,
                documents: BTreeMap::new(),
                parts,
            },
            documents,
        )
    }

    /// The secrets that the lines name, where nothing above the file sets the value.
    async fn secrets(&self, lines: &[Line]) -> Vec<(Part, Option<Secret>)> {
        let wanted = lines.iter().filter_map(|line| match &line.value {
            Given::Secret(location) => Some((line.setting?, location)),
            Given::Plain(_) => None,
        });
        let fetched = wanted
            .filter(|(setting, _)| !self.given.contains_key(setting.name))
            .map(async |(setting, location)| {
                let (outcome, text, advice) = match self.cloud.secret(location).await {
                    Ok(fetched) => (Ok(fetched.note), Some(fetched.text), None),
                    Err(trouble) => (Err(unfetched(setting, &trouble)), None, trouble.advice),
                };
                let location = format!("secret {location}");
                (
                    Part {
                        setting,
                        location,
                        outcome,
                        advice,
                    },
                    text,
                )
            });
        join_all(fetched).await
    }

    /// The lines of the settings file.
    async fn lines(&self) -> (Vec<Line>, Vec<Part>) {
        let Some(text) = self.given.get(CONFIG_LOCATION.name) else {
            return (Vec::new(), Vec::new());
        };
        let location = text.text.reveal();
        let (lines, advice) = match location.parse() {
            Ok(Location::Object(object)) => match self.cloud.object(&object).await {
                Ok(fetched) => (
                    layers::parsed(&self.settings, location, fetched.text.reveal()),
                    None,
                ),
                Err(trouble) => (Err(unfetched(&CONFIG_LOCATION, &trouble)), trouble.advice),
            },
            _ => (layers::local_lines(&self.settings, &self.given), None),
        };
        let outcome = lines
            .as_ref()
            .map(|lines| format!("{} settings", lines.len()))
            .map_err(Clone::clone);
        let part = Part {
            setting: &CONFIG_LOCATION,
            location: location.to_owned(),
            outcome,
            advice,
        };
        (lines.unwrap_or_default(), vec![part])
    }

    /// The documents that these values name and that are not known yet.
    async fn documents(&self, values: &Values, known: &[&str]) -> Vec<Document> {
        let wanted = self.settings.iter().filter_map(|setting| {
            let value = values.get(setting.name)?;
            (setting.document && !known.contains(&setting.name))
                .then(|| self.document(setting, value.text.reveal()))
        });
        join_all(wanted).await
    }

    async fn document(&self, setting: &'static Setting, location: &str) -> Document {
        let (result, advice) = match location.parse() {
            Err(()) => (Err(layers::malformed(setting, location)), None),
            Ok(Location::File(path)) => {
                let result = files::read_text(&path, MAX_DOCUMENT);
                let unreadable = |reason| SettingError::Unreadable {
                    variable: setting.variable(),
                    location: location.to_owned(),
                    reason,
                };
                let noted = |text: String| {
                    let note = format!("{} bytes", text.len());
                    (Secret::new(text), note)
                };
                (result.map(noted).map_err(unreadable), None)
            }
            Ok(Location::Object(object)) => match self.cloud.object(&object).await {
                Ok(fetched) => (Ok((fetched.text, fetched.note)), None),
                Err(trouble) => (Err(unfetched(setting, &trouble)), trouble.advice),
            },
        };
        Document {
            setting,
            location: location.to_owned(),
            result,
            advice,
        }
    }
}

struct Document {
    setting: &'static Setting,
    location: String,
    result: Result<(Secret, String), SettingError>,
    advice: Option<&'static str>,
}

impl Gathered {
    /// The settings, or the first thing that is wrong.
    pub(super) fn settings(self, cloud: &Cloud) -> Result<Settings, SettingError> {
        if let Some(error) = self
            .parts
            .iter()
            .find_map(|part| part.outcome.as_ref().err())
        {
            return Err(error.clone());
        }
        Ok(self.whatever(cloud))
    }

    /// The settings as far as they could be had.
    pub(super) fn whatever(self, cloud: &Cloud) -> Settings {
        Settings {
            settings: self.settings,
            values: self.values,
            documents: self.documents,
            identity: match cloud.signed_in() {
                Some(Ok(oci)) => Some(oci.principal().to_string().into()),
                Some(Err(_)) | None => None,
            },
        }
    }
}

fn unfetched(setting: &Setting, trouble: &Trouble) -> SettingError {
    SettingError::Unfetched {
        variable: setting.variable(),
        reason: trouble.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::AVRO_SCHEMA;
    use crate::samples::{GROUPS, KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_TOPIC, ROUTES};

    async fn gathered(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let lookup = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        };
        Settings::gather(&GROUPS, &[(KAFKA_TOPIC.name, String::new())], lookup)
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
    async fn the_tutorials_variables_are_accepted_and_the_settings_own_win() {
        let settings = gathered(&[("KAFKA_BOOTSTRAPSERVER", "old:9092"), ("AUTH_TOKEN", "t")])
            .await
            .unwrap();
        assert_eq!(
            settings.required(&KAFKA_BOOTSTRAP_SERVERS).unwrap(),
            "old:9092"
        );
        assert_eq!(settings.secret(&KAFKA_PASSWORD).unwrap().reveal(), "t");
        let settings = gathered(&[
            ("KAFKA_BOOTSTRAPSERVER", "old:9092"),
            ("KAFKA_BOOTSTRAP_SERVERS", "new:9092"),
        ])
        .await
        .unwrap();
        assert_eq!(
            settings.required(&KAFKA_BOOTSTRAP_SERVERS).unwrap(),
            "new:9092"
        );
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

    #[test]
    fn gathering_may_run_in_a_task_of_its_own() {
        fn is_send(future: impl Future + Send) {
            drop(future);
        }
        is_send(Settings::gather(&GROUPS, &[], |name| {
            std::env::var(name).ok()
        }));
    }
}
