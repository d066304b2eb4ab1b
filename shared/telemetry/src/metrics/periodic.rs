//! Pushes metrics at an interval, and at once when a host that freezes the program asks for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tracing::warn;

use super::{Metrics, MetricsPush};

/// Metrics with their destination. It is cheap to clone; the clones share the interval.
#[derive(Clone, Debug)]
pub(crate) struct PeriodicPush {
    push: MetricsPush,
    metrics: Metrics,
    interval: Duration,
    /// When the metrics are pushed next.
    due: Arc<Mutex<Instant>>,
}

impl PeriodicPush {
    /// The first push is due at once.
    pub(crate) fn new(push: MetricsPush, metrics: Metrics, interval: Duration) -> Self {
        Self {
            push,
            metrics,
            interval,
            due: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Whether the interval has ended since the last push.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) <= now
    }

    /// Pushes the metrics if they are due. Blocks.
    pub(crate) fn push_if_due(&self, now: Instant) {
        {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            if *due > now {
                return;
            }
            *due = now + self.interval;
        }
        self.push();
    }

    /// Pushes the metrics. Blocks.
    pub(crate) fn push(&self) {
        if let Err(error) = self.push.push(&self.metrics) {
            warn!(%error, "the metrics were not exported");
        }
    }

    /// Pushes the metrics at each interval, the first time after one. It never completes.
    pub(crate) async fn run(&self) {
        loop {
            tokio::time::sleep(self.interval).await;
            let pushed = self.clone();
            // A thread that cannot be started pushes nothing.
            let _ = spawn_blocking(move || pushed.push_if_due(Instant::now())).await;
        }
    }
}
