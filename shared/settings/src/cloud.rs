//! Oracle Cloud as settings see it: signed in to at the first need, each object and secret fetched once a round.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::OnceCell;
use tracing::warn;

use super::common::{
    OCI_AUTH, OCI_CONFIG_FILE, OCI_DEFAULT_REALM, OCI_ENDPOINT, OCI_METADATA_BASE_URL, OCI_PROFILE,
    OCI_REGION, OCI_TIMEOUT,
};
use super::{SettingError, Settings, pasted};
use oci::principal::{Auth, PrincipalConfig, ResourceVariables};
use oci::{ObjectLocation, Oci, OciConfig, OciError, SecretLocation};
use runtime::files;
use runtime::redact;
use runtime::secret::Secret;

/// The largest settings file or document that is read, in bytes.
pub(super) const MAX_DOCUMENT: usize = 1 << 20;

/// What is found out once, well or badly, and shared by all who ask.
type Once<T> = Arc<OnceCell<Result<T, Trouble>>>;

/// The variables that name a proxy; their names in lower case do so too.
const PROXIES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];

const NAMESPACE: &str = "the namespace";

/// The cloud, for one program.
pub(super) struct Cloud {
    config: Result<OciConfig, SettingError>,
    oci: Mutex<Once<Arc<Oci>>>,
    namespace: Shelf<&'static str>,
    objects: Shelf<ObjectLocation>,
    secrets: Shelf<SecretLocation>,
}

/// Something that was fetched.
#[derive(Clone)]
pub(super) struct Fetched {
    /// The text, trimmed if it is a secret.
    pub(super) text: Secret,
    /// What may be told about it: its size, its version.
    pub(super) note: String,
    etag: Option<String>,
}

/// Why something was not fetched: a phrase for people, and what to do about it.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) reason: String,
    pub(super) advice: Option<&'static str>,
}

/// What was fetched, by where it lies: in this round, and ever.
struct Shelf<Location> {
    round: Mutex<HashMap<Location, Once<Fetched>>>,
    last_good: Mutex<HashMap<Location, Fetched>>,
}

