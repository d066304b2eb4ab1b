//! Reads the values of settings from all layers, and the documents that settings name. Independent reads are
//! concurrent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use oci::SecretLocation;
use runtime::redact;
use runtime::secret::Secret;

use crate::access::Access;
use crate::common::CONFIG_LOCATION;
use crate::content::{Content, ContentError, ContentSource, LocalFiles};
use crate::oracle_cloud::OracleCloud;
use crate::part::{self, Part, Read, malformed, read, unfetched, unreadable};
use crate::properties::{Line, LineValue};
use crate::reference::{self, MAX_REFERENCES, Reference};
use crate::value::{Value, Values};
use crate::{
    Document, Group, Location, Setting, SettingError, Settings, Source, documents, environment,
    layers, protect, setting, trim,
};

impl Settings {
    /// Reads every setting of these groups: `flags` (name, value), then `environment`, then the file that
    /// `config_location` names, then defaults. An empty value counts as unset. A line `name_vaultOCID=<secret OCID>` of
    /// the file means that the secret's content is the value. Documents whose locations a setting gives (`avro_schema`,
    /// `routes`, `avro_schemas`) are read too: see [`Settings::document`] and [`Settings::documents`].
    ///
    /// Secrets and documents of other programs are not read, so a program needs no permission for them. Objects and
    /// secrets in Oracle Cloud are read concurrently, each once. Without a reference to Oracle Cloud in flags,
    /// environment and file, no request is sent.
    ///
    /// # Errors
    /// The first problem: the settings file, a document or a secret cannot be read, or a line names a setting that no
    /// program has.
    pub async fn gather(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        Gatherer::new(groups, flags, environment)
            .gather()
            .await
            .complete()
    }
}

/// Reads the settings of one program, repeatedly if needed.
pub(crate) struct Gatherer {
    access: Access,
    settings: Arc<[&'static Setting]>,
    /// The values of flags and environment.
    explicit: Values,
    cloud: OracleCloud,
}

/// The result of reading everything once.
pub(crate) struct Gathered {
    /// The settings, as far as they could be read.
    pub(crate) settings: Settings,
    pub(crate) parts: Vec<Part>,
}

impl Gathered {
    /// The settings, or the first error.
    pub(crate) fn complete(self) -> Result<Settings, SettingError> {
        let outcomes = self.parts.into_iter().map(|part| part.outcome);
        match outcomes.into_iter().find_map(Result::err) {
            Some(error) => Err(error),
            None => Ok(self.settings),
        }
    }
}

impl Gatherer {
    /// Takes flags and environment. Reads a local settings file, which may contain the settings for Oracle Cloud.
    pub(crate) fn new(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self::with(groups, flags, environment, Access::Online)
    }

    /// As [`Gatherer::new`], for settings that are read without a connection.
    pub(crate) fn offline(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self::with(groups, flags, environment, Access::Offline)
    }

