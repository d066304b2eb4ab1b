//! Tokens of credentials.

use std::time::{Instant, SystemTime};

use oauth2::{RequestToken, Token, TokenError, TokenFuture};

use crate::presign::{self, presign};
use crate::response::remaining;
use crate::source::CredentialSource;

/// Requests tokens for the clusters of a region.
#[derive(Clone, Debug)]
pub struct MskTokens {
    credentials: CredentialSource,
    region: String,
}

impl MskTokens {
    /// Sends no request.
    pub fn new(credentials: CredentialSource, region: &str) -> Self {
        Self {
            credentials,
            region: region.to_owned(),
        }
    }

    async fn token(&self, now: Instant) -> Result<Token, TokenError> {
        let named = |error| {
            let name = self.credentials.name();
            match error {
                TokenError::Unavailable(why) => TokenError::Unavailable(format!("{name}: {why}")),
                TokenError::Refused(why) => TokenError::Refused(format!("{name}: {why}")),
            }
        };
        let credentials = self.credentials.load().await.map_err(named)?;
        let time = SystemTime::now();
        let lifetime = remaining(&credentials, time, presign::LIFETIME).map_err(named)?;
        let user_agent = concat!("frontdoor/", env!("CARGO_PKG_VERSION"));
        let token = presign(&credentials, &self.region, time, user_agent)
            .map_err(|error| TokenError::Refused(format!("signing: {error}")))?;
        Token::new(&token, Some(lifetime), now, "token of Amazon MSK")
    }
}

impl RequestToken for MskTokens {
    fn origin(&self) -> &str {
        self.credentials.name()
    }

    fn request(&self, now: Instant) -> TokenFuture<'_> {
        Box::pin(self.token(now))
    }
}