impl Cloud {
    /// Takes what flags, environment and a local file say about Oracle Cloud; nothing is looked at or asked yet.
    pub(super) fn new(settings: &Settings, environment: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            config: config(settings, environment),
            oci: Mutex::default(),
            namespace: Shelf::new(),
            objects: Shelf::new(),
            secrets: Shelf::new(),
        }
    }

    /// How signing in went, if it was needed.
    pub(super) fn signed_in(&self) -> Option<Result<Arc<Oci>, Trouble>> {
        lock(&self.oci).get().cloned()
    }

    /// How asking for the namespace went, if it was needed.
    pub(super) fn known_namespace(&self) -> Option<Result<String, Trouble>> {
        let slot = self.namespace.slot(&NAMESPACE);
        let result = slot.get()?.as_ref();
        Some(match result {
            Ok(fetched) => Ok(fetched.text.reveal().to_owned()),
            Err(trouble) => Err(trouble.clone()),
        })
    }

    /// Signs in, once a round: who needs the cloud at the same time waits for the same principal, or the same error.
    async fn sign_in(&self) -> Result<Arc<Oci>, Trouble> {
        let slot = Arc::clone(&lock(&self.oci));
        let oci = slot.get_or_init(async || {
            let config = self
                .config
                .as_ref()
                .map_err(|error| Trouble::new(error.to_string()))?;
            Ok(Arc::new(Oci::sign_in(config).await?))
        });
        oci.await.clone()
    }

    async fn namespace(&self) -> Result<String, Trouble> {
        let namespace = self.namespace.take(&NAMESPACE, async |last| match last {
            Some(known) => Ok(known),
            None => {
                let text = self.sign_in().await?.namespace().await?;
                Ok(Fetched {
                    text: Secret::new(text),
                    note: String::new(),
                    etag: None,
                })
            }
        });
        Ok(namespace.await?.text.reveal().to_owned())
    }

    /// An object's text.
    pub(super) async fn object(&self, location: &ObjectLocation) -> Result<Fetched, Trouble> {
        self.objects
            .take(location, async |last: Option<Fetched>| {
                let oci = self.sign_in().await?;
                let location = &ObjectLocation {
                    namespace: match &location.namespace {
                        Some(namespace) => Some(namespace.clone()),
                        None => Some(self.namespace().await?),
                    },
                    ..location.clone()
                };
                let etag = last.as_ref().and_then(|last| last.etag.as_deref());
                let Some(object) = oci.object(location, etag, MAX_DOCUMENT).await? else {
                    return last
                        .ok_or_else(|| Trouble::new("it is unchanged, yet we never had it"));
                };
                let note = format!("{} bytes", object.bytes.len());
                let text = files::text(object.bytes, MAX_DOCUMENT).map_err(Trouble::new)?;
                Ok(Fetched {
                    text: Secret::new(text),
                    note,
                    etag: object.etag,
                })
            })
            .await
    }

    /// A secret's content, trimmed.
    pub(super) async fn secret(&self, location: &SecretLocation) -> Result<Fetched, Trouble> {
        self.secrets
            .take(location, async |_| {
                let bundle = self.sign_in().await?.secret(location).await?;
                let note = format!("version {}", bundle.version);
                let text = pasted::secret(bundle.bytes)
                    .map_err(|reason| Trouble::new(format!("secret {location}: {reason}")))?;
                Ok(Fetched {
                    text: Secret::new(text),
                    note,
                    etag: None,
                })
            })
            .await
    }

    /// From now on everything is asked for again; what cannot be had keeps its last good value, with a warning.
    pub(super) fn begin_round(&self) {
        let mut oci = lock(&self.oci);
        if matches!(oci.get(), Some(Err(_))) {
            *oci = Arc::default();
        }
        self.namespace.begin_round();
        self.objects.begin_round();
        self.secrets.begin_round();
    }
}

impl<Location> Shelf<Location>
where
    Location: Clone + Eq + std::hash::Hash + std::fmt::Display,
{
    fn new() -> Self {
        Self {
            round: Mutex::default(),
            last_good: Mutex::default(),
        }
    }

    async fn take(
        &self,
        location: &Location,
        fetch: impl AsyncFnOnce(Option<Fetched>) -> Result<Fetched, Trouble>,
    ) -> Result<Fetched, Trouble> {
        let slot = self.slot(location);
        let last = lock(&self.last_good).get(location).cloned();
        let fetched = slot.get_or_init(async || match (fetch(last.clone()).await, last) {
            (Ok(fetched), _) => {
                lock(&self.last_good).insert(location.clone(), fetched.clone());
                Ok(fetched)
            }
            (Err(trouble), Some(last)) => {
                warn!(%location, error = trouble.reason, "reading it again failed; keeping the last good value");
                Ok(last)
            }
            (Err(trouble), None) => Err(trouble),
        });
        fetched.await.clone()
    }

    fn slot(&self, location: &Location) -> Once<Fetched> {
        Arc::clone(lock(&self.round).entry(location.clone()).or_default())
    }

    fn begin_round(&self) {
        lock(&self.round).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trouble {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            advice: None,
        }
    }
}

impl From<OciError> for Trouble {
    fn from(error: OciError) -> Self {
        Self {
            reason: error.to_string(),
            advice: error.advice(),
        }
    }
}

fn config(
    settings: &Settings,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<OciConfig, SettingError> {
    // A proxy's error page may repeat what it was sent.
    for name in PROXIES {
        let urls = [environment(name), environment(&name.to_ascii_lowercase())];
        let secrets = urls
            .into_iter()
            .flatten()
            .flat_map(|url| redact::secrets_in_url(&url));
        redact::protect(name, secrets);
    }
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
        timeout: settings.duration(&OCI_TIMEOUT)?,
    })
}
