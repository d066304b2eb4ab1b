//! What can go wrong between us and Oracle Cloud, each in one sentence for whoever is on call.

use std::time::Duration;

/// Why Oracle Cloud did not give what we asked for. Holds no secret: neither keys, tokens nor contents.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OciError {
    /// What we start from is missing or wrong: a variable, a file, or the service that says who we are.
    #[error("{0}")]
    Setup(String),
    /// The service answered with an error.
    #[error(
        "{doing}: {status} {message} ({}opc-request-id {request_id}){}",
        tries(*.attempts), hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"))
    )]
    Refused {
        /// What we were doing, to what.
        doing: String,
        /// The HTTP status.
        status: u16,
        /// The service's code and message; the beginning of the body if it was not JSON.
        message: String,
        /// The service's id of the request, or ours if it gave none.
        request_id: String,
        /// How many requests it took.
        attempts: u32,
        /// What we know about it that the service does not say.
        hint: Option<String>,
    },
    /// The service refused the signature, and the clocks are too far apart for any signature to hold.
    #[error(
        "{doing}: this machine's clock is {} {} the service's; a signature holds for 5 minutes, so set the clock \
         (opc-request-id {request_id})",
        span(*.apart), if *.ahead { "ahead of" } else { "behind" }
    )]
    Clock {
        /// What we were doing, to what.
        doing: String,
        /// How far the clocks are apart.
        apart: Duration,
        /// True if ours is ahead.
        ahead: bool,
        /// The service's id of the request, or ours if it gave none.
        request_id: String,
    },
    /// No answer: the network, the name, the certificate or the time.
    #[error("{doing}: {reason} ({}our opc-request-id {request_id})", tries(*.attempts))]
    Unreachable {
        /// What we were doing, to what.
        doing: String,
        /// What we met.
        reason: String,
        /// Our id of the last request.
        request_id: String,
        /// How many requests it took.
        attempts: u32,
    },
    /// An answer that is not what the service promises: damaged, too large, not of the documented form.
    #[error("{doing}: {reason} (opc-request-id {request_id})")]
    Unusable {
        /// What we were doing, to what.
        doing: String,
        /// What we met.
        reason: String,
        /// The service's id of the request, or ours if it gave none.
        request_id: String,
    },
}

impl OciError {
    /// What to do about it, where there is something to do that the sentence does not say.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Refused { status: 404, .. } => Some(
                "check the name or OCID, and that a policy lets this principal read it (a new policy takes up to 15 \
                 minutes to show)",
            ),
            Self::Refused { status: 401, .. } => Some(
                "check the key, its fingerprint, and that user and tenancy are of this region's realm",
            ),
            Self::Refused { status: 403, .. } => Some("check the policies of this principal"),
            Self::Refused {
                status: 429 | 500..,
                ..
            } => Some(
                "the service is busy or failing: try again later, and give Oracle the opc-request-id",
            ),
            Self::Unreachable { .. } => Some(
                "check the region, the route to the internet or the service gateway (port 443), and any proxy",
            ),
            Self::Setup(_) | Self::Refused { .. } | Self::Clock { .. } | Self::Unusable { .. } => {
                None
            }
        }
    }
}

fn tries(attempts: u32) -> String {
    if attempts == 1 {
        String::new()
    } else {
        format!("after {attempts} attempts, ")
    }
}

fn span(duration: Duration) -> String {
    let minutes = (duration.as_secs() + 30) / 60;
    if minutes < 120 {
        format!("{minutes} minutes")
    } else if minutes < 48 * 60 {
        format!("{} hours", minutes / 60)
    } else {
        format!("{} days", minutes / (24 * 60))
    }
}
