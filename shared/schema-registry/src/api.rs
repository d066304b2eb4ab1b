//! One operation of the registry: attempts over all URLs, waits, and credentials.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use oauth2::TokenError;
use reqwest::{Client, Request, Response, Url};
use runtime::redact;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::authorization::Authorization;
use crate::body;
use crate::error::RegistryError;
use crate::operation::{Operation, shown};
use crate::response::{ErrorKind, ErrorResponse};
use crate::retry;

/// The maximum size of a response, in bytes.
pub(crate) const MAX_RESPONSE: usize = 1 << 20;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");
const ACCEPTED: HeaderValue =
    HeaderValue::from_static("application/vnd.schemaregistry.v1+json, application/json; q=0.9");

/// Sends requests to the registry.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) http: Client,
    pub(crate) urls: Vec<Url>,
    pub(crate) authorization: Authorization,
    /// The maximum duration of one operation.
    pub(crate) timeout: Duration,
    /// The index of the URL that answered last.
    pub(crate) preferred: AtomicUsize,
}

/// A failed attempt.
enum Failure {
    /// The URL is unavailable.
    Unavailable {
        reason: String,
        retry_after: Option<Duration>,
        /// Whether another attempt at the same URL may succeed.
        is_transient: bool,
    },
    /// There was no response until the end of the operation, which came before that of the attempt.
    CutShort { timeout: Duration },
    /// The registry has answered: no other attempt is made.
    Answered(RegistryError),
}

