//! Deadlines that cost next to nothing while they are kept.
//!
//! A new timer wakes the runtime's driver by a system call, and once more to look at it. A timer that is put off to a
//! later time does neither, and calls that follow one another have ever later deadlines: so each hands its timer on.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// How many timers are kept; more calls than that at once make their own.
const KEPT: usize = 64;

/// Timers that wait for their next call.
#[derive(Default)]
pub(super) struct Timers(Mutex<Vec<Pin<Box<Sleep>>>>);

impl Timers {
    /// What `work` comes to, or `None` if it has not by the deadline.
    pub(super) async fn within<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut timer = match self.kept(Vec::pop) {
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
        self.kept(|kept| {
            if kept.len() < KEPT {
                kept.push(timer);
            }
        });
        outcome
    }

    fn kept<T>(&self, act: impl FnOnce(&mut Vec<Pin<Box<Sleep>>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_timer_that_is_handed_on_keeps_the_next_deadline_later_or_sooner() {
        let timers = Timers::default();
        let after = |millis| Instant::now() + Duration::from_millis(millis);
        assert_eq!(timers.within(after(60_000), ready(1)).await, Some(1));
        let start = Instant::now();
        assert_eq!(timers.within(after(50), pending::<()>()).await, None);
        assert_eq!(timers.within(after(100), pending::<()>()).await, None);
        assert!(start.elapsed() >= Duration::from_millis(150));
        assert_eq!(timers.within(after(60_000), ready(2)).await, Some(2));
        assert_eq!(timers.kept(|kept| kept.len()), 1);
    }
}
