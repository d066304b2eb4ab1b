//! Resource principal 2.2: the platform hands a function or a container instance a key and a token.
//!
//! Each of `OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM` and `…_RPST` is an absolute path or the text itself ("Accessing
//! Other Oracle Cloud Infrastructure Resources from Running Functions", and Oracle's SDKs).

use std::path::{Path, PathBuf};

use super::super::key::PrivateKey;
use super::super::token::Token;
use super::{Credentials, Found, OciError};
use runtime::files;
use runtime::secret::Secret;

const VERSION: &str = "OCI_RESOURCE_PRINCIPAL_VERSION";
const TOKEN: &str = "OCI_RESOURCE_PRINCIPAL_RPST";
const KEY: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM";
const PASSPHRASE: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE";
const REGION: &str = "OCI_RESOURCE_PRINCIPAL_REGION";

/// Files of the platform are small; what is larger is something else.
const MAX_FILE: usize = 64 << 10;

/// What the platform sets for a resource principal, unread.
#[derive(Clone, Debug, Default)]
pub struct ResourceVariables {
    version: Option<String>,
    token: Option<Secret>,
    key: Option<Secret>,
    passphrase: Option<Secret>,
    region: Option<String>,
}

impl ResourceVariables {
    /// Looks the variables up.
    pub fn from_environment(environment: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        Self {
            version: variable(VERSION),
            token: variable(TOKEN).map(Secret::new),
            key: variable(KEY).map(Secret::new),
            passphrase: variable(PASSPHRASE).map(Secret::new),
            region: variable(REGION),
        }
    }

    /// True if the platform says that there is one.
    pub(super) fn is_present(&self) -> bool {
        self.version.is_some()
    }
}

/// Where key and token are, checked but unread.
pub(super) struct ResourceSource {
    token: Held,
    key: Held,
    passphrase: Option<Held>,
    region: String,
}

/// The rule of all SDKs: an absolute path is a path, anything else is the content.
enum Held {
    Path(PathBuf),
    Inline(Secret),
}

impl ResourceSource {
    pub(super) fn new(variables: &ResourceVariables) -> Result<Self, OciError> {
        let wrong = |reason: String| OciError::Setup(format!("resource principal: {reason}"));
        let missing = |name: &str| wrong(format!("{name} is not set"));
        match variables.version.as_deref() {
            Some("2.2") => {}
            Some(other) => {
                return Err(wrong(format!("{VERSION} is {other:?}; only 2.2 is known")));
            }
            None => return Err(missing(VERSION)),
        }
        let held = |secret: &Secret| match Path::new(secret.reveal()) {
            path if path.is_absolute() => Held::Path(path.to_owned()),
            _ => Held::Inline(secret.clone()),
        };
        let source = Self {
            token: held(variables.token.as_ref().ok_or_else(|| missing(TOKEN))?),
            key: held(variables.key.as_ref().ok_or_else(|| missing(KEY))?),
            passphrase: variables.passphrase.as_ref().map(held),
            region: variables.region.clone().ok_or_else(|| missing(REGION))?,
        };
        let is_path = |held: &Held| matches!(held, Held::Path(_));
        if let Some(passphrase) = &source.passphrase
            && is_path(passphrase) != is_path(&source.key)
        {
            return Err(wrong(format!(
                "{KEY} and {PASSPHRASE} must both be paths or both be the values themselves"
            )));
        }
        Ok(source)
    }

    /// Key and token, read together.
    pub(super) fn read(&self) -> Result<Found, String> {
        let passphrase = match &self.passphrase {
            Some(held) => Some(Secret::new(
                held.read(PASSPHRASE)?
                    .reveal()
                    .trim_end_matches(['\r', '\n']),
            )),
            None => None,
        };
        let pem = self.key.read(KEY)?;
        let key = PrivateKey::from_pem(pem.reveal().as_bytes(), passphrase.as_ref())
            .map_err(|error| format!("{}: {error}", self.key.name(KEY)))?;
        let name = self.token.name(TOKEN);
        let token = Token::parse(self.token.read(TOKEN)?.reveal())
            .map_err(|error| format!("{name}: {error}"))?;
        let tenancy = token
            .tenancy()
            .cloned()
            .ok_or_else(|| format!("{name}: the token names no tenancy (claim res_tenant)"))?;
        Ok(Found {
            credentials: Credentials {
                key_id: token.key_id(),
                key,
                expires: token.expires(),
            },
            tenancy,
            region: self.region.clone(),
        })
    }

    /// Values that were given inline stay what they are.
    pub(super) fn is_renewable(&self) -> bool {
        matches!(
            (&self.key, &self.token),
            (Held::Path(_), _) | (_, Held::Path(_))
        )
    }
}

impl Held {
    fn read(&self, variable: &str) -> Result<Secret, String> {
        match self {
            Self::Path(path) => files::read_text(path, MAX_FILE)
                .map(Secret::new)
                .map_err(|error| format!("{variable} names {}: {error}", path.display())),
            Self::Inline(secret) => Ok(secret.clone()),
        }
    }

    fn name(&self, variable: &str) -> String {
        match self {
            Self::Path(path) => format!("{variable} names {}", path.display()),
            Self::Inline(_) => variable.to_owned(),
        }
    }
}
