//! What the request handlers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime::secret::Secret;
use settings::Settings;
use tokio::sync::watch;

use super::config::Config;
use super::key_history::KeyHistory;
use super::page::Page;
use super::record_log::RecordLog;
use super::settings::API_TOKEN;

/// The endpoint: its configuration and its state.
pub(super) struct Api {
    pub(super) config: Config,
    pub(super) page: Page,
    settings: watch::Receiver<Arc<Settings>>,
    state: Mutex<ApiState>,
}

/// What the endpoint remembers from one request to the next.
pub(super) struct ApiState {
    pub(super) keys: KeyHistory,
    pub(super) log: RecordLog,
}

impl Api {
    pub(super) fn new(config: Config, settings: watch::Receiver<Arc<Settings>>) -> Self {
        Self {
            page: Page::new(&config.title),
            state: Mutex::new(ApiState {
                keys: KeyHistory::new(config.max_keys),
                log: RecordLog::new(config.max_records_kept),
            }),
            config,
            settings,
        }
    }

    /// The current bearer token. Without one, requests need no authorization.
    pub(super) fn token(&self) -> Option<Secret> {
        self.settings.borrow().secret(&API_TOKEN)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ApiState> {
        // A poisoned lock is safe to use: no operation between lock and unlock can fail halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
