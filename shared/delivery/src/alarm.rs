//! One timer that is set again and again, and left alone while its moment stays the same.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// A timer that may be off.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Sets it to a moment, or turns it off.
    pub(super) fn set(&mut self, at: Option<Instant>) {
        if self.at == at {
            return;
        }
        self.at = at;
        match (&mut self.sleep, at) {
            (_, None) => {}
            (Some(sleep), Some(at)) => sleep.as_mut().reset(at.into()),
            (sleep, Some(at)) => *sleep = Some(Box::pin(sleep_until(at.into()))),
        }
    }

    /// Ready when it rings; it rings until it is set anew.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match (&mut self.sleep, self.at) {
            (Some(sleep), Some(_)) => sleep.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn rings_at_the_moment_it_was_set_to_last() {
        let start = Instant::now();
        let moment = Duration::from_millis(10);
        let mut alarm = Alarm::default();
        assert!(timeout(moment, poll_fn(|cx| alarm.poll(cx))).await.is_err());
        for moments in [900, 3, 5] {
            alarm.set(Some(start + moments * moment));
        }
        poll_fn(|cx| alarm.poll(cx)).await;
        assert!(start.elapsed() >= 5 * moment);
        // It keeps ringing until it is set anew, or turned off.
        poll_fn(|cx| alarm.poll(cx)).await;
        alarm.set(None);
        assert!(timeout(moment, poll_fn(|cx| alarm.poll(cx))).await.is_err());
    }
}
