//! Resource principal 2.2: the platform gives a key and a token to a function or a container instance.
//!
//! Each of `OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM` and `…_RPST` is an absolute path or the content itself ("Accessing
//! Other Oracle Cloud Infrastructure Resources from Running Functions", and Oracle's SDKs).

use std::path::{Path, PathBuf};

use runtime::files;
use runtime::secret::Secret;

use super::credentials::{Credentials, LoadedPrincipal};
use crate::error::OciError;
use crate::key::PrivateKey;
use crate::token::Token;

const VERSION: &str = "OCI_RESOURCE_PRINCIPAL_VERSION";
const TOKEN: &str = "OCI_RESOURCE_PRINCIPAL_RPST";
const KEY: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM";
const PASSPHRASE: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE";
const REGION: &str = "OCI_RESOURCE_PRINCIPAL_REGION";

/// The maximum size of a file, in bytes. Those of the platform are small.
const MAX_FILE: usize = 64 << 10;

/// The variables that the platform sets for a resource principal. Files that they name are not read yet.
#[derive(Clone, Debug, Default)]
pub struct ResourceVariables {
    version: Option<String>,
    token: Option<Secret>,
    key: Option<Secret>,
    passphrase: Option<Secret>,
    region: Option<String>,
}

impl ResourceVariables {
    /// Reads the variables.
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

    /// Whether the platform provides a resource principal.
    pub(super) fn is_present(&self) -> bool {
        self.version.is_some()
    }
}

/// Key and token, or the files that contain them.
pub(super) struct ResourceSource {
    token: PathOrContent,
    key: PathOrContent,
    passphrase: Option<PathOrContent>,
    region: String,
}

/// A variable's value: an absolute path is a file, other text is the content (the rule of Oracle's SDKs).
enum PathOrContent {
    Path(PathBuf),
    Content(Secret),
}

impl ResourceSource {
    pub(super) fn new(variables: &ResourceVariables) -> Result<Self, OciError> {
        let wrong = |reason: String| OciError::Setup(format!("resource principal: {reason}"));
        let missing = |name: &str| wrong(format!("{name} is not set"));
        match variables.version.as_deref() {
            Some("2.2") => {}
            Some(other) => {
                return Err(wrong(format!("{VERSION} is {other:?}; expected 2.2")));
            }
            None => return Err(missing(VERSION)),
        }
        let value = |secret: &Secret| match Path::new(secret.reveal()) {
            path if path.is_absolute() => PathOrContent::Path(path.to_owned()),
            _ => PathOrContent::Content(secret.clone()),
        };
        let source = Self {
            token: value(variables.token.as_ref().ok_or_else(|| missing(TOKEN))?),
            key: value(variables.key.as_ref().ok_or_else(|| missing(KEY))?),
            passphrase: variables.passphrase.as_ref().map(value),
            region: variables.region.clone().ok_or_else(|| missing(REGION))?,
        };
        let is_path = |value: &PathOrContent| matches!(value, PathOrContent::Path(_));
        if let Some(passphrase) = &source.passphrase
            && is_path(passphrase) != is_path(&source.key)
        {
            return Err(wrong(format!(
                "{KEY} and {PASSPHRASE} must both be paths or both be contents"
            )));
        }
        Ok(source)
    }

    /// Reads key and token.
    pub(super) fn load(&self) -> Result<LoadedPrincipal, String> {
        let passphrase = match &self.passphrase {
            Some(value) => Some(Secret::new(
                value
                    .read(PASSPHRASE)?
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
            .ok_or_else(|| format!("{name}: the token contains no tenancy (claim res_tenant)"))?;
        Ok(LoadedPrincipal {
            credentials: Credentials {
                key_id: token.key_id(),
                key,
                expires: token.expires(),
            },
            tenancy,
            region: self.region.clone(),
        })
    }

    /// Whether loading again can give other credentials: contents in variables never change.
    pub(super) fn is_renewable(&self) -> bool {
        matches!(
            (&self.key, &self.token),
            (PathOrContent::Path(_), _) | (_, PathOrContent::Path(_))
        )
    }
}

impl PathOrContent {
    fn read(&self, variable: &str) -> Result<Secret, String> {
        match self {
            Self::Path(path) => files::read_text(path, MAX_FILE)
                .map(Secret::new)
                .map_err(|error| format!("{variable} names {}: {error}", path.display())),
            Self::Content(secret) => Ok(secret.clone()),
        }
    }

    fn name(&self, variable: &str) -> String {
        match self {
            Self::Path(path) => format!("{variable} names {}", path.display()),
            Self::Content(_) => variable.to_owned(),
        }
    }
}
