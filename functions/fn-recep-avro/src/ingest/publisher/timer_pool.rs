//! Reuses timers for the deadlines of calls.
//!
//! A new timer wakes up the runtime's driver with a system call, and once more when it expires. Moving an existing timer
//! to a later time costs neither, and the deadlines of successive calls increase.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// The number of idle timers that are kept.
const MAX_IDLE: usize = 64;

/// A pool of idle timers.
#[derive(Default)]
pub(super) struct TimerPool(Mutex<Vec<Pin<Box<Sleep>>>>);

impl TimerPool {
    /// Waits for `work` until `deadline`. `None` after the deadline.
    pub(super) async fn timeout_at<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut timer = match self.with_idle(Vec::pop) {
            Some(mut timer) => {
                timer.as_mut().reset(deadline.into());
                timer
            }
            None => Box::pin(sleep_until(deadline.into())),
        };
        let outcome = tokio::select! {
            biased;
            outcome = work => Some(outcome),
            () = timer.as_mut() => None,
        };
        self.with_idle(|idle| {
            if idle.len() < MAX_IDLE {
                idle.push(timer);
            }
        });
        outcome
    }

    fn with_idle<T>(&self, act: impl FnOnce(&mut Vec<Pin<Box<Sleep>>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn reuses_a_timer_for_an_earlier_or_later_deadline() {
        let timers = TimerPool::default();
        let after = |millis| Instant::now() + Duration::from_millis(millis);
        assert_eq!(timers.timeout_at(after(60_000), ready(1)).await, Some(1));
        let start = Instant::now();
        assert_eq!(timers.timeout_at(after(50), pending::<()>()).await, None);
        assert_eq!(timers.timeout_at(after(100), pending::<()>()).await, None);
        assert!(start.elapsed() >= Duration::from_millis(150));
        assert_eq!(timers.timeout_at(after(60_000), ready(2)).await, Some(2));
        assert_eq!(timers.with_idle(|idle| idle.len()), 1);
    }
}
