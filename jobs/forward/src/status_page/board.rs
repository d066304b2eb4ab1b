//! What the schedule and the pipeline publish for the page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::snapshot::{JobName, LiveProgress, LiveWindow, Phase, Snapshot};
use crate::config::Config;
use crate::pipeline::Pipeline;
use crate::report::RunReport;

/// The shortest time between two publications of a window's progress.
const INTERVAL: Duration = Duration::from_millis(250);

/// The newest [`Snapshot`], and when the schedule has last advanced. The lock is held only to exchange the snapshot.
pub struct Board {
    snapshot: Mutex<Snapshot>,
    created: Instant,
    /// Milliseconds since `created`.
    last_advance: AtomicU64,
    last_progress: Mutex<Option<Instant>>,
}

impl Board {
    /// The board of a job before its first window.
    pub fn new(config: &Config, every: Duration) -> Self {
        let job = JobName {
            topic: config.kafka.topic.clone(),
            group: config.group.clone(),
            every,
            started: SystemTime::now(),
        };
        Self {
            snapshot: Mutex::new(Snapshot {
                job: Arc::new(job),
                phase: Phase::Starting,
                history: Arc::default(),
            }),
            created: Instant::now(),
            last_advance: AtomicU64::new(0),
            last_progress: Mutex::default(),
        }
    }

    /// The schedule advances.
    pub fn advance(&self) {
        let elapsed = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_advance.store(elapsed, Ordering::Relaxed);
    }

    /// A window begins.
    pub fn begin_window(&self, run: &str) {
        self.advance();
        *lock(&self.last_progress) = None;
        self.set_phase(Phase::Running(Arc::new(LiveWindow {
            run: run.to_owned(),
            started: SystemTime::now(),
            progress: None,
        })));
    }

    /// Publishes the progress of the window, four times a second at most. `names`: the names of the routes, in order.
    pub fn show_progress(&self, pipeline: &Pipeline<'_>, names: &[&str]) {
        self.advance();
        let now = Instant::now();
        {
            let mut last = lock(&self.last_progress);
            if last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
                return;
            }
            *last = Some(now);
        }
        let clock = SystemTime::now();
        // An endpoint may request a pause of any length.
        let moment = |at: Instant| later(clock, at.saturating_duration_since(now));
        let progress = LiveProgress::of(pipeline, names.iter().copied(), moment);
        let mut snapshot = lock(&self.snapshot);
        if let Phase::Running(window) = &snapshot.phase {
            snapshot.phase = Phase::Running(Arc::new(LiveWindow {
                progress: Some(progress),
                run: window.run.clone(),
                started: window.started,
            }));
        }
    }

    /// The window has ended with this report.
    pub fn end_window(&self, report: &RunReport) {
        self.advance();
        let history = Arc::clone(&lock(&self.snapshot).history);
        // Without the lock: only the schedule adds reports.
        let history = Arc::new(history.with(report, SystemTime::now()));
        lock(&self.snapshot).history = history;
    }

    /// The next window is due at this moment.
    pub fn wait_until(&self, next: Instant) {
        let wait = next.saturating_duration_since(Instant::now());
        self.set_phase(Phase::Waiting {
            due: later(SystemTime::now(), wait),
        });
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.snapshot).clone()
    }

    /// How long ago the schedule has last advanced.
    pub(super) fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last_advance.load(Ordering::Relaxed));
        self.created.elapsed().saturating_sub(last)
    }

    fn set_phase(&self, phase: Phase) {
        lock(&self.snapshot).phase = phase;
    }
}

/// The time plus the duration, or the time itself if there is no such time.
fn later(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_add(duration).unwrap_or(time)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
