//! The keys at the JWKS URL: fetched when the first token arrives, cached, fetched again in time and for an unknown key.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL};
use jsonwebtoken::{Algorithm, DecodingKey};
use openssl::x509::X509;
use reqwest::{Certificate, Client, Response, Url};
use runtime::redact;
use runtime::text::cause;
use settings::SettingError;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::jwks::KeySet;

/// How long fetched keys are used if the response does not say it, and the bounds if it does.
const DEFAULT_AGE: Duration = Duration::from_secs(10 * 60);
const MIN_AGE: Duration = Duration::from_secs(60);
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// How long keys are used that cannot be fetched again.
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// The minimum time between two requests while there are keys: tokens with unknown key ids cause no more.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// The minimum time between two requests while there are none.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum size of a JWKS, in bytes.
const MAX_JWKS: usize = 256 << 10;

/// The keys at one URL.
pub(super) struct KeyCache {
    http: Client,
    url: Url,
    ca: Option<String>,
    state: Mutex<State>,
    /// Held during a request.
    request: tokio::sync::Mutex<()>,
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyError {
    /// The JWKS has no such key.
    Unknown,
    /// The JWKS cannot be fetched.
    Unavailable(String),
}

#[derive(Clone, Default)]
struct State {
    keys: Option<Fetched>,
    /// The last request, and why it failed.
    last: Option<(Instant, Option<String>)>,
}

#[derive(Clone)]
struct Fetched {
    set: Arc<KeySet>,
    at: Instant,
    fresh_until: Instant,
}

impl KeyCache {
    pub(super) fn new(url: Url, ca: Option<String>) -> Result<Self, SettingError> {
        Ok(Self {
            http: client(ca.as_deref())?,
            url,
            ca,
            state: Mutex::default(),
            request: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn has_source_of(&self, other: &Self) -> bool {
        (&self.url, &self.ca) == (&other.url, &other.ca)
    }

    /// The key with this id for this algorithm. Concurrent calls share one request.
    pub(super) async fn key(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, KeyError> {
        let now = Instant::now();
        let state = self.state().clone();
        let known = state.find(id, algorithm, now);
        if let Some(key) = &known
            && state.is_fresh(now)
        {
            return Ok(key.clone());
        }
        if state.may_request(now) {
            let request = match &known {
                // One call requests the keys again; the others use the present ones.
                Some(_) => self.request.try_lock().ok(),
                None => Some(self.request.lock().await),
            };
            // Another call may have made the request while this one waited.
            if request.is_some() && self.state().last == state.last {
                self.fetch().await;
            }
        }
        let state = self.state().clone();
        match state.find(id, algorithm, now) {
            Some(key) => Ok(key),
            None => Err(state.error()),
        }
    }

    async fn fetch(&self) {
        let result = tokio::time::timeout(TIMEOUT, self.request()).await;
        let result = result.unwrap_or_else(|_| Err("no response in 5 s".to_owned()));
        let now = Instant::now();
        let mut state = self.state();
        match result {
            Ok((set, age)) => {
                let url = redact::mask(self.url.as_str());
                if set.is_empty() {
                    warn!(%url, "the JWKS has no key that verifies tokens");
                }
                debug!(%url, "JWKS fetched");
                state.last = Some((now, None));
                state.keys = Some(Fetched {
                    set: Arc::new(set),
                    at: now,
                    fresh_until: now + age,
                });
            }
            Err(error) => {
                let error = format!("fetching {}: {error}", self.url);
                let error = redact::mask(&error).into_owned();
                // Repeated errors are in the lines of the requests that they affect.
                if !matches!(&state.last, Some((_, Some(last))) if *last == error) {
                    warn!(%error, "fetching the keys for tokens failed");
                }
                state.last = Some((now, Some(error)));
            }
        }
    }

    async fn request(&self) -> Result<(KeySet, Duration), String> {
        let request = self.http.get(self.url.clone());
        let request = request.header(ACCEPT, "application/jwk-set+json, application/json");
        let response = request.send().await.map_err(|error| cause(&error))?;
        if response.status() != 200 {
            return Err(format!("the response is {}", response.status()));
        }
        let age = age(response.headers());
        let set = KeySet::parse(&body(response).await?)?;
        Ok((set, age))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, id: Option<&str>, algorithm: Algorithm, now: Instant) -> Option<DecodingKey> {
        let fetched = self.keys.as_ref()?;
        let is_usable = now.saturating_duration_since(fetched.at) < MAX_STALE;
        is_usable.then(|| fetched.set.find(id, algorithm).cloned())?
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.keys
            .as_ref()
            .is_some_and(|keys| now < keys.fresh_until)
    }

    fn may_request(&self, now: Instant) -> bool {
        let interval = match self.keys {
            Some(_) => REFRESH_INTERVAL,
            None => RETRY_INTERVAL,
        };
        (self.last.as_ref()).is_none_or(|(at, _)| now.saturating_duration_since(*at) >= interval)
    }

    fn error(&self) -> KeyError {
        match &self.last {
            Some((_, None)) => KeyError::Unknown,
            Some((_, Some(error))) => KeyError::Unavailable(error.clone()),
            None => KeyError::Unavailable("the request for the keys was cancelled".to_owned()),
        }
    }
}

fn client(ca: Option<&str>) -> Result<Client, SettingError> {
    let expected = || {
        SettingError::Contradiction("CALLER_JWT_CA_LOCATION names no PEM file with certificates (-----BEGIN CERTIFICATE-----)".to_owned())
    };
    let mut builder = http_proxy::client_builder()
        .map_err(|error| SettingError::Contradiction(error.to_string()))?
        .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca {
        // reqwest accepts a file without certificates, and then trusts nothing.
        let parsed = X509::stack_from_pem(pem.as_bytes()).unwrap_or_default();
        if parsed.is_empty() {
            return Err(expected());
        }
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| expected())?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| {
        SettingError::Contradiction(format!("building the HTTP client: {}", cause(&error)))
    })
}

/// The body, of at most [`MAX_JWKS`] bytes.
async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        if body.len() + chunk.len() > MAX_JWKS {
            return Err(format!("the response is larger than {MAX_JWKS} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How long the response is fresh (RFC 9111, section 5.2.2.1), within bounds.
fn age(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let mut directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    directives
        .find_map(|directive| match directive.as_str() {
            "no-cache" | "no-store" => Some(0),
            other => other
                .strip_prefix("max-age=")?
                .trim_matches('"')
                .parse()
                .ok(),
        })
        .map_or(DEFAULT_AGE, |seconds| {
            Duration::from_secs(seconds).clamp(MIN_AGE, MAX_AGE)
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_age_is_that_of_the_response_within_bounds() {
        let age = |text| {
            age(&HeaderMap::from_iter([(
                CACHE_CONTROL,
                HeaderValue::from_static(text),
            )]))
        };
        assert_eq!(age("public, max-age=300"), Duration::from_secs(300));
        assert_eq!(age("Max-Age=\"900\""), Duration::from_secs(900));
        assert_eq!(age("max-age=0"), MIN_AGE);
        assert_eq!(age("no-store"), MIN_AGE);
        assert_eq!(age("max-age=18446744073709551615"), MAX_AGE);
        for text in [
            "",
            "max-age",
            "max-age=-1",
            "max-age=99999999999999999999",
            "s-maxage=9",
        ] {
            assert_eq!(age(text), DEFAULT_AGE, "{text}");
        }
    }
}
