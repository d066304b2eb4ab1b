//! A user's API key, or session token, from the configuration file of Oracle's tools (`~/.oci/config`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::super::key::PrivateKey;
use super::super::ocid::Ocid;
use super::super::token::Token;
use super::{Credentials, Found, PrincipalConfig, ini};
use runtime::files;
use runtime::secret::Secret;
use runtime::text;

const MAX_FILE: usize = 1 << 20;

/// Which profile of which file.
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

    /// Everything anew from the disk: a key or a session that was replaced is found.
    pub(super) fn read(&self) -> Result<Found, String> {
        let text = files::read_text(&self.file, MAX_FILE)?;
        let mut profiles =
            ini::parse(&text).map_err(|(line, reason)| format!("line {line}: {reason}"))?;
        let Some(profile) = profiles.remove(&self.profile) else {
            let known: Vec<String> = profiles.keys().map(|name| format!("[{name}]")).collect();
            return Err(format!(
                "there is no such profile; the file has {}",
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
        self.found(&entries)
    }

    fn found(&self, entries: &Entries<'_>) -> Result<Found, String> {
        for unsupported in ["delegation_token_file", "authentication_type"] {
            if let Some(value) = entries.get(unsupported) {
                return Err(format!(
                    "{unsupported}={value} is not supported here; OCI_AUTH chooses other principals"
                ));
            }
        }
        let tenancy = entries.ocid("tenancy")?;
        let key = entries.key()?;
        let fingerprint = entries.fingerprint(&key)?;
        let region = match entries.get("region") {
            Some(region) => region.to_owned(),
            // Never looked at: the setting oci_region takes its place.
            None if self.has_region => String::new(),
            None => return Err("region is not set, nor is OCI_REGION".to_owned()),
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
        Ok(Found {
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

/// One profile's keys and values.
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

    /// The fingerprint, which must be the key's: otherwise the service would only say 401.
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
