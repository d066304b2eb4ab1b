//! Signs requests that another HTTP client sends: to a function, or to any API that verifies Oracle Cloud's signatures.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method};
use tokio::sync::OnceCell;

use crate::OciConfig;
use crate::error::OciError;
use crate::principal::{Credentials, Principal};
use crate::sign::{SignableRequest, sign_headers};

/// The minimum time between two renewals after refusals. A service that refuses new credentials too has another reason.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// Signs requests as a principal, whose credentials it renews.
pub struct RequestSigner {
    config: OciConfig,
    principal: OnceCell<Principal>,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    credentials: Option<Arc<Credentials>>,
    /// A service refused the credentials.
    is_refused: bool,
    last_refused: Option<Instant>,
}

impl RequestSigner {
    /// Loads no principal and sends no request.
    pub fn new(config: OciConfig) -> Self {
        Self {
            config,
            principal: OnceCell::new(),
            current: Mutex::default(),
        }
    }

    /// Loads the principal the first time, and renews credentials that are about to expire or that were refused. Sends
    /// requests only for an instance principal.
    ///
    /// # Errors
    /// There is no principal, or its configuration is invalid.
    pub async fn ready(&self) -> Result<(), OciError> {
        let load = || Principal::load(&self.config.principal, self.config.timeout);
        let principal = self.principal.get_or_try_init(load).await?;
        let refused = {
            let mut current = self.current();
            let is_refused = std::mem::take(&mut current.is_refused);
            current.credentials.clone().filter(|_| is_refused)
        };
        let renewed = match refused {
            Some(refused) => principal.renew(&refused).await,
            None => None,
        };
        let credentials = match renewed {
            Some(renewed) => renewed,
            None => principal.credentials((self.config.principal.clock)()).await,
        };
        self.current().credentials = Some(credentials);
        Ok(())
    }

    /// Adds the headers of a signature. `host` is the `Host` header; `target` is path and query. The content type is that
    /// in `headers`.
    ///
    /// # Errors
    /// [`RequestSigner::ready`] was not called, or the key cannot sign.
    pub fn sign(
        &self,
        method: &Method,
        target: &str,
        host: &str,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), String> {
        let credentials = self.current().credentials.clone();
        let credentials = credentials.ok_or("the principal is not loaded")?;
        let has_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
        let request = SignableRequest {
            method,
            target,
            host,
            body: has_body.then_some(body),
        };
        let now = (self.config.principal.clock)();
        sign_headers(&request, headers, &credentials, now)
    }

    /// Records that a service refused a signature (401), given its `Authorization` header. True if the next signature may
    /// have other credentials: these are not the current ones, or are renewed, which is tried once a minute.
    pub fn refuse(&self, authorization: &HeaderValue, now: Instant) -> bool {
        let mut current = self.current();
        let Some(credentials) = &current.credentials else {
            return false;
        };
        let id = format!("keyId=\"{}\"", credentials.key_id.reveal());
        let is_current = authorization.to_str().is_ok_and(|text| text.contains(&id));
        if !is_current || current.is_refused {
            return true;
        }
        let is_recent = |last: Instant| now.saturating_duration_since(last) < RENEWAL_INTERVAL;
        if current.last_refused.is_some_and(is_recent) {
            return false;
        }
        current.is_refused = true;
        current.last_refused = Some(now);
        true
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RequestSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestSigner")
    }
}
