//! Closes a consumer without the delay of rdkafka's drop.
//!
//! The wrapper's own drop checks every 100 ms whether the consumer is closed, which is most of the time of a short run.
//! The drop of a consumer that is closed already only frees it.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, ConsumerContext};

/// Closes the consumer and leaves its group, if it is in one. Serves callbacks meanwhile. After `timeout` the drop of
/// the consumer continues.
pub(crate) fn close<C: ConsumerContext>(consumer: &BaseConsumer<C>, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    if consumer.close_queue().is_err() {
        return;
    }
    while !consumer.closed() && Instant::now() < deadline {
        // Records that are still queued are discarded.
        drop(consumer.poll(Duration::from_millis(1)));
    }
}
