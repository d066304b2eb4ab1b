//! An attempt that failed, in words for whoever is on call, and whether another one makes sense. Pure: what was met
//! in, failure out.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde::Deserialize;

use super::error::OciError;
use super::retry;
use runtime::redact;
use runtime::text::cause;

/// A signature holds for five minutes ("Request Signatures").
const MAX_SKEW: Duration = Duration::from_secs(300);

/// The most of an error's message that is shown.
const MAX_MESSAGE: usize = 400;

/// An attempt that failed, and whether another one makes sense.
pub(super) struct Failure {
    pub(super) error: OciError,
    pub(super) is_transient: bool,
    /// What the service wants us to wait.
    pub(super) retry_after: Option<Duration>,
}

/// One attempt, for the errors that it may end in.
pub(super) struct Call<'a> {
    /// What we are doing, to what.
    pub(super) doing: &'a str,
    /// How many attempts there were, this one included.
    pub(super) attempts: u32,
    /// Our id of the request.
    pub(super) request_id: String,
    /// The most bytes of an answer that are read.
    pub(super) limit: usize,
}

/// An answer that is an error.
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    /// The body, or its beginning.
    pub(super) body: &'a [u8],
    /// True if that is only its beginning.
    pub(super) is_cut: bool,
    /// The service's id of the request, or ours if it gave none.
    pub(super) request_id: String,
    /// What we know about a 401 that the service does not say.
    pub(super) hint: Option<String>,
    /// Our own time.
    pub(super) now: SystemTime,
}

impl Call<'_> {
    /// No answer, or half of one.
    pub(super) fn unreachable(&self, reason: &str, is_transient: bool) -> Failure {
        Failure {
            error: OciError::Unreachable {
                doing: self.doing.to_owned(),
                reason: redact::mask(reason).into_owned(),
                request_id: self.request_id.clone(),
                attempts: self.attempts,
            },
            is_transient,
            retry_after: None,
        }
    }

    /// Another attempt would end in the same.
    pub(super) fn unusable(&self, reason: &str) -> Failure {
        Failure {
            error: OciError::Unusable {
                doing: self.doing.to_owned(),
                reason: redact::mask(reason).into_owned(),
                request_id: self.request_id.clone(),
            },
            is_transient: false,
            retry_after: None,
        }
    }

    /// The service answered with an error. A 401 of a service whose clock is too far from ours blames the clock.
    pub(super) fn refused(&self, refusal: Refusal<'_>) -> Failure {
        let Refusal {
            status,
            headers,
            body,
            is_cut,
            request_id,
            hint,
            now,
        } = refusal;
        let doing = self.doing.to_owned();
        if status == 401
            && let Some((apart, ahead)) = skew(headers, now)
        {
            return Failure {
                error: OciError::Clock {
                    doing,
                    apart,
                    ahead,
                    request_id,
                },
                is_transient: false,
                retry_after: None,
            };
        }
        let (code, message) = reason(body, is_cut);
        Failure {
            is_transient: retry::is_transient(status, &code),
            retry_after: text(headers, "retry-after")
                .and_then(|text| retry::retry_after(text, now)),
            error: OciError::Refused {
                doing,
                status,
                message,
                request_id,
                attempts: self.attempts,
                hint,
            },
        }
    }

    /// What the client met on the way to a host.
    pub(super) fn middleware(&self, error: &reqwest_middleware::Error, host: &str) -> Failure {
        let error = match error {
            reqwest_middleware::Error::Reqwest(error) => error,
            // Only signing can fail there.
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

/// Code and message of an error's body: JSON from the services, anything from a load balancer.
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
            "without a reason".to_owned()
        } else {
            line
        },
    )
}

/// How far our clock is from the server's `Date`, if too far; true if ours is ahead.
fn skew(headers: &HeaderMap, now: SystemTime) -> Option<(Duration, bool)> {
    let theirs = httpdate::parse_http_date(text(headers, "date")?).ok()?;
    let (apart, ahead) = match now.duration_since(theirs) {
        Ok(apart) => (apart, true),
        Err(error) => (error.duration(), false),
    };
    (apart > MAX_SKEW).then_some((apart, ahead))
}

/// A header's text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
