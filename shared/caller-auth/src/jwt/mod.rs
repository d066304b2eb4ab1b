//! Bearer tokens that are JWTs (RFC 7519, RFC 8725): signature, issuer, audience, times and scopes.

mod jwks;
mod key_cache;
mod openssl_provider;

use std::sync::Arc;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, AlgorithmFamily, Validation, decode, decode_header};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use settings::SettingError;

use key_cache::{KeyCache, KeyError};

/// The maximum size of a token, in bytes.
const MAX_TOKEN: usize = 16 << 10;

/// The difference of clocks that is tolerated for `exp` and `nbf`, in seconds.
const LEEWAY: u64 = 60;

/// The tokens that are accepted.
#[derive(Clone, Debug)]
pub(crate) struct JwtConfig {
    pub(crate) jwks_url: Url,
    /// The only CA certificates that are trusted for the JWKS URL, as PEM. `None`: those of the system.
    pub(crate) ca: Option<String>,
    pub(crate) issuer: String,
    /// The token must be for one of these.
    pub(crate) audiences: Vec<String>,
    /// The token must have all of these.
    pub(crate) scopes: Vec<String>,
}

/// Verifies tokens with the keys at the JWKS URL.
pub(crate) struct JwtVerifier {
    validation: Validation,
    scopes: Vec<String>,
    keys: Arc<KeyCache>,
}

/// Why a token is not accepted. The texts contain nothing of the token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JwtError {
    Invalid(&'static str),
    /// The token is valid and lacks a scope.
    Scope,
    /// The keys cannot be fetched.
    Unavailable(String),
}

#[derive(Deserialize)]
struct Claims {
    /// Scopes, separated by spaces (RFC 8693, section 4.2).
    #[serde(default)]
    scope: Value,
    /// The same in the tokens of some authorization servers, as text or as a list.
    #[serde(default)]
    scp: Value,
}

impl JwtVerifier {
    /// Sends no request.
    ///
    /// # Errors
    /// The CA certificates are malformed.
    pub(crate) fn new(config: JwtConfig) -> Result<Self, SettingError> {
        openssl_provider::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[config.issuer]);
        validation.set_audience(&config.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Ok(Self {
            validation,
            scopes: config.scopes,
            keys: Arc::new(KeyCache::new(config.jwks_url, config.ca)?),
        })
    }

    /// Uses the keys that `previous` has fetched, if they are from the same URL.
    pub(crate) fn keep_keys(&mut self, previous: &Self) {
        if self.keys.has_source_of(&previous.keys) {
            self.keys = Arc::clone(&previous.keys);
        }
    }

    /// Verifies a token.
    pub(crate) async fn verify(&self, token: &[u8]) -> Result<(), JwtError> {
        if token.len() > MAX_TOKEN {
            return Err(JwtError::Invalid("the token is larger than 16 KiB"));
        }
        let header = decode_header(token).map_err(|error| invalid(&error))?;
        // RFC 7515, section 4.1.11: no extension is understood here.
        if header.crit.is_some() {
            return Err(JwtError::Invalid("the JWT has critical header parameters"));
        }
        if header.alg.family() == AlgorithmFamily::Hmac {
            return Err(JwtError::Invalid("the JWT is signed with a shared secret"));
        }
        let key = self.keys.key(header.kid.as_deref(), header.alg).await;
        let key = key.map_err(|error| match error {
            KeyError::Unknown => JwtError::Invalid("the JWKS has no key for the JWT"),
            KeyError::Unavailable(reason) => JwtError::Unavailable(reason),
        })?;
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.alg];
        let decoded = decode::<Claims>(token, &key, &validation);
        let claims = decoded.map_err(|error| invalid(&error))?.claims;
        if (self.scopes.iter()).all(|scope| claims.has(scope)) {
            Ok(())
        } else {
            Err(JwtError::Scope)
        }
    }
}

impl Claims {
    fn has(&self, scope: &str) -> bool {
        [&self.scope, &self.scp]
            .into_iter()
            .any(|claim| match claim {
                Value::String(text) => text.split(' ').any(|given| given == scope),
                Value::Array(list) => list.iter().any(|given| given == scope),
                _ => false,
            })
    }
}

/// The reason without parts of the token, which the texts of the library may quote.
fn invalid(error: &Error) -> JwtError {
    JwtError::Invalid(match error.kind() {
        ErrorKind::ExpiredSignature => "the JWT has expired",
        ErrorKind::ImmatureSignature => "the JWT is not valid yet",
        ErrorKind::InvalidIssuer => "the JWT has another issuer",
        ErrorKind::InvalidAudience => "the JWT is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the JWT lacks exp, iss or aud",
        ErrorKind::InvalidSignature => "the signature of the JWT is not valid",
        _ => "the bearer token is not a valid JWT",
    })
}

#[cfg(test)]
mod tests;
