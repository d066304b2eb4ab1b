//! Settings of a program that runs on: read at the start, and again now and then and when something is refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{info, warn};

use super::catalog::SECRET_REFRESH;
use super::gather::{Origin, Part};
use super::{Group, SettingError, Settings};

/// Everything is read again at most this often, whoever asks: a refused password may be refused a thousand times.
const MIN_GAP: Duration = Duration::from_secs(10);

/// Settings that follow their sources: a rotated secret needs no redeploy.
///
/// How a program uses it that must listen before its settings are there (Fn kills a container that does not listen
/// within 5 s): bind the socket first, then `LiveSettings::gather(…)` in the same task set; a request that arrives
/// meanwhile waits for it up to its own deadline, and is answered 503 with `Retry-After` then. Afterwards
/// [`LiveSettings::keep_fresh`] runs beside the server, and whoever meets an authentication failure (Kafka's
/// `Authentication`, an endpoint's 401 or 403) calls [`LiveSettings::refresh`] and, if that says `true`, makes its
/// client anew from [`LiveSettings::current`].
pub struct LiveSettings {
    origin: Origin,
    current: watch::Sender<Arc<Settings>>,
    last: Mutex<Instant>,
}

impl LiveSettings {
    /// As [`Settings::gather_groups`].
    ///
    /// # Errors
    /// As [`Settings::gather`].
    pub async fn gather(
        groups: &[&Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        let origin = Origin::new(groups, flags, environment);
        let settings = origin.gather().await.settings(origin.cloud())?;
        Ok(Self {
            origin,
            current: watch::Sender::new(Arc::new(settings)),
            last: Mutex::new(Instant::now()),
        })
    }

    /// The settings as they are now.
    pub fn current(&self) -> Arc<Settings> {
        Arc::clone(&self.current.borrow())
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Settings>> {
        self.current.subscribe()
    }

    /// Reads the settings file, secrets and documents again; true if anything has changed. What cannot be had keeps
    /// its last good value, with a warning. Called again within ten seconds it does nothing.
    pub async fn refresh(&self) -> bool {
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() < MIN_GAP {
                return false;
            }
            *last = Instant::now();
        }
        self.refresh_now().await
    }

    /// Refreshes every `secret_refresh`, for ever; at once for ever idle if nothing came from Oracle Cloud.
    pub async fn keep_fresh(&self) {
        loop {
            let settings = self.current();
            let interval = settings.duration(&SECRET_REFRESH).unwrap_or_default();
            if interval.is_zero() || settings.identity().is_none() {
                return std::future::pending().await;
            }
            tokio::time::sleep(interval).await;
            self.refresh().await;
        }
    }

    async fn refresh_now(&self) -> bool {
        self.origin.cloud().begin_round();
        let fresh = match self.origin.gather().await.settings(self.origin.cloud()) {
            Ok(fresh) => fresh,
            Err(error) => {
                warn!(%error, "reading the settings again failed; keeping the last good ones");
                return false;
            }
        };
        self.current.send_if_modified(|current| {
            let changed = current.changed(&fresh);
            if changed.is_empty() {
                return false;
            }
            info!(settings = changed.join(" "), "settings have changed");
            *current = Arc::new(fresh);
            true
        })
    }
}

/// Everything that settings are made from, part by part, each with its own outcome: for a person who asks what is
/// wrong, all at once.
pub struct Inspection {
    /// Who we are to Oracle Cloud, or why we are nobody and what to do; `None` if nothing of it is needed.
    pub principal: Option<Result<String, (String, Option<&'static str>)>>,
    /// The Object Storage namespace, or why it is not known; `None` if nobody had to ask.
    pub namespace: Option<Result<String, (String, Option<&'static str>)>>,
    /// The settings file, each secret, each document.
    pub parts: Vec<Part>,
    /// The settings, or the first thing that is wrong.
    pub settings: Result<Settings, SettingError>,
}

impl Inspection {
    /// Gathers as [`Settings::gather_groups`] does, and tells everything.
    pub async fn of(
        groups: &[&Group],
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let origin = Origin::new(groups, flags, environment);
        let gathered = origin.gather().await;
        let cloud = origin.cloud();
        Self {
            principal: cloud.signed_in().map(|signed_in| match signed_in {
                Ok(oci) => Ok(oci.principal().to_string()),
                Err(trouble) => Err((trouble.reason, trouble.advice)),
            }),
            namespace: cloud
                .known_namespace()
                .map(|known| known.map_err(|trouble| (trouble.reason, trouble.advice))),
            parts: gathered.parts.clone(),
            settings: gathered.settings(cloud),
        }
    }
}
