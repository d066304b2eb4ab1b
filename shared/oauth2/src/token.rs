//! A token, and how long it is used. Pure.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use http::HeaderValue;
use runtime::redact;
use runtime::secret::Secret;

use crate::response::TokenError;

/// A token is replaced a tenth of its lifetime before it expires, within these bounds, and not before half of its lifetime
/// has passed. The lower bound is the time that a request may take to its verification.
const MARGIN: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(30);

/// The maximum lifetime of a token. Adding it to the current time cannot overflow.
const MAX_LIFETIME: Duration = Duration::from_secs(365 * 86_400);

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The value of `Authorization`.
    pub(crate) header: HeaderValue,
    pub(crate) lifetime: Option<Lifetime>,
}

/// How long a token is used. Without it, a token is used until it is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// From then on a new one is requested.
    pub(crate) replace_at: Instant,
    pub(crate) expires_at: Instant,
}

impl Token {
    /// A bearer token whose lifetime begins at `now`. From now on it is masked, by the `name`, in text from other programs.
    ///
    /// # Errors
    /// The text has characters that a header cannot have. The error does not contain it.
    pub fn new(
        token: &Secret,
        lifetime: Option<Duration>,
        now: Instant,
        name: &str,
    ) -> Result<Self, TokenError> {
        redact::protect(name, [token.clone()]);
        let mut header =
            HeaderValue::try_from(format!("Bearer {}", token.reveal())).map_err(|_| {
                let reason = "the access_token has characters that a header cannot have";
                TokenError::Refused(reason.to_owned())
            })?;
        header.set_sensitive(true);
        let lifetime = lifetime.map(|lifetime| lifetime.min(MAX_LIFETIME));
        let lifetime = lifetime.map(|lifetime| Lifetime {
            replace_at: now + lifetime - margin(lifetime),
            expires_at: now + lifetime,
        });
        Ok(Self { header, lifetime })
    }
}

fn margin(lifetime: Duration) -> Duration {
    let margin = (lifetime / 10).clamp(*MARGIN.start(), *MARGIN.end());
    margin.min(lifetime / 2)
}
