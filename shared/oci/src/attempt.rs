//! The errors of one attempt, and whether another attempt can succeed. Pure.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde::Deserialize;

use runtime::redact;
use runtime::retry::retry_after;
use runtime::text::cause;

use crate::error::OciError;
use crate::retry;

/// A signature is valid for five minutes ("Request Signatures").
const MAX_SKEW: Duration = Duration::from_secs(300);

/// The maximum number of characters of a service's message in an error.
const MAX_MESSAGE: usize = 400;

/// The error of an attempt, and whether another attempt can succeed.
pub(super) struct AttemptError {
    pub(super) error: OciError,
    pub(super) is_transient: bool,
    /// The wait that the service requests.
    pub(super) retry_after: Option<Duration>,
}

/// One attempt of an operation.
pub(super) struct Attempt<'a> {
    /// The operation and its object, for errors.
    pub(super) operation: &'a str,
    /// The number of attempts, with this one.
    pub(super) attempts: u32,
    /// The client's id of the request.
    pub(super) request_id: String,
    /// The maximum number of bytes that are read of the response.
    pub(super) limit: usize,
}

/// A response with an error status.
pub(super) struct ErrorResponse<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    /// The body, or its beginning.
    pub(super) body: &'a [u8],
    /// Whether `body` is only the beginning.
    pub(super) is_cut: bool,
    /// The service's id of the request, or the client's if the service sent none.
    pub(super) request_id: String,
    /// The time of this machine.
    pub(super) now: SystemTime,
}

impl Attempt<'_> {
    /// No response, or an incomplete one.
    pub(super) fn unreachable(&self, reason: &str, is_transient: bool) -> AttemptError {
        AttemptError {
            error: OciError::Unreachable {
                operation: self.operation.to_owned(),
                reason: redact::mask(reason).into_owned(),
                request_id: self.request_id.clone(),
                attempts: self.attempts,
            },
            is_transient,
            retry_after: None,
        }
    }

    /// An error that another attempt cannot avoid.
    pub(super) fn unusable(&self, reason: &str) -> AttemptError {
        AttemptError {
            error: OciError::Unusable {
                operation: self.operation.to_owned(),
                reason: redact::mask(reason).into_owned(),
                request_id: self.request_id.clone(),
            },
            is_transient: false,
            retry_after: None,
        }
    }

    /// An error response. A 401 is attributed to the clock of this machine if it differs too much from the service's.
    pub(super) fn refused(&self, response: ErrorResponse<'_>) -> AttemptError {
        let ErrorResponse {
            status,
            headers,
            body,
            is_cut,
            request_id,
            now,
        } = response;
        let operation = self.operation.to_owned();
        if status == 401
            && let Some((difference, ahead)) = skew(headers, now)
        {
            return AttemptError {
                error: OciError::Clock {
                    operation,
                    difference,
                    ahead,
                    request_id,
                },
                is_transient: false,
                retry_after: None,
            };
        }
        let (code, message) = reason(body, is_cut);
        AttemptError {
            is_transient: retry::is_transient(status, &code),
            retry_after: header_text(headers, "retry-after")
                .and_then(|text| retry_after(text, None, now)),
            error: OciError::Refused {
                operation,
                status,
                message,
                request_id,
                attempts: self.attempts,
                hint: None,
            },
        }
    }

    /// An error of the HTTP client.
    pub(super) fn middleware(&self, error: &reqwest_middleware::Error, host: &str) -> AttemptError {
        let error = match error {
            reqwest_middleware::Error::Reqwest(error) => error,
            // The only middleware is the one that signs.
            reqwest_middleware::Error::Middleware(error) => {
                return self.unusable(&format!("signing the request: {error}"));
            }
        };
        let cause = cause(error);
        if cause.contains("certificate") {
            let reason = format!(
                "the certificate of {host} is not trusted: {cause}; SSL_CERT_FILE may name other authorities"
            );
            return self.unreachable(&reason, false);
        }
        self.unreachable(&format!("no connection to {host}: {cause}"), true)
    }
}

/// Code and message in the body of an error: JSON from a service, any text from a load balancer.
fn reason(body: &[u8], is_cut: bool) -> (String, String) {
    #[derive(Deserialize)]
    struct Document {
        code: Option<String>,
        message: Option<String>,
    }
    let (code, text) = match serde_json::from_slice::<Document>(body) {
        Ok(Document { code, message }) => {
            let code = code.unwrap_or_default();
            let text = format!("{code}: {}", message.unwrap_or_default());
            (code, text)
        }
        Err(_) => (String::new(), redact::excerpt(body, is_cut)),
    };
    let line: String = redact::mask(&text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE)
        .collect();
    let line = line.trim().trim_end_matches(':').to_owned();
    (
        code,
        if line.is_empty() {
            "without a message".to_owned()
        } else {
            line
        },
    )
}

/// The difference between the clock of this machine and the server's `Date`, if it is too large. True if this machine
/// is ahead.
fn skew(headers: &HeaderMap, now: SystemTime) -> Option<(Duration, bool)> {
    let theirs = httpdate::parse_http_date(header_text(headers, "date")?).ok()?;
    let (difference, ahead) = match now.duration_since(theirs) {
        Ok(difference) => (difference, true),
        Err(error) => (error.duration(), false),
    };
    (difference > MAX_SKEW).then_some((difference, ahead))
}

/// The text of a header.
pub(super) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
