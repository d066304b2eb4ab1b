//! Why the brokers do not acknowledge, found in the background while a call waits for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::diagnosis::{self, Explanation};
use kafka::tokens::ClientProperties;
use tracing::{error, warn};

/// The least time between two diagnoses: each connects to every broker.
const INTERVAL: Duration = Duration::from_secs(30);

/// How long an explanation is valid.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The last diagnosis of the brokers.
pub(super) struct BrokerDiagnosis {
    properties: ClientProperties,
    last: Arc<Mutex<LastDiagnosis>>,
}

#[derive(Default)]
struct LastDiagnosis {
    started: Option<Instant>,
    is_running: bool,
    found: Option<Explanation>,
}

impl BrokerDiagnosis {
    pub(super) fn new(properties: ClientProperties) -> Self {
        Self {
            properties,
            last: Arc::default(),
        }
    }

    /// Starts a diagnosis in a thread of its own, unless one is running or has been started a moment ago. It ends after
    /// `timeout`, and logs what it finds.
    pub(super) fn start(&self, timeout: Duration) {
        let mut last = lock(&self.last);
        if last.is_running || last.started.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        let (properties, shared) = (self.properties.clone(), Arc::clone(&self.last));
        let diagnose = move || {
            let found = diagnosis::diagnose(&properties, timeout);
            if let Some(Explanation {
                cause,
                reason,
                remedy,
            }) = &found
            {
                warn!(cause, reason, remedy, "Kafka cannot be used");
            }
            let mut last = lock(&shared);
            last.is_running = false;
            last.found = found;
        };
        // Not a task of the runtime, whose end would wait for it.
        let thread = std::thread::Builder::new().name("diagnosis".to_owned());
        match thread.spawn(diagnose) {
            Ok(_) => {
                last.is_running = true;
                last.started = Some(Instant::now());
            }
            Err(error) => error!(%error, "starting the diagnosis of the brokers failed"),
        }
    }

    /// What the last diagnosis found, if it is not older than a minute.
    pub(super) fn found(&self) -> Option<Explanation> {
        let last = lock(&self.last);
        let is_recent = last.started.is_some_and(|at| at.elapsed() < MAX_AGE);
        last.found.clone().filter(|_| is_recent)
    }

    /// The brokers acknowledge again.
    pub(super) fn clear(&self) {
        lock(&self.last).found = None;
    }
}

fn lock(last: &Mutex<LastDiagnosis>) -> MutexGuard<'_, LastDiagnosis> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}
