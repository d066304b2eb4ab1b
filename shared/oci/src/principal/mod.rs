//! Who we are to Oracle Cloud: a resource principal, an instance principal, or a user's API key.
//!
//! Hands on [`Credentials`] that are good now. Keys and tokens that come from files or services are taken anew,
//! together, five minutes before the token ends and once after a 401; what cannot be renewed stays as it is, and
//! the service says when it is too old.

mod api_key;
mod federation;
mod ini;
mod instance;
mod resource;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tracing::{info, warn};

use super::Clock;
use super::error::OciError;
use super::key::PrivateKey;
use super::ocid::Ocid;
use super::region::Region;
use runtime::secret::Secret;

pub use resource::ResourceVariables;

/// How long before its end a token is renewed, as in Oracle's Go SDK.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Which principal to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The first that is there, in the order below.
    Detect,
    /// The resource principal of a function or a container instance.
    Resource,
    /// The instance principal of a virtual machine.
    Instance,
    /// The API key or session of a user, from the configuration file of Oracle's tools.
    ApiKey,
}

/// Where to look for a principal.
#[derive(Clone, Debug)]
pub struct PrincipalConfig {
    /// Which principal to take.
    pub auth: Auth,
    /// The variables that the platform sets for a resource principal.
    pub resource: ResourceVariables,
    /// Where the instance metadata service answers.
    pub metadata: String,
    /// Where federation answers, if not in the region.
    pub federation: Option<String>,
    /// The configuration file of Oracle's tools.
    pub config_file: PathBuf,
    /// The profile in it.
    pub profile: String,
    /// The user's home, for `~` in that file.
    pub home: Option<PathBuf>,
    /// The region to use in place of the principal's own.
    pub region: Option<String>,
    /// The domain of a realm that is not known.
    pub default_domain: Option<String>,
    /// What time it is.
    pub clock: Clock,
}

/// A principal that was found; it keeps its credentials fresh.
pub struct Principal {
    source: Source,
    tenancy: Ocid,
    region: Region,
    held: Mutex<Arc<Credentials>>,
}

/// With what a request is signed.
#[derive(Debug)]
pub(super) struct Credentials {
    /// The `keyId` of the signature. A token is as good as a password.
    pub(super) key_id: Secret,
    /// The key.
    pub(super) key: PrivateKey,
    /// When the token ends; API keys do not.
    pub(super) expires: Option<SystemTime>,
}

enum Source {
    Resource(resource::ResourceSource),
    Instance(instance::InstanceSource),
    ApiKey(api_key::ApiKeySource),
}

/// What a source yields: the credentials and what they say about us.
struct Found {
    credentials: Credentials,
    tenancy: Ocid,
    region: String,
}

impl Principal {
    /// Takes the principal that the configuration names, or the first that is there, and logs which. One question to
    /// metadata or federation takes at most `bound`, attempts included, now and at each renewal.
    ///
    /// # Errors
    /// [`OciError::Setup`] in one sentence that names the variable, the file or the service that is wrong.
    pub async fn take(config: &PrincipalConfig, bound: Duration) -> Result<Self, OciError> {
        let source = source(config, bound).await?;
        let found = source.read().await?;
        let own = config.region.as_ref().unwrap_or(&found.region);
        let region = Region::new(own, found.tenancy.realm(), config.default_domain.as_deref())
            .map_err(|error| OciError::Setup(format!("{source}: {error}")))?;
        info!(principal = %source, tenancy = %found.tenancy, %region, "signing in to Oracle Cloud");
        Ok(Self {
            source,
            tenancy: found.tenancy,
            region,
            held: Mutex::new(Arc::new(found.credentials)),
        })
    }

    /// The region whose services are asked.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Credentials to sign with now. When they are about to end and cannot be renewed, the old ones are handed out:
    /// whether they still hold is for the service to say.
    pub(super) async fn credentials(&self, now: SystemTime) -> Arc<Credentials> {
        let mut held = self.held.lock().await;
        let is_ending = held.expires.is_some_and(|end| end <= now + RENEW_BEFORE);
        if is_ending
            && self.source.is_renewable()
            && let Some(fresh) = self.read_again().await
        {
            *held = Arc::new(fresh);
        }
        Arc::clone(&held)
    }

    /// After a 401: other credentials than those that were refused, or `None` when there are none.
    pub(super) async fn renew(&self, refused: &Credentials) -> Option<Arc<Credentials>> {
        let mut held = self.held.lock().await;
        if held.is_same(refused) && self.source.is_renewable() {
            *held = Arc::new(self.read_again().await?);
        }
        (!held.is_same(refused)).then(|| Arc::clone(&held))
    }

    /// A hint for whoever reads a 401: the token has ended.
    pub(super) async fn ended(&self, now: SystemTime) -> Option<String> {
        let end = self.held.lock().await.expires?;
        (end <= now).then(|| {
            format!(
                "the token of the {} ended at {}",
                self.source,
                httpdate::fmt_http_date(end)
            )
        })
    }

    async fn read_again(&self) -> Option<Credentials> {
        match self.source.read().await {
            Ok(found) => Some(found.credentials),
            Err(error) => {
                warn!(principal = %self.source, %error, "renewing the credentials failed; keeping the old ones");
                None
            }
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            tenancy,
            region,
            ..
        } = self;
        write!(f, "{source}, tenancy {tenancy}, region {region}")
    }
}

impl Credentials {
    fn is_same(&self, other: &Self) -> bool {
        self.key_id == other.key_id && self.key == other.key
    }
}

async fn source(config: &PrincipalConfig, bound: Duration) -> Result<Source, OciError> {
    let resource = || resource::ResourceSource::new(&config.resource).map(Source::Resource);
    let api_key = || Source::ApiKey(api_key::ApiKeySource::new(config));
    match config.auth {
        Auth::Resource => resource(),
        Auth::Instance => Ok(Source::Instance(instance::InstanceSource::new(
            config, bound,
        )?)),
        Auth::ApiKey => Ok(api_key()),
        Auth::Detect => {
            if config.resource.is_present() {
                return resource();
            }
            let instance = instance::InstanceSource::new(config, bound)?;
            if instance.is_there().await {
                return Ok(Source::Instance(instance));
            }
            if config.config_file.exists() {
                return Ok(api_key());
            }
            Err(OciError::Setup(format!(
                "nothing says who we are to Oracle Cloud: OCI_RESOURCE_PRINCIPAL_VERSION is not set, no metadata \
                 service answers at {}, and there is no {}; set OCI_AUTH to say which it should be",
                config.metadata,
                config.config_file.display()
            )))
        }
    }
}

impl Source {
    async fn read(&self) -> Result<Found, OciError> {
        match self {
            Self::Resource(source) => source.read(),
            Self::Instance(source) => source.read().await,
            Self::ApiKey(source) => source.read(),
        }
        .map_err(|reason| OciError::Setup(format!("{self}: {reason}")))
    }

    fn is_renewable(&self) -> bool {
        match self {
            Self::Resource(source) => source.is_renewable(),
            Self::Instance(_) | Self::ApiKey(_) => true,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(_) => f.write_str("resource principal"),
            Self::Instance(_) => f.write_str("instance principal"),
            Self::ApiKey(source) => write!(f, "API key of {source}"),
        }
    }
}
