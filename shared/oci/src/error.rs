//! The errors of Oracle Cloud operations, each in one sentence.

use std::time::Duration;

/// Why an operation failed. Contains no key, token or content.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OciError {
    /// The principal or the configuration is missing or invalid: a variable, a file, the metadata service, federation.
    #[error("{0}")]
    Setup(String),
    /// The service responded with an error status.
    #[error(
        "{operation}: {status} {message} ({}opc-request-id {request_id}){}",
        tries(*.attempts), hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"))
    )]
    Refused {
        /// The operation and its object.
        operation: String,
        /// The HTTP status.
        status: u16,
        /// The service's code and message; the beginning of the body if it was not JSON.
        message: String,
        /// The service's id of the request, or the client's if the service sent none.
        request_id: String,
        /// The number of attempts.
        attempts: u32,
        /// A likely reason that the service does not name.
        hint: Option<String>,
    },
    /// The service rejected the signature because the clocks differ too much.
    #[error(
        "{operation}: this machine's clock is {} {} the service's; a signature is valid for 5 minutes: set the clock \
         (opc-request-id {request_id})",
        span(*.difference), if *.ahead { "ahead of" } else { "behind" }
    )]
    Clock {
        /// The operation and its object.
        operation: String,
        /// The difference of the clocks.
        difference: Duration,
        /// True if this machine is ahead.
        ahead: bool,
        /// The service's id of the request, or the client's if the service sent none.
        request_id: String,
    },
    /// No response: network, name resolution, certificate or timeout.
    #[error("{operation}: {reason} ({}opc-client-request-id {request_id})", tries(*.attempts))]
    Unreachable {
        /// The operation and its object.
        operation: String,
        /// What happened.
        reason: String,
        /// The client's id of the last request.
        request_id: String,
        /// The number of attempts.
        attempts: u32,
    },
    /// The response is not as documented: damaged, too large, malformed.
    #[error("{operation}: {reason} (opc-request-id {request_id})")]
    Unusable {
        /// The operation and its object.
        operation: String,
        /// What happened.
        reason: String,
        /// The service's id of the request, or the client's if the service sent none.
        request_id: String,
    },
}

impl OciError {
    /// What to do about the error, if the message does not say it.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Refused { status: 404, .. } => Some(
                "check the name or OCID, and that a policy lets this principal read it (a new policy takes up to 15 \
                 minutes to apply)",
            ),
            Self::Refused { status: 401, .. } => Some(
                "check the key, its fingerprint, and that user and tenancy are of this region's realm",
            ),
            Self::Refused { status: 403, .. } => Some("check the policies of this principal"),
            Self::Refused {
                status: 429 | 500..,
                ..
            } => Some(
                "the service is overloaded or failing: try again later; Oracle support needs the opc-request-id",
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
