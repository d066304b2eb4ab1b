//! Bounds the memory that the bodies and messages of all calls occupy together.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout_at;

/// The most bytes that calls reserve together. With the base of the process and the decoding of one call at a time it
/// stays below the memory limit of the Kubernetes manifest, 256 MiB.
const LIMIT: usize = 96 << 20;
/// The part of it that calls with large bodies may reserve, so that slow clients cannot block small calls.
const LARGE_LIMIT: usize = LIMIT / 4 * 3;
/// From this size on a reservation is large.
const LARGE: usize = 256 << 10;
/// How long a call waits for memory.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes that all calls have reserved.
#[derive(Default)]
pub(super) struct Memory {
    reserved: AtomicUsize,
    released: Notify,
}

/// The bytes that one call has reserved. Dropping it releases them.
pub(super) struct Reservation<'a> {
    memory: &'a Memory,
    bytes: usize,
}

impl Memory {
    /// An empty reservation.
    pub(super) fn reserve(&self) -> Reservation<'_> {
        Reservation {
            memory: self,
            bytes: 0,
        }
    }
}

impl Reservation<'_> {
    /// Changes the reservation to `bytes`. Waits until other calls release memory, 10 seconds or until the deadline.
    /// Returns whether it is changed. Call it once: calls that hold memory must not wait for more.
    pub(super) async fn wait_for(&mut self, bytes: usize, deadline: Option<Instant>) -> bool {
        let limit = if bytes < LARGE { LIMIT } else { LARGE_LIMIT };
        let timeout = Instant::now() + TIMEOUT;
        let deadline = deadline.map_or(timeout, |deadline| deadline.min(timeout));
        loop {
            let mut released = pin!(self.memory.released.notified());
            released.as_mut().enable();
            if self.resize_within(limit, bytes) {
                return true;
            }
            if timeout_at(deadline.into(), released).await.is_err() {
                return false;
            }
        }
    }

    /// Changes the reservation to `bytes`. Returns whether the limit allows it.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        self.resize_within(LIMIT, bytes)
    }

    /// A call that is alone is never rejected: the limits of a request bound its size.
    fn resize_within(&mut self, limit: usize, bytes: usize) -> bool {
        let current = self.bytes;
        let resized =
            self.memory
                .reserved
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reserved| {
                    let others = reserved - current;
                    let total = others.checked_add(bytes)?;
                    (bytes <= current || others == 0 || total <= limit).then_some(total)
                });
        if resized.is_err() {
            return false;
        }
        self.bytes = bytes;
        if bytes < current {
            self.memory.released.notify_waiters();
        }
        true
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_exceeds_the_limit_unless_it_is_alone() {
        let memory = Memory::default();
        let mut large = memory.reserve();
        assert!(large.resize(LIMIT + 1));
        let mut small = memory.reserve();
        assert!(!small.resize(1));
        drop(large);
        assert!(small.resize(1));
        let mut other = memory.reserve();
        assert!(other.resize(LIMIT - 1));
        assert!(!other.resize(LIMIT));
        assert!(other.resize(10));
        drop((small, other));
        assert_eq!(memory.reserved.into_inner(), 0);
    }

    #[tokio::test]
    async fn a_large_call_waits_while_a_small_one_is_admitted() {
        let memory = Memory::default();
        let (mut first, mut second) = (memory.reserve(), memory.reserve());
        assert!(first.wait_for(LARGE_LIMIT, None).await);
        let soon = Some(Instant::now() + Duration::from_millis(10));
        assert!(!second.wait_for(LARGE, soon).await);
        assert!(memory.reserve().wait_for(LARGE - 1, soon).await);
        let release = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (admitted, ()) = tokio::join!(second.wait_for(LARGE, None), release);
        assert!(admitted);
    }
}
