//! Secrets in Vault (secret retrieval API 20190301), by OCID or by name, with an optional stage or version.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Extensions, Method};
use serde::Deserialize;

use runtime::rfc3339;
use runtime::text::percent_encode;

use crate::client::Oci;
use crate::error::OciError;
use crate::ocid::Ocid;

/// A secret has at most 25,600 bytes ("Vault Limits"), a third more in base64.
const MAX_RESPONSE: usize = 128 << 10;

/// The location of a secret's content.
///
/// Its text is `<secret OCID>` or `<vault OCID>/<name>`, followed, unless the current content is meant, by
/// `?stage=PENDING` (or `CURRENT`, `LATEST`, `PREVIOUS`, `DEPRECATED`) or `?version=3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretLocation {
    secret: SecretId,
    content: ContentVersion,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum SecretId {
    Ocid(Ocid),
    Named { vault: Ocid, name: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ContentVersion {
    Current,
    Stage(String),
    Version(u64),
}

/// The content of a secret. Prints the number of bytes only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBundle {
    /// The content, as it is stored in the vault.
    pub bytes: Vec<u8>,
    /// Its version, counted from 1.
    pub version: u64,
}

impl Oci {
    /// GetSecretBundle, by OCID or by name.
    ///
    /// # Errors
    /// No response, an error status (404 also if a policy is missing), or content that is not base64.
    pub async fn secret(&self, location: &SecretLocation) -> Result<SecretBundle, OciError> {
        let operation = format!("reading secret {location}");
        let (method, path) = location.request();
        let request = self.request(method, self.principal().region().secrets(), &path)?;
        let response = self
            .send(&operation, &request, &Extensions::new(), MAX_RESPONSE)
            .await?;
        // The error does not contain the response, which may be the secret.
        let bundle: Bundle = serde_json::from_slice(&response.body)
            .map_err(|_| response.unusable(&operation, "the response is not a secret bundle"))?;
        if let Some(expiry) = &bundle.expiry
            && is_past(expiry, self.now())
        {
            return Err(response.unusable(
                &operation,
                format!("its content expired at {expiry}; create a new version of the secret"),
            ));
        }
        if bundle.content.content_type != "BASE64" {
            return Err(response.unusable(&operation, "the content type is not BASE64"));
        }
        let bytes = STANDARD
            .decode(bundle.content.content)
            .map_err(|_| response.unusable(&operation, "the content is not base64"))?;
        Ok(SecretBundle {
            bytes,
            version: bundle.version,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    #[serde(rename = "versionNumber")]
    version: u64,
    #[serde(rename = "timeOfExpiry")]
    expiry: Option<String>,
    #[serde(rename = "secretBundleContent")]
    content: BundleContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BundleContent {
    content_type: String,
    content: String,
}

/// Whether an RFC 3339 time is past. Malformed text counts as past.
fn is_past(time: &str, now: SystemTime) -> bool {
    rfc3339::time(time).is_none_or(|time| time <= now)
}

impl SecretLocation {
    fn request(&self) -> (Method, String) {
        let content = match &self.content {
            ContentVersion::Current => None,
            ContentVersion::Stage(stage) => Some(format!("stage={stage}")),
            ContentVersion::Version(number) => Some(format!("versionNumber={number}")),
        };
        match &self.secret {
            SecretId::Ocid(id) => {
                let query = content.map_or_else(String::new, |content| format!("?{content}"));
                let id = percent_encode(id.as_str());
                (Method::GET, format!("/20190301/secretbundles/{id}{query}"))
            }
            SecretId::Named { vault, name } => {
                let query = content.map_or_else(String::new, |content| format!("&{content}"));
                let (name, vault) = (percent_encode(name), percent_encode(vault.as_str()));
                let path = "/20190301/secretbundles/actions/getByName";
                (
                    Method::POST,
                    format!("{path}?secretName={name}&vaultId={vault}{query}"),
                )
            }
        }
    }
}

impl FromStr for SecretLocation {
    /// What is wrong; completes a sentence that begins with the text.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (secret, query) = match text.split_once('?') {
            Some((secret, query)) => (secret, Some(query)),
            None => (text, None),
        };
        let (id, name) = match secret.split_once('/') {
            Some((id, name)) => (id, Some(name)),
            None => (secret, None),
        };
        let id: Ocid = id.parse().map_err(
            |()| "is not an OCID; expected ocid1.vaultsecret.<realm>.<region>.<unique id>",
        )?;
        let secret = match (id.kind(), name) {
            ("vaultsecret", None) => SecretId::Ocid(id),
            ("vault", Some(name)) if is_name(name) => SecretId::Named {
                vault: id,
                name: name.to_owned(),
            },
            ("vault", Some(_)) => return Err("has no secret name after the vault OCID"),
            ("vault", None) => {
                return Err(
                    "is the OCID of a vault; expected the OCID of a secret, or <vault OCID>/<name>",
                );
            }
            _ => {
                return Err("is not the OCID of a secret; expected ocid1.vaultsecret.…");
            }
        };
        let content = match query {
            None => ContentVersion::Current,
            Some(query) => content(query)
                .ok_or("has an unknown part after \"?\"; expected stage=… or version=<number>")?,
        };
        Ok(Self { secret, content })
    }
}

fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn content(query: &str) -> Option<ContentVersion> {
    match query.split_once('=')? {
        ("stage", stage) => ["CURRENT", "PENDING", "LATEST", "PREVIOUS", "DEPRECATED"]
            .contains(&stage)
            .then(|| ContentVersion::Stage(stage.to_owned())),
        ("version", number) => number.parse().ok().map(ContentVersion::Version),
        _ => None,
    }
}

impl fmt::Display for SecretLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.secret {
            SecretId::Ocid(id) => id.fmt(f)?,
            SecretId::Named { vault, name } => write!(f, "{vault}/{name}")?,
        }
        match &self.content {
            ContentVersion::Current => Ok(()),
            ContentVersion::Stage(stage) => write!(f, "?stage={stage}"),
            ContentVersion::Version(number) => write!(f, "?version={number}"),
        }
    }
}

impl fmt::Debug for SecretBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {}, {} bytes", self.version, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> String {
        let (method, path) = text.parse::<SecretLocation>().unwrap().request();
        format!("{method} {path}")
    }

    #[test]
    fn requests_a_secret_by_ocid_or_by_name() {
        let id = "ocid1.vaultsecret.oc1.sa-saopaulo-1.amaaaa";
        assert_eq!(request(id), format!("GET /20190301/secretbundles/{id}"));
        assert_eq!(
            request(&format!("{id}?stage=PREVIOUS")),
            format!("GET /20190301/secretbundles/{id}?stage=PREVIOUS")
        );
        assert_eq!(
            request(&format!("{id}?version=3")),
            format!("GET /20190301/secretbundles/{id}?versionNumber=3")
        );
        assert_eq!(
            request("ocid1.vault.oc1..v/AUTH_KEY?stage=LATEST"),
            "POST /20190301/secretbundles/actions/getByName?secretName=AUTH_KEY&vaultId=ocid1.vault.oc1..v&stage=LATEST"
        );
    }

    #[test]
    fn rejects_text_that_names_no_secret() {
        for (text, reason) in [
            ("", "is not an OCID"),
            ("ocid1.vaultsecret.REPLACE-WITH-YOURS", "is not an OCID"),
            ("ocid1.vault.oc1..v", "is the OCID of a vault"),
            ("ocid1.vault.oc1..v/", "has no secret name"),
            ("ocid1.vault.oc1..v/a b", "has no secret name"),
            ("ocid1.bucket.oc1..v", "is not the OCID of a secret"),
            (
                "ocid1.vaultsecret.oc1..s/name",
                "is not the OCID of a secret",
            ),
            ("ocid1.vaultsecret.oc1..s?stage=OLD", "has an unknown part"),
            ("ocid1.vaultsecret.oc1..s?version=-1", "has an unknown part"),
            ("ocid1.vaultsecret.oc1..s?", "has an unknown part"),
        ] {
            let error = text.parse::<SecretLocation>().unwrap_err();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_expiry_may_have_any_time_zone() {
        let now = rfc3339::time("2026-11-22T08:13:29Z").unwrap();
        for past in [
            "2026-11-22T08:13:29.000Z",
            "2026-11-22T09:13:28+01:00",
            "soon",
            "",
        ] {
            assert!(is_past(past, now), "{past}");
        }
        for ahead in ["2026-11-22T08:13:29.001Z", "2026-11-22T07:13:30-01:00"] {
            assert!(!is_past(ahead, now), "{ahead}");
        }
    }

    #[test]
    fn prints_its_location_and_never_its_content() {
        let text = "ocid1.vault.oc1..v/NAME?version=2";
        assert_eq!(text.parse::<SecretLocation>().unwrap().to_string(), text);
        let bundle = SecretBundle {
            bytes: b"hunter2".to_vec(),
            version: 4,
        };
        assert_eq!(format!("{bundle:?}"), "version 4, 7 bytes");
    }
}
