//! What the request handlers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use caller_auth::CallerAuth;
use tokio::sync::watch;

use super::config::Config;
use super::key_history::KeyHistory;
use super::page::Page;
use super::record_log::RecordLog;

/// The endpoint: its configuration and its state.
pub(super) struct Api {
    pub(super) config: Config,
    pub(super) page: Page,
    callers: watch::Receiver<Arc<CallerAuth>>,
    state: Mutex<ApiState>,
}

/// What the endpoint remembers from one request to the next.
pub(super) struct ApiState {
    pub(super) keys: KeyHistory,
    pub(super) log: RecordLog,
}

impl Api {
    pub(super) fn new(config: Config, callers: watch::Receiver<Arc<CallerAuth>>) -> Self {
        Self {
            page: Page::new(&config.title),
            state: Mutex::new(ApiState {
                keys: KeyHistory::new(config.max_keys),
                log: RecordLog::new(config.max_records_kept),
            }),
            config,
            callers,
        }
    }

    /// Who may send requests, by the current settings.
    pub(super) fn callers(&self) -> Arc<CallerAuth> {
        Arc::clone(&self.callers.borrow())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ApiState> {
        // A poisoned lock is safe to use: no operation between lock and unlock can fail halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
