//! The warning about a listener that accepts requests of every caller.

use std::net::SocketAddr;

use tracing::warn;

use crate::CallerAuth;

impl CallerAuth {
    /// Logs a warning if a server on this address is open to other machines and no method is configured.
    pub fn warn_if_open(&self, address: SocketAddr) {
        if !self.is_configured() && !address.ip().to_canonical().is_loopback() {
            warn!(
                %address,
                "every caller that reaches this address is accepted: set CALLER_TOKENS or another CALLER_ setting, \
                 or let only an authenticating gateway reach it"
            );
        }
    }
}
