//! Access tokens for SASL OAUTHBEARER (RFC 7628, KIP-255): the same token for all clients of the settings, set again before it
//! expires.
//!
//! A thread for each client requests and sets the token. librdkafka's callback is not used: a client must be polled for it,
//! and `rdkafka` passes no SASL extensions.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::ops::Deref;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use oauth2::{TokenError, TokenSource};
use rdkafka::ClientConfig;
use rdkafka::client::{Client, ClientContext};
use rdkafka_sys::{
    rd_kafka_oauthbearer_set_token, rd_kafka_oauthbearer_set_token_failure, rd_kafka_resp_err_t,
    rd_kafka_t,
};
use tokio::runtime::Runtime;

/// How often the thread checks whether there is another token.
const INTERVAL: Duration = Duration::from_secs(1);

/// The lifetime that librdkafka is given for a token without one.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(3600);

/// The beginning of the reason if another request may succeed.
pub(crate) const TEMPORARY: &str = "temporarily no token: ";

/// The properties of a client, and the tokens that it authenticates with.
#[derive(Clone)]
pub struct ClientProperties {
    pub(crate) config: ClientConfig,
    pub(crate) tokens: Option<Tokens>,
}

impl From<ClientConfig> for ClientProperties {
    fn from(config: ClientConfig) -> Self {
        Self {
            config,
            tokens: None,
        }
    }
}

impl Deref for ClientProperties {
    type Target = ClientConfig;

    fn deref(&self) -> &ClientConfig {
        &self.config
    }
}

/// Where tokens come from. Clones share the current token.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) source: TokenSource,
    pub(crate) principal: String,
    /// SASL extensions (KIP-342), names and values.
    pub(crate) extensions: Vec<(String, String)>,
}

/// Keeps a client's token valid until it is dropped. Drop it before the client.
#[must_use]
pub struct TokenRefresher {
    client: Arc<Mutex<Option<NativeClient>>>,
    _stop: Sender<()>,
}

struct NativeClient(*mut rd_kafka_t);

// SAFETY: librdkafka's handles can be used by any thread.
unsafe impl Send for NativeClient {}

impl Drop for TokenRefresher {
    fn drop(&mut self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ClientProperties {
    /// Starts to set the tokens of a client with these properties, if it uses any.
    pub fn authenticate<C: ClientContext>(&self, client: &Client<C>) -> Option<TokenRefresher> {
        let tokens = self.tokens.clone()?;
        let native = Arc::new(Mutex::new(Some(NativeClient(client.native_ptr()))));
        let (stop, stopped) = channel::<()>();
        let refreshed = Arc::clone(&native);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let mut current = None;
            loop {
                let result = match &runtime {
                    Ok(runtime) => tokens.request(runtime),
                    Err(error) => Err(TokenError::Unavailable(error.to_string())),
                };
                let client = refreshed.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(client) = &*client else { return };
                match result {
                    Ok((header, _)) if current.as_ref() == Some(&header) => {}
                    Ok((header, expires_at)) => match tokens.set(client, &header, expires_at) {
                        Ok(()) => current = Some(header),
                        Err(reason) => fail(client, &reason),
                    },
                    Err(TokenError::Refused(reason)) => fail(client, &reason),
                    Err(TokenError::Unavailable(reason)) => {
                        fail(client, &format!("{TEMPORARY}{reason}"));
                    }
                }
                if stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("token".to_owned()).spawn(work);
        if let Err(error) = started {
            tracing::error!(%error, "starting the thread of the access token failed");
        }
        Some(TokenRefresher {
            client: native,
            _stop: stop,
        })
    }
}

impl Tokens {
    fn request(&self, runtime: &Runtime) -> Result<(HeaderValue, Option<Instant>), TokenError> {
        let header = runtime.block_on(self.source.header(Instant::now()))?;
        let expires_at = self.source.expires_at(&header);
        Ok((header, expires_at))
    }

    fn set(
        &self,
        client: &NativeClient,
        header: &HeaderValue,
        expires_at: Option<Instant>,
    ) -> Result<(), String> {
        let malformed = |_| "the token or an extension has a NUL character".to_owned();
        let text = header
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "));
        let token = CString::new(text.unwrap_or_default()).map_err(malformed)?;
        let principal = CString::new(self.principal.as_str()).map_err(malformed)?;
        let extensions: Vec<CString> = self
            .extensions
            .iter()
            .flat_map(|(name, value)| [name, value])
            .map(|text| CString::new(text.as_str()))
            .collect::<Result<_, _>>()
            .map_err(malformed)?;
        let mut pointers: Vec<*const c_char> =
            extensions.iter().map(|text| text.as_ptr()).collect();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let lifetime = expires_at.map_or(UNKNOWN_LIFETIME, |at| {
            at.saturating_duration_since(Instant::now())
        });
        let until = i64::try_from((now + lifetime).as_millis()).unwrap_or(i64::MAX);
        let mut reason = [0u8; 512];
        // SAFETY: the lock that the caller holds keeps the client alive; the texts end in NUL and outlive the call, which
        // copies them; the length of `reason` is given.
        let code = unsafe {
            rd_kafka_oauthbearer_set_token(
                client.0,
                token.as_ptr(),
                until,
                principal.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                reason.as_mut_ptr().cast(),
                reason.len(),
            )
        };
        match code {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            _ => {
                let end = reason.iter().position(|byte| *byte == 0).unwrap_or(0);
                Err(String::from_utf8_lossy(&reason[..end]).into_owned())
            }
        }
    }
}

/// Reports to the client that there is no token. It passes this on as an authentication error.
fn fail(client: &NativeClient, reason: &str) {
    let reason = CString::new(reason).unwrap_or_default();
    // SAFETY: as above.
    unsafe { rd_kafka_oauthbearer_set_token_failure(client.0, reason.as_ptr()) };
}

/// Whether librdkafka's reason is a failure to get a token after which another request may succeed.
pub(crate) fn is_temporary(reason: &str) -> bool {
    reason.contains(TEMPORARY)
}
