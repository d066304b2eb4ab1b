//! One question to a service and its answer: attempts, bounds, and what went wrong in words.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Extensions, HeaderMap, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::ClientWithMiddleware;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::error::OciError;
use super::principal::Principal;
use super::{Clock, retry};

/// The longest that one attempt may take; a question has time for another one.
const ATTEMPT: Duration = Duration::from_secs(8);

/// A signature holds for five minutes ("Request Signatures").
const MAX_SKEW: Duration = Duration::from_secs(300);

/// The most of an error's body that is read, and the most of its message that is shown.
const MAX_ERROR: usize = 64 << 10;
const MAX_MESSAGE: usize = 400;

/// Asks services within a bound of time.
#[derive(Clone)]
pub(super) struct Exchange {
    /// The client; it signs, if anybody does.
    pub(super) http: ClientWithMiddleware,
    /// How long one question may take, attempts and waits included.
    pub(super) bound: Duration,
    /// Whose credentials sign, to say more about a 401.
    pub(super) principal: Option<Arc<Principal>>,
    /// What time it is.
    pub(super) clock: Clock,
}

/// An answer that is no error: 2xx or 304.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) request_id: String,
}

/// An attempt that failed, and whether another one makes sense.
struct Failure {
    error: OciError,
    is_transient: bool,
    retry_after: Option<Duration>,
}

impl Exchange {
    /// Sends the request until it is answered for good or the bound is near. At most `limit` bytes are read.
    ///
    /// # Errors
    /// The last failure.
    pub(super) async fn ask(
        &self,
        doing: &str,
        request: &Request,
        extensions: &Extensions,
        limit: usize,
    ) -> Result<Answer, OciError> {
        let end = Instant::now() + self.bound;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let call = Call {
                doing,
                attempts,
                request_id: random_id(),
                limit,
            };
            let failure = match self.attempt(&call, request, extensions.clone(), end).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = retry::wait(attempts, dice(), failure.retry_after);
            if !failure.is_transient || Instant::now() + wait >= end {
                return Err(failure.error);
            }
            debug!(error = %failure.error, ?wait, "asking again");
            sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        request: &Request,
        mut extensions: Extensions,
        end: Instant,
    ) -> Result<Answer, Failure> {
        let Some(mut request) = request.try_clone() else {
            return Err(call.unusable("the request cannot be sent twice".to_owned()));
        };
        let host = request.url().host_str().unwrap_or_default().to_owned();
        if let Ok(id) = HeaderValue::try_from(&call.request_id) {
            // Object Storage reads the first name, other services the second.
            request
                .headers_mut()
                .insert("opc-client-request-id", id.clone());
            request.headers_mut().insert("opc-request-id", id);
        }
        let patience = ATTEMPT.min(end.saturating_duration_since(Instant::now()));
        let exchange = async {
            let response = self
                .http
                .execute_with_extensions(request, &mut extensions)
                .await
                .map_err(|error| call.middleware(&error, &host))?;
            self.answer(call, response, &host).await
        };
        match timeout(patience, exchange).await {
            Ok(result) => result,
            Err(_) => Err(call.unreachable(
                format!(
                    "no answer from {host} within {:.0}s",
                    patience.as_secs_f64()
                ),
                true,
            )),
        }
    }

