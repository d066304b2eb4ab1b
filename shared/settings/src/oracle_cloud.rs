//! Object Storage and Vault as stores of documents and secrets. Sign-in happens at the first read; each object and
//! secret is read once in a round.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use oci::principal::{Auth, PrincipalConfig, ResourceVariables};
use oci::{ListedObject, ObjectLocation, ObjectPrefix, Oci, OciConfig, OciError, SecretLocation};
use runtime::files;
use runtime::secret::Secret;

use crate::access::Access;
use crate::cache::{Cache, Once, lock};
use crate::common::{
    OCI_AUTH, OCI_CONFIG_FILE, OCI_DEFAULT_REALM, OCI_ENDPOINT, OCI_METADATA_BASE_URL, OCI_PROFILE,
    OCI_REGION, OCI_TIMEOUT,
};
use crate::content::{Content, ContentError, ContentSource, MAX_DOCUMENT};
use crate::{SettingError, Settings, trim};

/// Oracle Cloud, for one program.
pub(crate) struct OracleCloud {
    access: Access,
    config: Result<OciConfig, SettingError>,
    client: Mutex<Once<Arc<Oci>>>,
    namespaces: Cache<TenancyNamespace>,
    objects: Cache<ObjectLocation>,
    lists: Cache<ObjectPrefix, Arc<[ListedObject]>>,
    secrets: Cache<SecretLocation>,
}

/// The location of the tenancy's Object Storage namespace.
#[derive(Clone, PartialEq, Eq, Hash)]
struct TenancyNamespace;

impl fmt::Display for TenancyNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the Object Storage namespace")
    }
}

impl OracleCloud {
    /// Takes the settings for Oracle Cloud. Sends no request.
    pub(crate) fn new(
        settings: &Settings,
        environment: impl Fn(&str) -> Option<String>,
        access: Access,
    ) -> Self {
        Self {
            access,
            config: config(settings, environment),
            client: Mutex::default(),
            namespaces: Cache::default(),
            objects: Cache::default(),
            lists: Cache::default(),
            secrets: Cache::default(),
        }
    }

    /// The configuration of the client.
    pub(crate) fn config(&self) -> &Result<OciConfig, SettingError> {
        &self.config
    }

    /// The text of an object.
    pub(crate) async fn object(&self, location: &ObjectLocation) -> Result<Content, ContentError> {
        self.objects.read(self, location).await
    }

    /// The text of an object that a list contains. If it still has the listed entity tag, no request is sent.
    pub(crate) async fn listed_object(
        &self,
        location: &ObjectLocation,
        etag: Option<&str>,
    ) -> Result<Content, ContentError> {
        match self.objects.last(location) {
            Some(last) if etag.is_some() && last.etag.as_deref() == etag => Ok(last),
            _ => self.object(location).await,
        }
    }

    /// The objects below a prefix.
    pub(crate) async fn list(
        &self,
        prefix: &ObjectPrefix,
    ) -> Result<Arc<[ListedObject]>, ContentError> {
        self.lists.read(self, prefix).await
    }

    /// The content of a secret, trimmed.
    pub(crate) async fn secret(&self, location: &SecretLocation) -> Result<Content, ContentError> {
        self.secrets.read(self, location).await
    }

    /// The result of the sign-in, if there was one.
    pub(crate) fn signed_in(&self) -> Option<Result<Arc<Oci>, ContentError>> {
        lock(&self.client).get().cloned()
    }

    /// The tenancy's namespace, if it was read.
    pub(crate) fn known_namespace(&self) -> Option<Result<String, ContentError>> {
        let read = self.namespaces.peek(&TenancyNamespace)?;
        Some(read.map(|content| content.text.reveal().to_owned()))
    }

    /// Starts a round: every object and secret is read again. A sign-in that failed is repeated.
    pub(crate) fn begin_round(&self) {
        let mut client = lock(&self.client);
        if matches!(client.get(), Some(Err(_))) {
            *client = Arc::default();
        }
        self.namespaces.begin_round();
        self.objects.begin_round();
        self.lists.begin_round();
        self.secrets.begin_round();
    }

    /// The location with its namespace: if it states none, the tenancy's own.
    async fn with_namespace(
        &self,
        location: &ObjectLocation,
    ) -> Result<ObjectLocation, ContentError> {
        let namespace = match &location.namespace {
            Some(namespace) => namespace.clone(),
            None => {
                let content = self.namespaces.read(self, &TenancyNamespace).await?;
                content.text.reveal().to_owned()
            }
        };
        Ok(ObjectLocation {
            namespace: Some(namespace),
            ..location.clone()
        })
    }

