//! What a producer needs before its first message.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use tracing::debug;

/// Reads the topic's metadata, connects to a broker and requests the producer id, so that the first message need not wait for
/// them: without this call, librdkafka sends it up to a second later. Blocks up to twice `timeout`. Errors are only logged,
/// because the first message meets them too.
pub fn prefetch<C: ClientContext>(client: &Client<C>, topic: &str, timeout: Duration) {
    // After the bootstrap server has named the brokers, librdkafka connects to one at once only for a request that no other
    // broker can answer, as this one to the leader. For other requests it waits until 11 ms after the first connection.
    let connected = client.fetch_watermarks(topic, 0, timeout);
    // An idempotent client requests its producer id when metadata arrives on that connection, or else every 500 ms.
    if let Err(error) = connected.and_then(|_| client.fetch_metadata(Some(topic), timeout)) {
        debug!(%error, topic, "preparing the first message failed");
    }
}