impl Api {
    /// Sends the request until a URL answers or the timeout is near, and returns the URL and the response. The error has
    /// the reason of the last attempt. One that the end of the operation cut short counts only if it was the first.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        operation: &Operation<'_>,
    ) -> Result<(&Url, T), RegistryError> {
        let start = Instant::now();
        let end = start + self.timeout;
        let (mut attempts, mut rounds) = (0, 0);
        let mut last = None;
        loop {
            rounds += 1;
            let first = self.preferred.load(Ordering::Relaxed);
            let (mut can_retry, mut smallest_wait) = (false, Duration::MAX);
            for step in 0..self.urls.len() {
                let index = (first + step) % self.urls.len();
                let url = &self.urls[index];
                attempts += 1;
                match self.attempt(operation, url, end).await {
                    Ok(response) => {
                        self.preferred.store(index, Ordering::Relaxed);
                        return Ok((url, response));
                    }
                    Err(Failure::Answered(error)) => {
                        self.preferred.store(index, Ordering::Relaxed);
                        return Err(error);
                    }
                    Err(Failure::Unavailable {
                        reason,
                        retry_after,
                        is_transient,
                    }) => {
                        debug!(
                            operation = operation.name,
                            url = shown(url),
                            reason,
                            "attempt failed"
                        );
                        can_retry |= is_transient;
                        smallest_wait = smallest_wait.min(retry_after.unwrap_or_default());
                        last = Some((url, reason));
                    }
                    Err(Failure::CutShort { timeout }) => {
                        last.get_or_insert_with(|| (url, no_response(timeout)));
                    }
                }
            }
            let wait = retry::wait(rounds, fastrand::f64(), smallest_wait);
            // Compared with the remaining time: `Retry-After` may be too large to add to a time.
            if can_retry && wait < end.saturating_duration_since(Instant::now()) {
                sleep(wait).await;
                continue;
            }
            let Some((url, reason)) = last else {
                return Err(RegistryError::Setup("there is no URL".to_owned()));
            };
            return Err(RegistryError::Unavailable {
                operation: operation.name.to_owned(),
                url: shown(url),
                reason,
                attempts,
                elapsed: start.elapsed(),
            });
        }
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        operation: &Operation<'_>,
        url: &Url,
        end: Instant,
    ) -> Result<T, Failure> {
        let full = retry::attempt_timeout(self.timeout, self.urls.len());
        let timeout = full.min(end.saturating_duration_since(Instant::now()));
        match tokio::time::timeout(timeout, self.exchange(operation, url)).await {
            Ok(result) => result,
            Err(_) if timeout < full => Err(Failure::CutShort { timeout }),
            Err(_) => Err(Failure::transient(no_response(timeout))),
        }
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        operation: &Operation<'_>,
        url: &Url,
    ) -> Result<T, Failure> {
        let header = self.authorize(operation, None).await?;
        let mut response = self.execute(operation, url, header.clone()).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.authorization.can_renew() {
            // The token may have been revoked: one new token, then the answer is final.
            let header = self.authorize(operation, header.as_ref()).await?;
            response = self.execute(operation, url, header).await?;
        }
        self.read(operation, url, response).await
    }

    async fn authorize(
        &self,
        operation: &Operation<'_>,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Failure> {
        let (error, token_url) = match self.authorization.header(refused).await {
            Ok(header) => return Ok(header),
            Err(failed) => failed,
        };
        Err(match error {
            TokenError::Unavailable(reason) => Failure::transient(format!(
                "requesting a token from {}: {reason}",
                shown(&token_url)
            )),
            TokenError::Refused(message) => Failure::Answered(RegistryError::Refused {
                operation: format!("requesting a token for {}", operation.name),
                url: shown(&token_url),
                message,
                advice: self.authorization.advice(),
            }),
        })
    }

    async fn execute(
        &self,
        operation: &Operation<'_>,
        base: &Url,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, Failure> {
        let method = if operation.body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut request = Request::new(method, operation.url(base));
        let headers = request.headers_mut();
        headers.insert(ACCEPT, ACCEPTED);
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(body) = &operation.body {
            headers.insert(CONTENT_TYPE, MEDIA_TYPE);
            *request.body_mut() = Some(body.clone().into());
        }
        let sent = self.http.execute(request).await;
        sent.map_err(|error| {
            let reason = body::connection_error(&error);
            match body::tls_advice(&reason) {
                Some(advice) => Failure::Unavailable {
                    reason: format!("{reason}; {advice}"),
                    retry_after: None,
                    is_transient: false,
                },
                None => Failure::transient(reason),
            }
        })
    }

    async fn read<T: DeserializeOwned>(
        &self,
        operation: &Operation<'_>,
        url: &Url,
        response: Response,
    ) -> Result<T, Failure> {
        let status = response.status();
        let headers = response.headers().clone();
        let (body, is_cut) = body::beginning(response, MAX_RESPONSE)
            .await
            .map_err(Failure::transient)?;
        let invalid = |reason| {
            Failure::Answered(RegistryError::Invalid {
                operation: operation.name.to_owned(),
                url: shown(url),
                reason,
            })
        };
        if status.is_success() {
            if is_cut {
                return Err(invalid(format!(
                    "the response is larger than {MAX_RESPONSE} bytes"
                )));
            }
            return serde_json::from_slice(&body).map_err(|error| {
                let reason = format!("the response is not the JSON of a schema registry: {error}");
                invalid(redact::mask(&reason).into_owned())
            });
        }
        let response = ErrorResponse {
            status,
            headers: &headers,
            body: &body,
            is_cut,
        };
        let (kind, message) = response.classify(SystemTime::now());
        Err(match kind {
            ErrorKind::Transient(retry_after) => Failure::Unavailable {
                reason: message,
                retry_after,
                is_transient: true,
            },
            ErrorKind::Unknown => Failure::Answered(RegistryError::Unknown {
                operation: operation.name.to_owned(),
                url: shown(url),
                message,
            }),
            ErrorKind::Refused => Failure::Answered(RegistryError::Refused {
                operation: operation.name.to_owned(),
                url: shown(url),
                message,
                advice: self.authorization.advice(),
            }),
            ErrorKind::Invalid => invalid(message),
        })
    }
}

fn no_response(timeout: Duration) -> String {
    format!("no response within {:.1} s", timeout.as_secs_f64())
}

impl Failure {
    fn transient(reason: String) -> Self {
        Self::Unavailable {
            reason,
            retry_after: None,
            is_transient: true,
        }
    }
}
