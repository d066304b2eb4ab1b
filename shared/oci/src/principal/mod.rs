//! The principal that signs requests: a resource principal, an instance principal, or the API key of a user.
//!
//! A [`Principal`] has credentials. Those from files or services are renewed five minutes before the token expires and
//! once after a 401. If that fails, the old credentials stay in use and the service rejects them when they expire.

mod api_key;
mod config;
mod credentials;
mod federation;
mod identity;
mod ini;
mod instance;
mod resource;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tracing::{info, warn};

use credentials::LoadedPrincipal;

use crate::error::OciError;
use crate::ocid::Ocid;
use crate::region::Region;

pub use config::{Auth, PrincipalConfig};
pub(crate) use credentials::Credentials;
pub use resource::ResourceVariables;

/// How long before its expiry a token is renewed, as in Oracle's Go SDK.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// A principal and its credentials, which it renews.
pub struct Principal {
    source: PrincipalSource,
    tenancy: Ocid,
    region: Region,
    credentials: Mutex<Arc<Credentials>>,
}

enum PrincipalSource {
    Resource(resource::ResourceSource),
    Instance(instance::InstanceSource),
    ApiKey(api_key::ApiKeySource),
}

impl Principal {
    /// Loads the configured principal, or the first that exists, and logs which. One operation of the metadata service
    /// or federation takes at most `timeout`, with all attempts, now and at each renewal.
    ///
    /// # Errors
    /// [`OciError::Setup`], in one sentence that names the invalid variable, file or service.
    pub async fn load(config: &PrincipalConfig, timeout: Duration) -> Result<Self, OciError> {
        let source = source(config, timeout).await?;
        let loaded = source.load().await?;
        let name = config.region.as_ref().unwrap_or(&loaded.region);
        let region = Region::new(
            name,
            loaded.tenancy.realm(),
            config.default_domain.as_deref(),
        )
        .map_err(|error| OciError::Setup(format!("{source}: {error}")))?;
        info!(principal = %source, tenancy = %loaded.tenancy, %region, "signing in to Oracle Cloud");
        Ok(Self {
            source,
            tenancy: loaded.tenancy,
            region,
            credentials: Mutex::new(Arc::new(loaded.credentials)),
        })
    }

    /// The region whose services are used.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The credentials for a request. If they are about to expire and cannot be renewed, the old ones are returned.
    pub(crate) async fn credentials(&self, now: SystemTime) -> Arc<Credentials> {
        let mut credentials = self.credentials.lock().await;
        let is_expiring = credentials
            .expires
            .is_some_and(|expires| expires <= now + RENEW_BEFORE);
        if is_expiring
            && self.source.is_renewable()
            && let Some(fresh) = self.load_again().await
        {
            *credentials = Arc::new(fresh);
        }
        Arc::clone(&credentials)
    }

    /// After a 401: credentials that differ from the rejected ones, or `None` if there are none.
    pub(crate) async fn renew(&self, rejected: &Credentials) -> Option<Arc<Credentials>> {
        let mut credentials = self.credentials.lock().await;
        if credentials.is_same(rejected) && self.source.is_renewable() {
            *credentials = Arc::new(self.load_again().await?);
        }
        (!credentials.is_same(rejected)).then(|| Arc::clone(&credentials))
    }

    /// The reason of a 401, if it is an expired token.
    pub(crate) async fn expiry_hint(&self, now: SystemTime) -> Option<String> {
        let expires = self.credentials.lock().await.expires?;
        (expires <= now).then(|| {
            format!(
                "the token of the {} expired at {}",
                self.source,
                httpdate::fmt_http_date(expires)
            )
        })
    }

    async fn load_again(&self) -> Option<Credentials> {
        match self.source.load().await {
            Ok(loaded) => Some(loaded.credentials),
            Err(error) => {
                warn!(principal = %self.source, %error, "renewing the credentials failed, old credentials kept");
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

async fn source(config: &PrincipalConfig, timeout: Duration) -> Result<PrincipalSource, OciError> {
    let resource =
        || resource::ResourceSource::new(&config.resource).map(PrincipalSource::Resource);
    let api_key = || PrincipalSource::ApiKey(api_key::ApiKeySource::new(config));
    match config.auth {
        Auth::Resource => resource(),
        Auth::Instance => Ok(PrincipalSource::Instance(instance::InstanceSource::new(
            config, timeout,
        )?)),
        Auth::ApiKey => Ok(api_key()),
        Auth::Detect => {
            if config.resource.is_present() {
                return resource();
            }
            let instance = instance::InstanceSource::new(config, timeout)?;
            if instance.is_available().await {
                return Ok(PrincipalSource::Instance(instance));
            }
            if config.config_file.exists() {
                return Ok(api_key());
            }
            Err(OciError::Setup(format!(
                "found no Oracle Cloud principal: OCI_RESOURCE_PRINCIPAL_VERSION is not set, no metadata service responds \
                 at {}, and {} does not exist; OCI_AUTH selects one",
                config.metadata,
                config.config_file.display()
            )))
        }
    }
}

impl PrincipalSource {
    async fn load(&self) -> Result<LoadedPrincipal, OciError> {
        match self {
            Self::Resource(source) => source.load(),
            Self::Instance(source) => source.load().await,
            Self::ApiKey(source) => source.load(),
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

impl fmt::Display for PrincipalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(_) => f.write_str("resource principal"),
            Self::Instance(_) => f.write_str("instance principal"),
            Self::ApiKey(source) => write!(f, "API key of {source}"),
        }
    }
}
