//! A timer that is used for one deadline after another.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A reusable timer.
///
/// It is reset only when it fires or when a deadline is earlier than its own: most work finishes long before its
/// deadline, and resetting a timer costs more than polling it.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Runs `work` until `deadline`. `None`: the deadline passed first.
    pub(crate) async fn within<F: Future>(
        &mut self,
        deadline: Instant,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(deadline, cx).map(|()| None),
        })
        .await
    }

    /// Ready at `deadline`, and after it for as long as it is polled with the same deadline.
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn each_deadline_is_independent_of_earlier_ones() {
        let moment = Duration::from_millis(10);
        let mut timer = Timer::default();
        for moments in [3, 1, 5, 0, 2] {
            let start = Instant::now();
            let deadline = start + moments * moment;
            assert_eq!(timer.within(deadline, pin!(pending::<()>())).await, None);
            assert!(start.elapsed() >= moments * moment);
            let far = start + 100_000 * moment;
            let work = pin!(async { moments });
            assert_eq!(timer.within(far, work).await, Some(moments));
        }
        // A deadline far away does not delay an earlier one.
        let far = Instant::now() + 100_000 * moment;
        let slow = tokio::time::sleep(moment);
        assert_eq!(timer.within(far, pin!(slow)).await, Some(()));
        let soon = Instant::now() + moment;
        assert_eq!(timer.within(soon, pin!(pending::<()>())).await, None);
    }

    #[tokio::test]
    async fn fires_at_the_last_deadline_and_stays_ready() {
        let start = Instant::now();
        let moment = Duration::from_millis(10);
        let mut timer = Timer::default();
        let at = |moments: u32| start + moments * moment;
        for moments in [900, 3, 5] {
            let polled = poll_fn(|cx| Poll::Ready(timer.poll(at(moments), cx))).await;
            assert!(polled.is_pending());
        }
        poll_fn(|cx| timer.poll(at(5), cx)).await;
        assert!(start.elapsed() >= 5 * moment);
        poll_fn(|cx| timer.poll(at(5), cx)).await;
        let later = poll_fn(|cx| timer.poll(at(900), cx));
        assert!(timeout(moment, later).await.is_err());
    }
}
