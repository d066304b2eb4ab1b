//! Where the results of requests are counted.

use std::time::Duration;

use crate::route::RouteShared;

/// The result of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestResult {
    /// A response.
    Response {
        status: u16,
        /// From the start of the request to the head of the response.
        latency: Duration,
    },
    /// No response within the timeout.
    Timeout,
    /// The connection failed before a complete response head arrived.
    ConnectionError,
}

/// Counts the results of a route's requests. The route's thread calls it, so it
/// must not block.
pub(crate) trait RequestRecorder {
    /// Counts one request. `stale_connections`: how many requests of the route were sent again so far, because the
    /// endpoint had closed the idle connection.
    fn record(&self, result: RequestResult, stale_connections: u64);
}

/// Counts in the statistics of the route.
impl RequestRecorder for RouteShared {
    fn record(&self, result: RequestResult, stale_connections: u64) {
        let mut statistics = self.statistics();
        statistics.stale_connections = stale_connections;
        match result {
            RequestResult::Response { status, latency } => {
                statistics.record_response(status, latency);
            }
            RequestResult::Timeout => statistics.record_timeout(),
            RequestResult::ConnectionError => statistics.record_connection_error(),
        }
    }
}
