//! Whether a broker answers, for readiness checks.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How long an answer is used again, so that frequent checks cause few requests to the broker.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The last answer. Concurrent checks share one request.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Readiness {
    /// The last answer if it is recent, else that of `request`.
    pub(super) async fn get(&self, request: impl Future<Output = bool>) -> bool {
        let mut last = self.0.lock().await;
        match *last {
            Some((at, answer)) if at.elapsed() < MAX_AGE => answer,
            _ => {
                let answer = request.await;
                *last = Some((Instant::now(), answer));
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn concurrent_checks_share_one_request() {
        let readiness = Readiness::default();
        let requests = Cell::new(0);
        let check = || {
            readiness.get(async {
                requests.set(requests.get() + 1);
                tokio::time::sleep(Duration::from_millis(10)).await;
                true
            })
        };
        assert_eq!(tokio::join!(check(), check(), check()), (true, true, true));
        assert_eq!(requests.get(), 1);
        tokio::time::sleep(MAX_AGE).await;
        assert!(check().await);
        assert_eq!(requests.get(), 2);
    }
}
