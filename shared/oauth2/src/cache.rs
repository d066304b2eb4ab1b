//! The current token, and when another one is requested. Pure.

use std::time::{Duration, Instant};

use http::HeaderValue;
use runtime::retry::Backoff;

use crate::response::TokenError;
use crate::token::Token;

/// The wait after a failed request, during which no other one is sent.
const BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(200),
    max: Duration::from_secs(30),
};

/// The current token, the last failure, and whether a request is in progress.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    token: Option<CachedToken>,
    failure: Option<Failure>,
    failures: u32,
    is_requesting: bool,
}

#[derive(Debug)]
struct CachedToken {
    token: Token,
    received: Instant,
    is_refused: bool,
    /// It was requested because the one before was refused.
    is_replacement: bool,
}

#[derive(Debug)]
struct Failure {
    error: TokenError,
    retry_at: Instant,
}

/// What a caller does that needs a token.
#[derive(Debug)]
pub(crate) enum Decision {
    /// It uses this one.
    Use(HeaderValue),
    /// It uses this one, and starts a request for the next.
    UseAndRequest(HeaderValue),
    /// It starts a request and waits for its end.
    Request,
    /// It waits for the end of the request in progress.
    Wait,
    /// There is no token.
    Fail(TokenError),
}

impl TokenCache {
    /// Decides, and marks the request that follows from the decision as in progress.
    pub(crate) fn next(&mut self, now: Instant) -> Decision {
        let may_request = !self.is_requesting
            && self
                .failure
                .as_ref()
                .is_none_or(|failure| failure.retry_at <= now);
        let valid = self.token.as_ref().filter(|cached| cached.is_valid(now));
        let decision = match (valid, &self.failure) {
            (Some(cached), _) if cached.is_due(now) && may_request => {
                Decision::UseAndRequest(cached.token.header.clone())
            }
            (Some(cached), _) => Decision::Use(cached.token.header.clone()),
            (None, _) if may_request => Decision::Request,
            (None, Some(failure)) if !self.is_requesting => Decision::Fail(failure.error.clone()),
            (None, _) => Decision::Wait,
        };
        if matches!(decision, Decision::UseAndRequest(_) | Decision::Request) {
            self.is_requesting = true;
        }
        decision
    }

    /// The token as it is, also if it has expired.
    pub(crate) fn header(&self) -> Option<&HeaderValue> {
        self.token.as_ref().map(|cached| &cached.token.header)
    }

    /// When this token expires, if it is the current one.
    pub(crate) fn expires_at(&self, header: &HeaderValue) -> Option<Instant> {
        let cached = self
            .token
            .as_ref()
            .filter(|cached| cached.token.header == header)?;
        Some(cached.token.lifetime?.expires_at)
    }

    /// The error of the last request, if it failed.
    pub(crate) fn error(&self) -> Option<&TokenError> {
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// Ends the request in progress.
    pub(crate) fn on_result(
        &mut self,
        result: Result<Token, TokenError>,
        now: Instant,
        random: f64,
    ) {
        self.is_requesting = false;
        match result {
            Ok(token) => {
                let is_replacement = self.token.as_ref().is_some_and(|old| old.is_refused);
                self.token = Some(CachedToken {
                    token,
                    received: now,
                    is_refused: false,
                    is_replacement,
                });
                self.failure = None;
                self.failures = 0;
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let retry_at = now + BACKOFF.equal_jitter(self.failures, random);
                self.failure = Some(Failure { error, retry_at });
            }
        }
    }

    /// Records that an endpoint refused the token. True if there is or will be another one. A token that replaced a
    /// refused one is not replaced itself until it has this age.
    pub(crate) fn refuse(
        &mut self,
        refused: &HeaderValue,
        now: Instant,
        min_age: Duration,
    ) -> bool {
        let Some(cached) = &mut self.token else {
            return true;
        };
        if cached.token.header != refused {
            return true;
        }
        let age = now.saturating_duration_since(cached.received);
        if !cached.is_refused && cached.is_replacement && age < min_age {
            return false;
        }
        cached.is_refused = true;
        true
    }
}

impl CachedToken {
    fn is_valid(&self, now: Instant) -> bool {
        let lifetime = self.token.lifetime;
        !self.is_refused && lifetime.is_none_or(|lifetime| now < lifetime.expires_at)
    }