    fn with(
        groups: &[&'static Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
        access: Access,
    ) -> Self {
        let settings = setting::all(groups);
        let explicit = layers::explicit(&settings, flags, &environment, &environment::properties());
        let mut early = explicit.clone();
        // `gather` reads the file again and reports errors.
        let lines = local_lines(&settings, &explicit).unwrap_or_default();
        layers::merge(&mut early, &lines);
        protect::values(&settings, &early);
        let early = Settings::with_defaults(Arc::clone(&settings), early);
        Self {
            access,
            settings,
            cloud: OracleCloud::new(&early, environment, access),
            explicit,
        }
    }

    pub(crate) fn cloud(&self) -> &OracleCloud {
        &self.cloud
    }

    /// Reads everything.
    pub(crate) async fn gather(&self) -> Gathered {
        // Documents of flags and environment are read at the same time as the settings file.
        let (early, (mut values, mut parts, read)) =
            tokio::join!(self.documents(&self.explicit, &[]), self.read_file());
        let unread = parts.iter().filter(|part| part.is_unread);
        let unread = unread.map(|part| part.setting.name).collect();
        layers::defaults(&self.settings, &mut values);
        let known: Vec<&str> = early
            .iter()
            .chain(&read)
            .map(|(part, _)| part.setting.name)
            .collect();
        // The location of a document may itself be in a secret.
        let late = self.documents(&values, &known).await;
        let mut documents: BTreeMap<_, Vec<Document>> = BTreeMap::new();
        for (part, text) in early.into_iter().chain(read).chain(late) {
            if let Some(text) = text {
                let read = documents.entry(part.setting.name).or_default();
                read.push(Document {
                    location: part.location.clone(),
                    text: text.reveal().to_owned(),
                });
            }
            parts.push(part);
        }
        let mut references = BTreeMap::new();
        for setting in self.settings.iter().filter(|setting| setting.references) {
            let texts = documents.get(setting.name).into_iter().flatten();
            let texts: Vec<&str> = texts.map(|document| &*document.text).collect();
            for (reference, (part, text)) in self.references(setting, &texts).await {
                if let Some(text) = text {
                    references.insert(reference, text);
                }
                parts.push(part);
            }
        }
        let documents = documents
            .into_iter()
            .map(|(name, read)| (name, read.into()))
            .collect();
        let principal = match self.cloud.signed_in() {
            Some(Ok(oci)) => Some(oci.principal().to_string().into()),
            Some(Err(_)) | None => None,
        };
        Gathered {
            settings: Settings {
                settings: Arc::clone(&self.settings),
                values,
                documents,
                references,
                principal,
                oracle_cloud: Some(self.cloud.config().clone()),
                access: self.access,
                unread,
            },
            parts,
        }
    }

    /// Reads the settings file, then at the same time its secrets and documents.
    async fn read_file(&self) -> (Values, Vec<Part>, Vec<Read>) {
        let (lines, part) = self.lines().await;
        let mut parts = Vec::from_iter(part);
        let mut values = self.explicit.clone();
        layers::merge(&mut values, &lines);
        protect::values(&self.settings, &values);
        let known: Vec<&str> = self.explicit.keys().map(AsRef::as_ref).collect();
        let (secrets, documents) =
            tokio::join!(self.secrets(&lines), self.documents(&values, &known));
        for (name, (part, text)) in secrets {
            if let Some(text) = text {
                let source = Source::Vault;
                values.insert(name, Value { text, source });
            }
            parts.push(part);
        }
        protect::values(&self.settings, &values);
        (values, parts, documents)
    }

    /// The lines of the settings file.
    async fn lines(&self) -> (Vec<Line>, Option<Part>) {
        let Some(value) = self.explicit.get(CONFIG_LOCATION.name) else {
            return (Vec::new(), None);
        };
        let text = value.text.reveal();
        let (lines, advice) = match text.parse() {
            Ok(Location::Object(object)) => match self.cloud.object(&object).await {
                Ok(content) => {
                    let lines = layers::parse(&self.settings, text, content.text.reveal());
                    (lines, None)
                }
                Err(error) => (Err(unfetched(&CONFIG_LOCATION, &error)), error.advice),
            },
            Ok(Location::File(_)) | Err(()) => (local_lines(&self.settings, &self.explicit), None),
        };
        let part = Part {
            setting: &CONFIG_LOCATION,
            location: text.to_owned(),
            outcome: lines
                .as_ref()
                .map(|lines| format!("{} settings", lines.len()))
                .map_err(Clone::clone),
            advice,
            is_unread: false,
        };
        (lines.unwrap_or_default(), Some(part))
    }

    /// The secrets of lines whose setting no higher layer sets.
    async fn secrets(&self, lines: &[Line]) -> Vec<(Cow<'static, str>, Read)> {
        let wanted = lines.iter().filter_map(|line| match &line.value {
            LineValue::Secret(location) => Some((line.name.clone(), line.setting?, location)),
            LineValue::Text(_) => None,
        });
        let reads = wanted
            .filter(|(name, ..)| !self.explicit.contains_key(name))
            .map(async |(name, setting, location)| {
                if self.access == Access::Offline {
                    return (
                        name,
                        part::unread(setting, format!("secret {location}"), ""),
                    );
                }
                let result = self.cloud.secret(location).await;
                let advice = result.as_ref().err().and_then(|error| error.advice);
                let result = result.map_err(|error| unfetched(setting, &error));
                (
                    name,
                    read(setting, format!("secret {location}"), result, advice),
                )
            });
        join_all(reads).await
    }

    /// The values of the references in documents of a setting, except those to settings.
    async fn references(
        &self,
        setting: &'static Setting,
        documents: &[&str],
    ) -> Vec<(Reference, Read)> {
        let mut found: Vec<Reference> = documents
            .iter()
            .flat_map(|text| reference::all_in(text))
            .filter(|reference| !matches!(reference, Reference::Setting(_)))
            .collect();
        // What is not read has no value, which is an error where it is used.
        found.truncate(MAX_REFERENCES);
        let reads = found.into_iter().map(async |reference| {
            let location = reference.to_string();
            let is_offline = self.access == Access::Offline;
            let (result, advice) = match &reference {
                Reference::Setting(_) => return None,
                Reference::Environment(name) => {
                    let text = std::env::var(name).ok()?;
                    let content = Content {
                        text: Secret::new(trim::value(&text)),
                        note: "set".to_owned(),
                        etag: None,
                    };
                    (Ok(content), None)
                }
                Reference::File(path) => {
                    let result = referenced_file(path).await;
                    if let (true, Err(error)) = (is_offline, &result) {
                        let reason = format!(": {}", error.reason);
                        return Some((reference, part::unread(setting, location, &reason)));
                    }
                    let location = path.display().to_string();
                    (
                        result.map_err(|error| unreadable(setting, &location, error)),
                        None,
                    )
                }
                Reference::Secret(_) if is_offline => {
                    return Some((reference, part::unread(setting, location, "")));
                }
                Reference::Secret(location) => {
                    let location: SecretLocation = location.parse().ok()?;
                    let result = self.cloud.secret(&location).await;
                    let advice = result.as_ref().err().and_then(|error| error.advice);
                    (result.map_err(|error| unfetched(setting, &error)), advice)
                }
            };
            let read = read(setting, location, result, advice);
            Some((reference, read))
        });
        let reads: Vec<_> = join_all(reads).await.into_iter().flatten().collect();
        let secrets = reads.iter().filter_map(|(reference, (_, text))| {
            let is_secret = matches!(reference, Reference::File(_) | Reference::Secret(_));
            text.clone().filter(|_| is_secret)
        });
        redact::protect(&format!("references of {}", setting.name), secrets);
        reads
    }

    /// The documents whose locations are in `values`, except those of the `known` settings.
    async fn documents(&self, values: &Values, known: &[&str]) -> Vec<Read> {
        let reads = self.settings.iter().filter_map(|setting| {
            let value = values.get(setting.name)?;
            let is_wanted =
                (setting.document || setting.documents) && !known.contains(&setting.name);
            is_wanted.then(|| documents::read_all(&self.cloud, setting, value.text.reveal()))
        });
        join_all(reads).await.into_iter().flatten().collect()
    }
}

/// The content of a file that a document refers to, trimmed as a secret is.
async fn referenced_file(path: &PathBuf) -> Result<Content, ContentError> {
    let content = LocalFiles.read(path, None).await?;
    let text = trim::secret(content.text.reveal().into());
    Ok(Content {
        text: Secret::new(text.map_err(ContentError::new)?),
        ..content
    })
}

/// The lines of a settings file of this machine; none if there is no file or it is an object.
fn local_lines(
    settings: &[&'static Setting],
    explicit: &Values,
) -> Result<Vec<Line>, SettingError> {
    let Some(value) = explicit.get(CONFIG_LOCATION.name) else {
        return Ok(Vec::new());
    };
    let text = value.text.reveal();
    match text.parse() {
        Ok(Location::File(path)) => {
            let content = LocalFiles::read_now(&path)
                .map_err(|error| unreadable(&CONFIG_LOCATION, text, error))?;
            layers::parse(settings, text, content.text.reveal())
        }
        Ok(Location::Object(_)) => Ok(Vec::new()),
        Err(()) => Err(malformed(&CONFIG_LOCATION, text)),
    }
}

#[cfg(test)]
mod tests;
