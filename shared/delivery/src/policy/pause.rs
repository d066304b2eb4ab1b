//! The pause that an endpoint requests with `Retry-After`. Pure.

use std::time::Instant;

/// A requested pause.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestedPause {
    /// No request is sent in this run before this time.
    paused_until: Option<Instant>,
    /// The end that the endpoint requested, which can be later.
    requested_until: Option<Instant>,
}

impl RequestedPause {
    /// Extends the pause of this run to `until`, and what is known of the request to `requested`.
    pub(crate) fn extend(&mut self, until: Instant, requested: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
        self.requested_until = self.requested_until.max(Some(requested));
    }

    /// The end of the pause in this run, if it is not over.
    pub(crate) fn end(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }

    /// The end that the endpoint requested.
    pub(crate) fn requested_until(&self) -> Option<Instant> {
        self.requested_until
    }

    /// A request that was sent at this time succeeded. After the pause of this run, that ends the requested one.
    pub(crate) fn record_success(&mut self, sent: Instant) {
        if self.paused_until.is_none_or(|until| sent >= until) {
            self.requested_until = None;
        }
    }
}
