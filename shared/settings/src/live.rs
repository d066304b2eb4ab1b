//! Settings of a long-running program: read at the start, at an interval, and after an authentication failure.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{info, warn};

use crate::cache::lock;
use crate::common::SECRET_REFRESH_INTERVAL;
use crate::gather::Gatherer;
use crate::{Group, SettingError, Settings};

/// The minimum time between two calls of [`LiveSettings::refresh`] that read: one wrong password can cause thousands of
/// failures.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// Settings that are read again: a rotated secret needs no redeployment.
///
/// Fn kills a container that does not listen within 5 s, so a function binds its socket before it calls
/// [`LiveSettings::gather`]; requests wait until that is complete. Afterwards [`LiveSettings::keep_fresh`] runs next to
/// the server. After an authentication failure (of Kafka, or 401 or 403 of an endpoint) the program calls
/// [`LiveSettings::refresh`] and, if that returns `true`, builds its client from [`LiveSettings::current`].
pub struct LiveSettings {
    gatherer: Gatherer,
    current: watch::Sender<Arc<Settings>>,
    last_read: Mutex<Instant>,
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
        let gatherer = Gatherer::new(groups, flags, environment);
        let settings = gatherer.gather().await.complete()?;
        Ok(Self {
            gatherer,
            current: watch::Sender::new(Arc::new(settings)),
            last_read: Mutex::new(Instant::now()),
        })
    }

    /// The current settings.
    pub fn current(&self) -> Arc<Settings> {
        Arc::clone(&self.current.borrow())
    }

    /// A channel that receives every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Settings>> {
        self.current.subscribe()
    }

    /// Reads the settings file, secrets and documents again. Returns true if anything has changed. What cannot be read
    /// keeps its last value, and a warning is logged. Does nothing within ten seconds of the last read.
    pub async fn refresh(&self, now: Instant) -> bool {
        if now.saturating_duration_since(*self.last_read()) < MIN_INTERVAL {
            return false;
        }
        self.refresh_now(now).await
    }

    /// As [`LiveSettings::refresh`], if `secret_refresh_interval` has passed since the last read.
    pub async fn refresh_if_due(&self, now: Instant) -> bool {
        let since = now.saturating_duration_since(*self.last_read());
        let is_due = self.interval().is_some_and(|interval| since >= interval);
        is_due && self.refresh_now(now).await
    }

    /// Refreshes every `secret_refresh_interval` and never returns. Does nothing if no value came from Oracle Cloud.
    pub async fn keep_fresh(&self) {
        loop {
            let Some(interval) = self.interval() else {
                return std::future::pending().await;
            };
            tokio::time::sleep(interval).await;
            self.refresh_now(Instant::now()).await;
        }
    }

    /// The refresh interval; `None` if it is zero or no value came from Oracle Cloud.
    fn interval(&self) -> Option<Duration> {
        let settings = self.current();
        let interval = settings.duration(&SECRET_REFRESH_INTERVAL).ok()?;
        (!interval.is_zero() && settings.principal().is_some()).then_some(interval)
    }

    fn last_read(&self) -> MutexGuard<'_, Instant> {
        lock(&self.last_read)
    }

    async fn refresh_now(&self, now: Instant) -> bool {
        *self.last_read() = now;
        self.gatherer.cloud().begin_round();
        let fresh = match self.gatherer.gather().await.complete() {
            Ok(fresh) => fresh,
            Err(error) => {
                warn!(%error, "refreshing the settings failed, last settings kept");
                return false;
            }
        };
        self.current.send_if_modified(|current| {
            let changed = current.changed(&fresh);
            if changed.is_empty() {
                return false;
            }
            info!(settings = changed.join(" "), "settings changed");
            *current = Arc::new(fresh);
            true
        })
    }
}

#[cfg(test)]
mod tests;
