//! The API key or session token of a user, from the configuration file of Oracle's tools (`~/.oci/config`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use runtime::files;
use runtime::secret::Secret;
use runtime::text;

use super::config::PrincipalConfig;
use super::credentials::{Credentials, LoadedPrincipal};
use super::ini;
use crate::key::PrivateKey;
use crate::ocid::Ocid;
use crate::token::Token;

const MAX_FILE: usize = 1 << 20;

/// A profile of a configuration file.
pub(super) struct ApiKeySource {
    file: PathBuf,
    profile: String,
    home: Option<PathBuf>,
    has_region: bool,
}

impl ApiKeySource {
    pub(super) fn new(config: &PrincipalConfig) -> Self {
        Self {
            file: config.config_file.clone(),
            profile: config.profile.clone(),
            home: config.home.clone(),
            has_region: config.region.is_some(),
        }
    }

    /// Reads all files again, so that a replaced key or session is used.
    pub(super) fn load(&self) -> Result<LoadedPrincipal, String> {
        let text = files::read_text(&self.file, MAX_FILE)?;
        let mut profiles =
            ini::parse(&text).map_err(|(line, reason)| format!("line {line}: {reason}"))?;
        let Some(profile) = profiles.remove(&self.profile) else {
            let known: Vec<String> = profiles.keys().map(|name| format!("[{name}]")).collect();
            return Err(format!(
                "the profile does not exist; the file has {}",
                if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                }
            ));
        };
        let entries = Entries {
            profile: &profile,
            home: self.home.as_deref(),
        };
        self.loaded(&entries)
    }

    fn loaded(&self, entries: &Entries<'_>) -> Result<LoadedPrincipal, String> {
        for unsupported in ["delegation_token_file", "authentication_type"] {
            if let Some(value) = entries.get(unsupported) {
                return Err(format!(
                    "{unsupported}={value} is not supported; set OCI_AUTH to use another principal"
                ));
            }
        }
        let tenancy = entries.ocid("tenancy")?;
        let key = entries.key()?;
        let fingerprint = entries.fingerprint(&key)?;
        let region = match entries.get("region") {
            Some(region) => region.to_owned(),
            // Not used: the setting oci_region overrides it.
            None if self.has_region => String::new(),
            None => return Err("neither region nor OCI_REGION is set".to_owned()),
        };
        let (key_id, expires) = match entries.get("security_token_file") {
            Some(file) => {
                let path = text::path(file, entries.home);
                let token = files::read_text(&path, MAX_FILE)
                    .and_then(|text| Token::parse(&text).map_err(str::to_owned))
                    .map_err(|error| format!("security_token_file {}: {error}", path.display()))?;
                (token.key_id(), token.expires())
            }
            None => {
                let user = entries.ocid("user")?;
                (Secret::new(format!("{tenancy}/{user}/{fingerprint}")), None)
            }
        };
        Ok(LoadedPrincipal {
            credentials: Credentials {
                key_id,
                key,
                expires,
            },
            tenancy,
            region,
        })
    }
}

/// The keys and values of a profile.
struct Entries<'a> {
    profile: &'a BTreeMap<String, String>,
    home: Option<&'a Path>,
}

impl Entries<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.profile
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn required(&self, key: &str) -> Result<&str, String> {
        self.get(key).ok_or_else(|| format!("{key} is not set"))
    }

    fn ocid(&self, key: &str) -> Result<Ocid, String> {
        let text = self.required(key)?;
        match text.parse::<Ocid>() {
            Ok(id) if id.kind() == key => Ok(id),
            _ => Err(format!("{key} is {text:?}, expected ocid1.{key}.…")),
        }
    }

    fn key(&self) -> Result<PrivateKey, String> {
        let path = text::path(self.required("key_file")?, self.home);
        let passphrase = self
            .get("pass_phrase")
            .or_else(|| self.get("passphrase"))
            .map(Secret::new);
        let pem = files::read_text(&path, MAX_FILE)
            .map_err(|error| format!("key_file {}: {error}", path.display()))?;
        PrivateKey::from_pem(pem.as_bytes(), passphrase.as_ref())
            .map_err(|error| format!("key_file {}: {error}", path.display()))
    }

    /// The fingerprint. It must match the key: otherwise the service would respond with 401 and no reason.
    fn fingerprint(&self, key: &PrivateKey) -> Result<String, String> {
        let stated = self.required("fingerprint")?.to_ascii_lowercase();
        let own = key.fingerprint().map_err(|error| error.to_string())?;
        if stated == own {
            Ok(own)
        } else {
            Err(format!(
                "fingerprint is {stated:?}, but the key in key_file has {own}"
            ))
        }
    }
}

impl fmt::Display for ApiKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.file.display(), self.profile)
    }
}