    fn is_due(&self, now: Instant) -> bool {
        let lifetime = self.token.lifetime;
        lifetime.is_some_and(|lifetime| lifetime.replace_at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Lifetime;

    const SECOND: Duration = Duration::from_secs(1);

    fn token(text: &'static str, now: Instant) -> Result<Token, TokenError> {
        Ok(Token {
            header: HeaderValue::from_static(text),
            lifetime: Some(Lifetime {
                replace_at: now + 90 * SECOND,
                expires_at: now + 100 * SECOND,
            }),
        })
    }

    fn unavailable() -> Result<Token, TokenError> {
        Err(TokenError::Unavailable("no connection".to_owned()))
    }

    fn with_token(now: Instant) -> TokenCache {
        let mut cache = TokenCache::default();
        assert!(matches!(cache.next(now), Decision::Request));
        cache.on_result(token("a", now), now, 0.0);
        cache
    }

    #[test]
    fn one_request_is_in_progress_at_a_time() {
        let now = Instant::now();
        let mut cache = TokenCache::default();
        assert!(matches!(cache.next(now), Decision::Request));
        assert!(matches!(cache.next(now), Decision::Wait));
        cache.on_result(token("a", now), now, 0.0);
        assert!(matches!(cache.next(now), Decision::Use(_)));
        let due = now + 90 * SECOND;
        assert!(matches!(cache.next(due), Decision::UseAndRequest(_)));
        assert!(matches!(cache.next(due), Decision::Use(_)));
        assert!(matches!(cache.next(now + 100 * SECOND), Decision::Wait));
        cache.on_result(token("b", due), due, 0.0);
        assert!(matches!(cache.next(due), Decision::Use(header) if header == "b"));
    }

    #[test]
    fn a_valid_token_is_used_while_its_replacement_fails() {
        let now = Instant::now();
        let mut cache = with_token(now);
        let due = now + 90 * SECOND;
        assert!(matches!(cache.next(due), Decision::UseAndRequest(_)));
        cache.on_result(unavailable(), due, 1.0);
        assert!(matches!(cache.next(due), Decision::Use(_)));
        assert!(matches!(
            cache.next(due + SECOND),
            Decision::UseAndRequest(_)
        ));
    }

    #[test]
    fn after_a_failure_no_request_is_sent_until_the_backoff_has_passed() {
        let now = Instant::now();
        let mut cache = TokenCache::default();
        assert!(matches!(cache.next(now), Decision::Request));
        cache.on_result(unavailable(), now, 1.0);
        assert!(matches!(cache.next(now), Decision::Fail(_)));
        assert!(matches!(cache.next(now + SECOND / 5), Decision::Request));
        cache.on_result(unavailable(), now, 1.0);
        assert!(matches!(cache.next(now + SECOND / 5), Decision::Fail(_)));
        assert!(matches!(cache.next(now + SECOND), Decision::Request));
    }

    #[test]
    fn a_refused_token_is_replaced_once() {
        let now = Instant::now();
        let mut cache = with_token(now);
        let refuse = |cache: &mut TokenCache, text: &'static str, now| {
            cache.refuse(&HeaderValue::from_static(text), now, 60 * SECOND)
        };
        assert!(refuse(&mut cache, "a", now) && refuse(&mut cache, "a", now));
        assert!(matches!(cache.next(now), Decision::Request));
        cache.on_result(token("b", now), now, 0.0);
        // A late answer to a request with the old token.
        assert!(refuse(&mut cache, "a", now));
        assert!(matches!(cache.next(now), Decision::Use(_)));
        assert!(!refuse(&mut cache, "b", now + 59 * SECOND));
        assert!(matches!(cache.next(now), Decision::Use(_)));
        assert!(refuse(&mut cache, "b", now + 60 * SECOND));
        assert!(matches!(cache.next(now + 60 * SECOND), Decision::Request));
    }
}
