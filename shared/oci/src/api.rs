//! One operation of a service within bounds of time and size: attempts, and the waits between them.

use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::ClientWithMiddleware;
use tokio::time::{Instant, sleep};
use tracing::debug;

use runtime::redact;
use runtime::text::cause;

use crate::attempt::{Attempt, AttemptError, ErrorResponse, header_text};
use crate::clock::Clock;
use crate::error::OciError;
use crate::retry;

/// The timeout of one attempt. With the default timeout of an operation, a second attempt has time.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// The maximum number of bytes that are read of an error's body.
const MAX_ERROR: usize = 64 << 10;

/// Sends requests to services.
#[derive(Clone)]
pub(crate) struct Api {
    /// The client, with or without the middleware that signs.
    pub(super) http: ClientWithMiddleware,
    /// The maximum duration of one operation, with all attempts and waits.
    pub(super) timeout: Duration,
    pub(super) clock: Clock,
}

/// A response with status 2xx or 304.
pub(crate) struct ApiResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) request_id: String,
}

impl Api {
    /// Sends the request until it succeeds, fails with a permanent error, or the timeout is near. Reads at most `limit`
    /// bytes of the response.
    ///
    /// # Errors
    /// The error of the last attempt. One that the end of the operation cut short counts only if it was the first.
    pub(super) async fn send(
        &self,
        operation: &str,
        request: &Request,
        extensions: &Extensions,
        limit: usize,
    ) -> Result<ApiResponse, OciError> {
        let end = Instant::now() + self.timeout;
        let mut attempts = 0;
        let mut last = None;
        loop {
            attempts += 1;
            let attempt = Attempt {
                operation,
                attempts,
                request_id: random_id(),
                limit,
            };
            let timeout = ATTEMPT_TIMEOUT.min(end.saturating_duration_since(Instant::now()));
            let response = self.attempt(&attempt, request, extensions.clone());
            let failed = match tokio::time::timeout(timeout, response).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(failed)) => failed,
                Err(_) => match last {
                    Some(error) if timeout < ATTEMPT_TIMEOUT => return Err(error),
                    _ => attempt.unreachable(
                        &format!(
                            "no response from {} within {:.0}s",
                            host_of(request),
                            timeout.as_secs_f64()
                        ),
                        true,
                    ),
                },
            };
            let wait = retry::backoff(attempts, fastrand::f64(), failed.retry_after);
            // Compared with the remaining time: `Retry-After` may be too large to add to a time.
            if !failed.is_transient || wait >= end.saturating_duration_since(Instant::now()) {
                return Err(failed.error);
            }
            debug!(error = %failed.error, ?wait, "attempt failed, retrying");
            last = Some(failed.error);
            sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        attempt: &Attempt<'_>,
        request: &Request,
        mut extensions: Extensions,
    ) -> Result<ApiResponse, AttemptError> {
        let Some(mut request) = request.try_clone() else {
            return Err(attempt.unusable("the request cannot be sent twice"));
        };
        let host = host_of(&request).to_owned();
        if let Ok(id) = HeaderValue::try_from(&attempt.request_id) {
            // Object Storage reads the first header, other services the second.
            request
                .headers_mut()
                .insert("opc-client-request-id", id.clone());
            request.headers_mut().insert("opc-request-id", id);
        }
        let response = self
            .http
            .execute_with_extensions(request, &mut extensions)
            .await
            .map_err(|error| attempt.middleware(&error, &host))?;
        self.read(attempt, response, &host).await
    }

    async fn read(
        &self,
        attempt: &Attempt<'_>,
        mut response: Response,
        host: &str,
    ) -> Result<ApiResponse, AttemptError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let is_error = !status.is_success() && status != http::StatusCode::NOT_MODIFIED;
        let limit = if is_error { MAX_ERROR } else { attempt.limit };
        let (mut body, mut is_cut) = (Vec::new(), false);
        let request_id = header_text(&headers, "opc-request-id").unwrap_or(&attempt.request_id);
        let request_id = redact::mask(request_id).into_owned();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= limit => {
                    body.extend_from_slice(&chunk)
                }
                // The beginning of an error's body is enough.
                Ok(Some(chunk)) if is_error => {
                    body.extend(chunk.iter().take(limit - body.len()));
                    is_cut = true;
                    break;
                }
                Ok(Some(_)) => {
                    return Err(
                        attempt.unusable(&format!("the response is larger than {limit} bytes"))
                    );
                }
                Ok(None) => break,
                Err(_) if is_error => {
                    is_cut = true;
                    break;
                }
                Err(error) => {
                    let reason = format!(
                        "the response of {host} ended after {} bytes: {}",
                        body.len(),
                        cause(&error)
                    );
                    return Err(attempt.unreachable(&reason, true));
                }
            }
        }
        if !is_error {
            return Ok(ApiResponse {
                status: status.as_u16(),
                headers,
                body,
                request_id,
            });
        }
        Err(attempt.refused(ErrorResponse {
            status: status.as_u16(),
            headers: &headers,
            body: &body,
            is_cut,
            request_id,
            now: (self.clock)(),
        }))
    }
}

impl ApiResponse {
    /// The text of a header.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        header_text(&self.headers, name)
    }

    /// The error for a response that is not as documented.
    pub(super) fn unusable(&self, operation: &str, reason: impl Into<String>) -> OciError {
        OciError::Unusable {
            operation: operation.to_owned(),
            reason: redact::mask(&reason.into()).into_owned(),
            request_id: self.request_id.clone(),
        }
    }
}

/// 32 hex digits, the form of request ids in Oracle's SDKs.
fn random_id() -> String {
    let mut bytes = [0; 16];
    // If OpenSSL fails, the id is all zeros. It only helps to find the request in logs.
    let _ = openssl::rand::rand_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn host_of(request: &Request) -> &str {
    request.url().host_str().unwrap_or_default()
}
