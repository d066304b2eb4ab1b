//! The end of a wait for the broker, and requests that are repeated until then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::error_codes::is_transient;

/// How long to wait for the broker.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    /// The timeout of all requests together.
    pub timeout: Duration,
    /// The timeout of one request, which is then repeated: librdkafka cannot cancel a request, so this bounds the time
    /// after a shutdown.
    pub request_timeout: Duration,
    /// Ends the wait.
    pub shutdown: &'a AtomicBool,
}

/// The end of a wait, and the timeout of each request before it.
pub(crate) struct Deadline<'a> {
    at: Instant,
    request_timeout: Duration,
    shutdown: Option<&'a AtomicBool>,
}

impl<'a> Deadline<'a> {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self {
            at: Instant::now() + timeout,
            request_timeout: timeout,
            shutdown: None,
        }
    }

    pub(crate) fn of(wait: &Wait<'a>) -> Self {
        Self {
            request_timeout: wait.request_timeout,
            shutdown: Some(wait.shutdown),
            ..Self::after(wait.timeout)
        }
    }

    pub(crate) fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The timeout of the next request, at least a millisecond.
    fn request_timeout(&self) -> Duration {
        self.remaining()
            .min(self.request_timeout)
            .max(Duration::from_millis(1))
    }

    fn has_ended(&self) -> bool {
        Instant::now() >= self.at
            || self
                .shutdown
                .is_some_and(|shutdown| shutdown.load(Ordering::Relaxed))
    }

    /// Repeats a request that returns nothing after its timeout.
    pub(crate) fn until_answered<T>(&self, request: impl Fn(Duration) -> Option<T>) -> Option<T> {
        loop {
            let timeout = self.request_timeout();
            let start = Instant::now();
            let answer = request(timeout);
            if answer.is_some() || start.elapsed() < timeout || self.has_ended() {
                return answer;
            }
        }
    }
}

/// Repeats a request while it fails with a transient error or times out, until the deadline. The error of a single
/// partition fails the request.
pub(crate) fn retry(
    deadline: &Deadline<'_>,
    request: impl Fn(Duration) -> KafkaResult<TopicPartitionList>,
) -> KafkaResult<TopicPartitionList> {
    let can_retry = |code| is_transient(code) || code == RDKafkaErrorCode::OperationTimedOut;
    loop {
        let result = request(deadline.request_timeout()).and_then(|list| {
            let elements = list.elements();
            elements.iter().try_for_each(|element| element.error())?;
            drop(elements);
            Ok(list)
        });
        match result {
            Err(error)
                if error.rdkafka_error_code().is_some_and(can_retry) && !deadline.has_ended() =>
            {
                tracing::debug!(%error, "retrying a Kafka request");
                thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}
