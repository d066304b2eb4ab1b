//! One question to a service and its answer, within bounds of time and size: attempts, and the waits between them.

use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::ClientWithMiddleware;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::error::OciError;
use super::failure::{Call, Failure, Refusal, text};
use super::principal::Principal;
use super::{Clock, retry};
use runtime::redact;
use runtime::text::cause;

/// The longest that one attempt may take; a question has time for another one.
const ATTEMPT: Duration = Duration::from_secs(8);

/// The most of an error's body that is read.
const MAX_ERROR: usize = 64 << 10;

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
            // A server may ask for any wait, beyond what a clock can hold.
            if !failure.is_transient || wait >= end.saturating_duration_since(Instant::now()) {
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
            return Err(call.unusable("the request cannot be sent twice"));
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
                &format!(
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
        let (mut body, mut is_cut) = (Vec::new(), false);
        let request_id = text(&headers, "opc-request-id").unwrap_or(&call.request_id);
        let request_id = redact::mask(request_id).into_owned();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= limit => {
                    body.extend_from_slice(&chunk)
                }
                // Of an error the beginning will do.
                Ok(Some(chunk)) if is_error => {
                    body.extend(chunk.iter().take(limit - body.len()));
                    is_cut = true;
                    break;
                }
                Ok(Some(_)) => {
                    return Err(call.unusable(&format!("the answer is larger than {limit} bytes")));
                }
                Ok(None) => break,
                Err(_) if is_error => {
                    is_cut = true;
                    break;
                }
                Err(error) => {
                    let reason = format!(
                        "the answer of {host} broke off after {} bytes: {}",
                        body.len(),
                        cause(&error)
                    );
                    return Err(call.unreachable(&reason, true));
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
        let now = (self.clock)();
        let hint = match &self.principal {
            Some(principal) if status == http::StatusCode::UNAUTHORIZED => {
                principal.ended(now).await
            }
            _ => None,
        };
        Err(call.refused(Refusal {
            status: status.as_u16(),
            headers: &headers,
            body: &body,
            is_cut,
            request_id,
            hint,
            now,
        }))
    }
}

impl Answer {
    /// A header's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    /// The error for an answer that is not what the service promises.
    pub(super) fn unusable(&self, doing: &str, reason: impl Into<String>) -> OciError {
        OciError::Unusable {
            doing: doing.to_owned(),
            reason: redact::mask(&reason.into()).into_owned(),
            request_id: self.request_id.clone(),
        }
    }
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
