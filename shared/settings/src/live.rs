//! Settings of a program that runs on: read at the start, and again now and then and when something is refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{info, warn};

use super::common::SECRET_REFRESH_INTERVAL;
use super::gather::{Origin, Part};
use super::{Group, SettingError, Settings};

/// Everything is read again at most this often when something is refused: a refused password may be refused a thousand times.
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
    /// As [`Settings::gather`].
    ///
    /// # Errors
    /// As [`Settings::gather`].
    pub async fn gather(
        groups: &[&'static Group],
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
    /// its last good value, with a warning. Called again within ten seconds of the last time it does nothing.
    pub async fn refresh(&self, now: Instant) -> bool {
        if now.saturating_duration_since(*self.last()) < MIN_GAP {
            return false;
        }
        self.refresh_now(now).await
    }

    /// As [`LiveSettings::refresh`], if that is due by `secret_refresh_interval`.
    pub async fn refresh_if_due(&self, now: Instant) -> bool {
        let since = now.saturating_duration_since(*self.last());
        let is_due = self.interval().is_some_and(|interval| since >= interval);
        is_due && self.refresh_now(now).await
    }

    /// Refreshes every `secret_refresh_interval`, for ever; does nothing, for ever, if nothing came from Oracle Cloud.
    pub async fn keep_fresh(&self) {
        loop {
            let Some(interval) = self.interval() else {
                return std::future::pending().await;
            };
            tokio::time::sleep(interval).await;
            self.refresh_now(Instant::now()).await;
        }
    }

    /// How often to refresh; `None`: never, since nobody wants it or nothing came from Oracle Cloud.
    fn interval(&self) -> Option<Duration> {
        let settings = self.current();
        let interval = settings.duration(&SECRET_REFRESH_INTERVAL).ok()?;
        (!interval.is_zero() && settings.identity().is_some()).then_some(interval)
    }

    fn last(&self) -> MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refresh_now(&self, now: Instant) -> bool {
        *self.last() = now;
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
    /// The settings as far as they could be had.
    pub settings: Settings,
}

impl Inspection {
    /// Gathers as [`Settings::gather`] does, and tells everything.
    pub async fn of(
        groups: &[&'static Group],
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
            settings: gathered.whatever(cloud),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use testkit::oci_standin::{Standin, Trouble};

    use super::*;
    use crate::common::AVRO_SCHEMA;
    use crate::samples::{GROUPS, KAFKA_PASSWORD, KAFKA_TOPIC};

    /// A vault with `kafka_password` and `kafka_topic`, and a schema; and the settings out of them.
    async fn live(folder: &Path) -> (Standin, LiveSettings) {
        let cloud = Standin::start().await.unwrap();
        let mut variables = cloud
            .resource_principal(folder, Duration::from_secs(3600))
            .unwrap();
        let secrets = cloud.put_secrets(&[("kafka_password", "first"), ("kafka_topic", "first")]);
        let lines = format!("secret_refresh_interval=20ms\n{secrets}");
        cloud.put_object("config", "config.properties", lines.as_bytes());
        cloud.put_object("config", "user.avsc", b"\"int\"");
        variables.push(("OCI_ENDPOINT", cloud.endpoint()));
        variables.push(("OCI_TIMEOUT", "300ms".to_owned()));
        variables.push((
            "CONFIG_LOCATION",
            "oci://config/config.properties".to_owned(),
        ));
        variables.push(("AVRO_SCHEMA", "oci://config/user.avsc".to_owned()));
        let lookup = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(value.clone())
        };
        let live = LiveSettings::gather(&GROUPS, &[], lookup).await.unwrap();
        (cloud, live)
    }

    fn token(live: &LiveSettings) -> String {
        live.current()
            .secret(&KAFKA_PASSWORD)
            .unwrap()
            .reveal()
            .to_owned()
    }

    #[tokio::test]
    async fn a_rotated_secret_and_a_new_schema_are_taken_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let (cloud, live) = live(folder.path()).await;
        let mut changes = live.changes();
        assert!(
            !live.refresh_now(Instant::now()).await,
            "nothing has changed"
        );
        assert!(!changes.has_changed().unwrap());
        cloud.put_secret("kafka_password", b"second\n");
        cloud.put_object("config", "user.avsc", b"\"long\"");
        cloud.forget_requests();
        assert!(live.refresh_now(Instant::now()).await);
        assert!(changes.has_changed().unwrap());
        assert_eq!(token(&live), "second");
        let now = changes.borrow_and_update();
        assert_eq!(now.document(&AVRO_SCHEMA), Some("\"long\""));
        let mut statuses: Vec<u16> = cloud.requests().iter().map(|seen| seen.status).collect();
        statuses.sort_unstable();
        assert_eq!(
            statuses,
            [200, 200, 200, 304],
            "the settings file has not changed"
        );
    }

    #[tokio::test]
    async fn a_settings_file_of_this_machine_is_read_again_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.properties");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("kafka_password=first\nkafka_topic=one\n");
        let place = file.to_str().unwrap().to_owned();
        let lookup = |name: &str| (name == "CONFIG_LOCATION").then(|| place.clone());
        let live = LiveSettings::gather(&GROUPS, &[], lookup).await.unwrap();
        write("kafka_password=second\nkafka_topic=one\n");
        assert!(live.refresh_now(Instant::now()).await);
        assert_eq!(token(&live), "second");
        write("no settings");
        assert!(
            !live.refresh_now(Instant::now()).await,
            "a broken file changes nothing"
        );
        assert_eq!(token(&live), "second");
    }

    #[tokio::test]
    async fn what_cannot_be_read_again_keeps_its_last_good_value() {
        let folder = tempfile::tempdir().unwrap();
        let (cloud, live) = live(folder.path()).await;
        cloud.put_secret("kafka_password", b"second");
        cloud.put_secret("kafka_topic", b"second");
        cloud.trouble(
            "standin0",
            Trouble::Error(404, "NotAuthorizedOrNotFound".to_owned()),
            1,
        );
        cloud.trouble("config.properties", Trouble::Hang, 1);
        assert!(live.refresh_now(Instant::now()).await);
        assert_eq!(token(&live), "first");
        assert_eq!(live.current().required(&KAFKA_TOPIC).unwrap(), "second");
        cloud.put_object("config", "config.properties", b"no settings");
        assert!(
            !live.refresh_now(Instant::now()).await,
            "a broken settings file changes nothing"
        );
        assert_eq!(token(&live), "first");
        cloud.expire_secret("kafka_password");
        assert!(!live.refresh_now(Instant::now()).await);
        assert_eq!(token(&live), "first");
    }

    #[tokio::test]
    async fn a_thousand_refusals_read_everything_again_once() {
        let folder = tempfile::tempdir().unwrap();
        let (cloud, live) = live(folder.path()).await;
        cloud.forget_requests();
        let start = *live.last();
        for _ in 0..1000 {
            live.refresh(start + MIN_GAP - Duration::from_millis(1))
                .await;
        }
        assert!(cloud.requests().is_empty(), "they were read just now");
        for _ in 0..1000 {
            live.refresh(start + MIN_GAP).await;
        }
        let parts = "the settings file, the schema and two secrets, once each";
        assert_eq!(cloud.requests().len(), 4, "{parts}");
    }
}
