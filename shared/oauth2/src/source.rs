//! The current token, for any number of callers.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;
use reqwest::ClientBuilder;
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::cache::{Decision, TokenCache};
use crate::credentials::ClientCredentials;
use crate::request::TokenRequest;
use crate::response::TokenError;
use crate::token::Token;

/// Requests tokens and keeps the current one. Clones share it.
///
/// A request runs on a thread of its own, because the callers' runtimes may end before it does.
#[derive(Clone, Debug)]
pub struct TokenSource(Arc<Shared>);

/// Requests tokens in another way than the client credentials grant.
pub trait RequestToken: Debug + Send + Sync {
    /// Where the tokens come from, for the log; no secret.
    fn origin(&self) -> &str;

    /// Requests a token, whose lifetime begins at `now`. The request must end by itself.
    fn request(&self, now: Instant) -> TokenFuture<'_>;
}

/// A request for a token in progress.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Token, TokenError>> + Send + 'a>>;

#[derive(Debug)]
struct Shared {
    request: Box<dyn RequestToken>,
    cache: Mutex<TokenCache>,
    /// Notified when a request has ended.
    ended: watch::Sender<()>,
}

impl TokenSource {
    /// Sends no request. `http` is called for each request, so that it can read files again: it returns a client builder with
    /// the TLS configuration and the proxies, or why there is none, without secrets. From now on the secret is masked in text
    /// from other programs.
    ///
    /// # Errors
    /// The credentials are too long for a header.
    pub fn new(
        http: impl Fn() -> Result<ClientBuilder, String> + Send + Sync + 'static,
        credentials: &ClientCredentials,
    ) -> Result<Self, TokenError> {
        Ok(Self::of(TokenRequest::new(Box::new(http), credentials)?))
    }

    /// Requests tokens in this way. Sends no request.
    pub fn of(request: impl RequestToken + 'static) -> Self {
        Self(Arc::new(Shared {
            request: Box::new(request),
            cache: Mutex::default(),
            ended: watch::Sender::new(()),
        }))
    }

    /// Where the tokens come from: the URL of the token endpoint, if it is that of [`TokenSource::new`].
    pub fn origin(&self) -> &str {
        self.0.request.origin()
    }

    /// The value of `Authorization`. Waits only if there is no valid token.
    ///
    /// # Errors
    /// The request for a token failed, now or a moment ago.
    pub async fn header(&self, now: Instant) -> Result<HeaderValue, TokenError> {
        let (decision, mut ended) = self.decide(now);
        match decision {
            Decision::Use(header) | Decision::UseAndRequest(header) => return Ok(header),
            Decision::Fail(error) => return Err(error),
            Decision::Request | Decision::Wait => {}
        }
        // It fails only if the sender is dropped, which `self` holds.
        let _ = ended.changed().await;
        let cache = self.0.cache();
        match (cache.error(), cache.header()) {
            (None, Some(header)) => Ok(header.clone()),
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err(TokenError::Unavailable("no token yet".to_owned())),
        }
    }

    /// The value of `Authorization` that [`TokenSource::header`] returned last; it may have expired since.
    pub fn current(&self) -> Option<HeaderValue> {
        self.0.cache().header().cloned()
    }

    /// When this token expires, if it is the current one and the server gave its lifetime.
    pub fn expires_at(&self, header: &HeaderValue) -> Option<Instant> {
        self.0.cache().expires_at(header)
    }

    /// Records that an endpoint refused a token (401). True if there is another token, or will be. False if this one
    /// replaced a refused one less than `min_age` ago: then the cause is not the token.
    pub fn refuse(&self, header: &HeaderValue, now: Instant, min_age: Duration) -> bool {
        self.0.cache().refuse(header, now, min_age)
    }

    /// The decision, and a receiver that is notified of the end of a request in progress.
    fn decide(&self, now: Instant) -> (Decision, watch::Receiver<()>) {
        let (decision, ended) = {
            let mut cache = self.0.cache();
            (cache.next(now), self.0.ended.subscribe())
        };
        if matches!(decision, Decision::Request | Decision::UseAndRequest(_)) {
            let shared = Arc::clone(&self.0);
            let work = move || {
                let result = block_on(shared.request.request(now));
                shared.end(result);
            };
            let builder = std::thread::Builder::new().name("access token".to_owned());
            if let Err(error) = builder.spawn(work) {
                self.0.end(Err(not_started(&error)));
            }
        }
        (decision, ended)
    }
}

impl Shared {
    fn cache(&self) -> MutexGuard<'_, TokenCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, result: Result<Token, TokenError>) {
        let origin = self.request.origin();
        match &result {
            Ok(_) => debug!(origin, "received an access token"),
            Err(error) => warn!(origin, %error, "requesting an access token failed"),
        }
        let (now, random) = (Instant::now(), fastrand::f64());
        // Notified under the lock, so that a receiver is not notified of a request that ended before its decision.
        let mut cache = self.cache();
        cache.on_result(result, now, random);
        self.ended.send_replace(());
    }
}

fn block_on(request: impl Future<Output = Result<Token, TokenError>>) -> Result<Token, TokenError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| not_started(&error))?;
    let result = runtime.block_on(request);
    // Do not wait for a name resolution in progress.
    runtime.shutdown_background();
    result
}

fn not_started(error: &std::io::Error) -> TokenError {
    TokenError::Unavailable(format!("starting the request: {error}"))
}
