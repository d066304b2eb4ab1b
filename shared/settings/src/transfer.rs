//! The settings of a program for its workers on other machines.

use std::fmt;
use std::sync::Arc;

use runtime::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::reference::{self, Part};
use crate::value::{Value, Values};
use crate::{Document, Group, Settings, Source, oracle_cloud, protect, setting};

/// The values of all settings, secrets included, with the content of the documents that they name. A worker needs neither
/// the settings file nor access to buckets and vaults. Files that a setting names by its path, such as a client's
/// certificate, are not included.
///
/// Serialized, it contains secrets in plain text: send it over connections that only the workers can read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferredSettings {
    values: Vec<(String, String, Source)>,
    /// By the name of the setting: location and text of each document.
    documents: Vec<(String, Vec<(String, String)>)>,
    /// The values of references in documents, as `${…}`.
    references: Vec<(String, String)>,
}

impl fmt::Debug for TransferredSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} settings", self.values.len())
    }
}

impl Settings {
    /// These settings, for workers of the program.
    pub fn transferred(&self) -> TransferredSettings {
        let values = self.values.iter().map(|(name, value)| {
            let text = value.text.reveal().to_owned();
            (name.clone().into_owned(), text, value.source)
        });
        let documents = self.documents.iter().map(|(name, documents)| {
            let parts = |document: &Document| (document.location.clone(), document.text.clone());
            ((*name).to_owned(), documents.iter().map(parts).collect())
        });
        let references = self.references.iter();
        TransferredSettings {
            values: values.collect(),
            documents: documents.collect(),
            references: references
                .map(|(reference, value)| (reference.to_string(), value.reveal().to_owned()))
                .collect(),
        }
    }

    /// The settings that another process of the program has transferred. Those that `groups` do not have are ignored.
    /// `environment` is that of this process: a principal of Oracle Cloud is one of the machine.
    pub fn from_transferred(
        groups: &[&'static Group],
        transferred: &TransferredSettings,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let settings = setting::all(groups);
        let named = |name: &str| {
            settings
                .iter()
                .find(|setting| setting.name == name)
                .copied()
        };
        let values = transferred
            .values
            .iter()
            .filter_map(|(name, text, source)| {
                let is_property = || settings.iter().any(|one| one.property(name).is_some());
                let value = Value::new(text, *source);
                match named(name) {
                    Some(setting) => Some((setting.name.into(), value)),
                    None => is_property().then(|| (name.clone().into(), value)),
                }
            });
        let values: Values = values.collect();
        protect::values(&settings, &values);
        let documents = transferred
            .documents
            .iter()
            .filter_map(|(name, documents)| {
                let document = |(location, text): &(String, String)| Document {
                    location: location.clone(),
                    text: text.clone(),
                };
                let documents: Arc<[Document]> = documents.iter().map(document).collect();
                Some((named(name)?.name, documents))
            });
        let documents = documents.collect();
        let references = transferred.references.iter().filter_map(|(text, value)| {
            match reference::parts(text).ok()?.into_iter().next()? {
                Part::Reference(reference) => Some((reference, Secret::new(value))),
                Part::Text(_) => None,
            }
        });
        let references = references.collect();
        let settings = Self {
            documents,
            references,
            ..Self::with_defaults(settings, values)
        };
        Self {
            oracle_cloud: Some(oracle_cloud::config(&settings, environment)),
            ..settings
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{GROUPS, KAFKA_PASSWORD, ROUTES};

    #[tokio::test]
    async fn settings_are_the_same_after_a_transfer() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let token = file("token", "t0ken");
        let document = format!("a: ${{file:{token}}}, b: ${{KAFKA_PASSWORD}}, c: ${{env:PATH}}");
        let routes = file("routes.yaml", &document);
        let environment = |name: &str| match name {
            "KAFKA_PASSWORD" => Some("pass-word".to_owned()),
            "ROUTES" => Some(routes.clone()),
            _ => None,
        };
        let settings = Settings::gather(&GROUPS, &[], environment).await.unwrap();
        let text = serde_json::to_string(&settings.transferred()).unwrap();
        let transferred: TransferredSettings = serde_json::from_str(&text).unwrap();
        let received = Settings::from_transferred(&GROUPS, &transferred, environment);
        folder.close().unwrap();
        assert_eq!(received.transferred(), settings.transferred());
        assert_eq!(received.listing(), settings.listing());
        assert_eq!(
            received.oracle_cloud().is_ok(),
            settings.oracle_cloud().is_ok()
        );
        assert_eq!(
            received.secret(&KAFKA_PASSWORD).unwrap().reveal(),
            "pass-word"
        );
        let expanded = received
            .expand(received.document(&ROUTES).unwrap())
            .unwrap();
        let path = std::env::var("PATH").unwrap();
        assert_eq!(
            expanded.text.reveal(),
            format!("a: t0ken, b: pass-word, c: {path}")
        );
        assert!(!format!("{transferred:?}").contains("pass-word"));
    }
}