    /// Signs in, once. Concurrent callers wait for the same result.
    async fn sign_in(&self) -> Result<Arc<Oci>, ContentError> {
        if self.access == Access::Offline {
            return Err(ContentError {
                reason: "it is in Oracle Cloud, which is not read offline".to_owned(),
                advice: Some("name a local copy"),
            });
        }
        let slot = Arc::clone(&lock(&self.client));
        let client = slot.get_or_init(async || {
            let config = self
                .config
                .as_ref()
                .map_err(|error| ContentError::new(error.to_string()))?;
            Ok(Arc::new(Oci::sign_in(config).await?))
        });
        client.await.clone()
    }
}

impl ContentSource<ObjectPrefix, Arc<[ListedObject]>> for OracleCloud {
    async fn read(
        &self,
        ObjectPrefix(location): &ObjectPrefix,
        _: Option<Arc<[ListedObject]>>,
    ) -> Result<Arc<[ListedObject]>, ContentError> {
        let oci = self.sign_in().await?;
        let location = self.with_namespace(location).await?;
        Ok(oci.list(&ObjectPrefix(location)).await?.into())
    }
}

impl ContentSource<TenancyNamespace> for OracleCloud {
    async fn read(
        &self,
        _: &TenancyNamespace,
        last: Option<Content>,
    ) -> Result<Content, ContentError> {
        match last {
            // A tenancy's namespace never changes.
            Some(known) => Ok(known),
            None => {
                let text = self.sign_in().await?.namespace().await?;
                Ok(Content {
                    text: Secret::new(text),
                    note: String::new(),
                    etag: None,
                })
            }
        }
    }
}

impl ContentSource<ObjectLocation> for OracleCloud {
    async fn read(
        &self,
        location: &ObjectLocation,
        last: Option<Content>,
    ) -> Result<Content, ContentError> {
        let oci = self.sign_in().await?;
        let location = &self.with_namespace(location).await?;
        let etag = last.as_ref().and_then(|last| last.etag.as_deref());
        let Some(object) = oci.object(location, etag, MAX_DOCUMENT).await? else {
            return last.ok_or_else(|| {
                ContentError::new("the service answered 304 to a request without If-None-Match")
            });
        };
        let note = format!("{} bytes", object.bytes.len());
        let text = files::text(object.bytes, MAX_DOCUMENT).map_err(ContentError::new)?;
        Ok(Content {
            text: Secret::new(text),
            note,
            etag: object.etag,
        })
    }
}

impl ContentSource<SecretLocation> for OracleCloud {
    async fn read(
        &self,
        location: &SecretLocation,
        _: Option<Content>,
    ) -> Result<Content, ContentError> {
        let bundle = self.sign_in().await?.secret(location).await?;
        let note = format!("version {}", bundle.version);
        let text = trim::secret(bundle.bytes)
            .map_err(|reason| ContentError::new(format!("secret {location}: {reason}")))?;
        Ok(Content {
            text: Secret::new(text),
            note,
            etag: None,
        })
    }
}

impl From<OciError> for ContentError {
    fn from(error: OciError) -> Self {
        Self {
            reason: error.to_string(),
            advice: error.advice(),
        }
    }
}

pub(crate) fn config(
    settings: &Settings,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<OciConfig, SettingError> {
    let text = |setting| settings.optional(setting).map(str::to_owned);
    let home = environment("HOME").map(PathBuf::from);
    let file = settings.required(&OCI_CONFIG_FILE)?;
    let config_file = runtime::text::path(file, home.as_deref());
    let endpoint = text(&OCI_ENDPOINT);
    Ok(OciConfig {
        principal: PrincipalConfig {
            auth: settings.choice(
                &OCI_AUTH,
                &[
                    ("auto", Auth::Detect),
                    ("resource_principal", Auth::Resource),
                    ("instance_principal", Auth::Instance),
                    ("api_key", Auth::ApiKey),
                ],
                "resource_principal, instance_principal, api_key or auto",
            )?,
            resource: ResourceVariables::from_environment(environment),
            metadata: settings.required(&OCI_METADATA_BASE_URL)?.to_owned(),
            federation: endpoint.clone(),
            config_file,
            profile: settings.required(&OCI_PROFILE)?.to_owned(),
            home,
            region: text(&OCI_REGION),
            default_domain: text(&OCI_DEFAULT_REALM),
            clock: SystemTime::now,
        },
        endpoint,
        timeout: settings.positive_duration(&OCI_TIMEOUT)?,
    })
}
