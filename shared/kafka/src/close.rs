//! Closes a consumer as soon as it can be closed.
//!
//! The wrapper's own drop looks every tenth of a second whether the group is left, which is most of the time that a
//! short run takes. A consumer that is closed here first is only freed by its drop.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, ConsumerContext};

/// Leaves the group, if the consumer is in one, and stops reading; callbacks are served meanwhile. A broker that does
/// not answer within `patience` is left to the consumer's drop.
pub(super) fn close<C: ConsumerContext>(consumer: &BaseConsumer<C>, patience: Duration) {
    let end = Instant::now() + patience;
    if consumer.close_queue().is_err() {
        return;
    }
    while !consumer.closed() && Instant::now() < end {
        // Nothing that is still to be read matters any more.
        drop(consumer.poll(Duration::from_millis(1)));
    }
}
