//! Secrets of Vault (secret retrieval API 20190301), by OCID or by name, at a stage or version.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Extensions, Method};
use serde::Deserialize;

use super::client::{Oci, encode};
use super::error::OciError;
use super::ocid::Ocid;
use runtime::rfc3339;

/// A secret has at most 25,600 bytes ("Vault Limits"), a third more in base64.
const MAX_ANSWER: usize = 128 << 10;

/// Which secret, and which of its contents.
///
/// Written `<secret OCID>`, or `<vault OCID>/<name>`; then, if it is not the current content, `?stage=PENDING`
/// (or `CURRENT`, `LATEST`, `PREVIOUS`, `DEPRECATED`) or `?version=3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretLocation {
    secret: Which,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Which {
    Ocid(Ocid),
    Named { vault: Ocid, name: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Content {
    Current,
    Stage(String),
    Version(u64),
}

/// A secret's content; its bytes print as their number.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBundle {
    /// The content, as it was put into the vault.
    pub bytes: Vec<u8>,
    /// Its version, counted from 1.
    pub version: u64,
}

impl Oci {
    /// GetSecretBundle, by OCID or by name.
    ///
    /// # Errors
    /// No answer, a refusal (404 also where a policy is missing), or content that is not base64.
    pub async fn secret(&self, location: &SecretLocation) -> Result<SecretBundle, OciError> {
        let doing = format!("reading secret {location}");
        let (method, path) = location.request();
        let request = self.request(method, self.principal().region().secrets(), &path)?;
        let answer = self
            .ask(&doing, &request, &Extensions::new(), MAX_ANSWER)
            .await?;
        // Neither error names what was met: it may be the secret itself.
        let bundle: Bundle = serde_json::from_slice(&answer.body)
            .map_err(|_| answer.unusable(&doing, "the answer is no secret bundle"))?;
        if let Some(expiry) = &bundle.expiry
            && is_past(expiry, self.now())
        {
            return Err(answer.unusable(
                &doing,
                format!("its content expired at {expiry}; put a new version into the vault"),
            ));
        }
        if bundle.content.content_type != "BASE64" {
            return Err(answer.unusable(&doing, "the content is of another type than BASE64"));
        }
        let bytes = STANDARD
            .decode(bundle.content.content)
            .map_err(|_| answer.unusable(&doing, "the content is not base64"))?;
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

/// True if a time, as the service writes it, is past; what is no time counts as past.
fn is_past(time: &str, now: SystemTime) -> bool {
    rfc3339::time(time).is_none_or(|time| time <= now)
}

impl SecretLocation {
    fn request(&self) -> (Method, String) {
        let content = match &self.content {
            Content::Current => None,
            Content::Stage(stage) => Some(format!("stage={stage}")),
            Content::Version(number) => Some(format!("versionNumber={number}")),
        };
        match &self.secret {
            Which::Ocid(id) => {
                let query = content.map_or_else(String::new, |content| format!("?{content}"));
                let id = encode(id.as_str());
                (Method::GET, format!("/20190301/secretbundles/{id}{query}"))
            }
            Which::Named { vault, name } => {
                let query = content.map_or_else(String::new, |content| format!("&{content}"));
                let (name, vault) = (encode(name), encode(vault.as_str()));
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
    /// What is wrong, as a phrase after the text.
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
        let id: Ocid = id
            .parse()
            .map_err(|()| "is no OCID; expected ocid1.vaultsecret.<realm>.<region>.<unique id>")?;
        let secret = match (id.kind(), name) {
            ("vaultsecret", None) => Which::Ocid(id),
            ("vault", Some(name)) if is_name(name) => Which::Named {
                vault: id,
                name: name.to_owned(),
            },
            ("vault", Some(_)) => return Err("has no secret's name after the vault's OCID"),
            ("vault", None) => {
                return Err(
                    "is the OCID of a vault; expected the secret's own, or <vault OCID>/<name>",
                );
            }
            _ => {
                return Err(
                    "is the OCID of something else; expected that of a secret (ocid1.vaultsecret.…)",
                );
            }
        };
        let content = match query {
            None => Content::Current,
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

fn content(query: &str) -> Option<Content> {
    match query.split_once('=')? {
        ("stage", stage) => ["CURRENT", "PENDING", "LATEST", "PREVIOUS", "DEPRECATED"]
            .contains(&stage)
            .then(|| Content::Stage(stage.to_owned())),
        ("version", number) => number.parse().ok().map(Content::Version),
        _ => None,
    }
}

impl fmt::Display for SecretLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.secret {
            Which::Ocid(id) => id.fmt(f)?,
            Which::Named { vault, name } => write!(f, "{vault}/{name}")?,
        }
        match &self.content {
            Content::Current => Ok(()),
            Content::Stage(stage) => write!(f, "?stage={stage}"),
            Content::Version(number) => write!(f, "?version={number}"),
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
    fn a_secret_is_asked_for_by_ocid_or_by_name() {
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
    fn what_names_no_secret_says_what_it_is() {
        for (text, reason) in [
            ("", "is no OCID"),
            ("ocid1.vaultsecret.REPLACE-WITH-YOURS", "is no OCID"),
            ("ocid1.vault.oc1..v", "is the OCID of a vault"),
            ("ocid1.vault.oc1..v/", "has no secret's name"),
            ("ocid1.vault.oc1..v/a b", "has no secret's name"),
            ("ocid1.bucket.oc1..v", "is the OCID of something else"),
            (
                "ocid1.vaultsecret.oc1..s/name",
                "is the OCID of something else",
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
    fn a_contents_expiry_is_a_time_in_any_zone() {
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
    fn prints_as_it_was_written_and_never_its_content() {
        let text = "ocid1.vault.oc1..v/NAME?version=2";
        assert_eq!(text.parse::<SecretLocation>().unwrap().to_string(), text);
        let bundle = SecretBundle {
            bytes: b"hunter2".to_vec(),
            version: 4,
        };
        assert_eq!(format!("{bundle:?}"), "version 4, 7 bytes");
    }
}
