//! How long a request may take: one timer for each lane, which is left alone while requests are answered in time.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that serves one piece of work after another.
#[derive(Debug, Default)]
pub(super) struct Patience {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// What `work` comes to; `None` if it has not come to anything by then.
    pub(super) async fn within<F: Future>(
        &mut self,
        until: Instant,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(until, cx).map(|()| None),
        })
        .await
    }

    /// The timer never rings after `until`. It may ring before, for the sake of work that is long done, and is set anew
    /// only then: nearly all work is done long before its time, and setting a timer costs more than a look at it.
    fn poll(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn each_work_has_its_own_time_whatever_was_set_before() {
        let moment = Duration::from_millis(10);
        let mut patience = Patience::default();
        for moments in [3, 1, 5, 0, 2] {
            let start = Instant::now();
            let until = start + moments * moment;
            assert_eq!(patience.within(until, pin!(pending::<()>())).await, None);
            assert!(start.elapsed() >= moments * moment);
            let far = start + 100_000 * moment;
            assert_eq!(
                patience.within(far, pin!(async { moments })).await,
                Some(moments)
            );
        }
        // Set far away, it still rings for what has less time.
        let far = Instant::now() + 100_000 * moment;
        let slow = tokio::time::sleep(moment);
        assert_eq!(patience.within(far, pin!(slow)).await, Some(()));
        let soon = Instant::now() + moment;
        assert_eq!(patience.within(soon, pin!(pending::<()>())).await, None);
    }
}