    async fn answer(
        &self,
        call: &Call<'_>,
        mut response: Response,
        host: &str,
    ) -> Result<Answer, Failure> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let is_error = !status.is_success() && status != http::StatusCode::NOT_MODIFIED;
        let limit = if is_error { MAX_ERROR } else { call.limit };
        let mut body = Vec::new();
        let request_id = text(&headers, "opc-request-id")
            .unwrap_or(&call.request_id)
            .to_owned();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= limit => {
                    body.extend_from_slice(&chunk)
                }
                // Of an error the beginning will do.
                Ok(Some(_)) if is_error => break,
                Ok(Some(_)) => {
                    return Err(call.unusable(format!("the answer is larger than {limit} bytes")));
                }
                Ok(None) => break,
                Err(_) if is_error => break,
                Err(error) => {
                    let reason = format!(
                        "the answer of {host} broke off after {} bytes: {}",
                        body.len(),
                        cause(&error)
                    );
                    return Err(call.unreachable(reason, true));
                }
            }
        }
        if !is_error {
            return Ok(Answer {
                status: status.as_u16(),
                headers,
                body,
                request_id,
            });
        }
        let refusal = Refusal {
            status: status.as_u16(),
            headers: &headers,
            body: &body,
            request_id,
        };
        Err(self.refused(call, refusal).await)
    }

    async fn refused(&self, call: &Call<'_>, refusal: Refusal<'_>) -> Failure {
        let now = (self.clock)();
        let Refusal {
            status,
            headers,
            body,
            request_id,
        } = refusal;
        if status == 401
            && let Some((apart, ahead)) = skew(headers, now)
        {
            return Failure {
                error: OciError::Clock {
                    doing: call.doing.to_owned(),
                    apart,
                    ahead,
                    request_id,
                },
                is_transient: false,
                retry_after: None,
            };
        }
        let (code, message) = reason(body);
        let hint = match &self.principal {
            Some(principal) if status == 401 => principal.ended(now).await,
            _ => None,
        };
        Failure {
            is_transient: retry::is_transient(status, &code),
            retry_after: text(headers, "retry-after")
                .and_then(|text| retry::retry_after(text, now)),
            error: OciError::Refused {
                doing: call.doing.to_owned(),
                status,
                message,
                request_id,
                attempts: call.attempts,
                hint,
            },
        }
    }
}

/// One attempt, for the errors that it may end in.
struct Call<'a> {
    doing: &'a str,
    attempts: u32,
    request_id: String,
    limit: usize,
}

struct Refusal<'a> {
    status: u16,
    headers: &'a HeaderMap,
    body: &'a [u8],
    request_id: String,
}

impl Call<'_> {
    fn unreachable(&self, reason: String, is_transient: bool) -> Failure {
        Failure {
            error: OciError::Unreachable {
                doing: self.doing.to_owned(),
                reason,
                request_id: self.request_id.clone(),
                attempts: self.attempts,
            },
            is_transient,
            retry_after: None,
        }
    }

    fn unusable(&self, reason: String) -> Failure {
        Failure {
            error: OciError::Unusable {
                doing: self.doing.to_owned(),
                reason,
                request_id: self.request_id.clone(),
            },
            is_transient: false,
            retry_after: None,
        }
    }

    fn middleware(&self, error: &reqwest_middleware::Error, host: &str) -> Failure {
        let error = match error {
            reqwest_middleware::Error::Reqwest(error) => error,
            // Only signing can fail there.
            reqwest_middleware::Error::Middleware(error) => {
                return self.unusable(format!("signing the request: {error}"));
            }
        };
        let cause = cause(error);
        if cause.contains("certificate") {
            let reason = format!(
                "the certificate of {host} is not trusted: {cause}; SSL_CERT_FILE may name other authorities"
            );
            return self.unreachable(reason, false);
        }
        self.unreachable(format!("no connection to {host}: {cause}"), true)
    }
}

/// The innermost cause, which is the one that says something.
fn cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Code and message of an error's body: JSON from the services, anything from a load balancer.
fn reason(body: &[u8]) -> (String, String) {
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
        Err(_) => (String::new(), String::from_utf8_lossy(body).into_owned()),
    };
    let line: String = text
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

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// 32 hex digits, as Oracle's SDKs name their requests.
fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the name is all zeros, which harms nobody.
    let _ = openssl::rand::rand_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn dice() -> f64 {
    let mut byte = [0; 2];
    let _ = openssl::rand::rand_bytes(&mut byte);
    f64::from(u16::from_le_bytes(byte)) / f64::from(u16::MAX)
}
