//! The `Authorization` header of requests to the registry.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use oauth2::{ClientCredentials, TokenError, TokenSource};
use reqwest::{ClientBuilder, Url};
use runtime::redact;
use tokio::time::Instant;

use crate::config::Auth;
use crate::error::RegistryError;

/// Where the header comes from.
#[derive(Debug)]
pub(crate) enum Authorization {
    None,
    Basic(HeaderValue),
    Bearer(HeaderValue),
    /// With the URL of the token endpoint.
    OAuth2(TokenSource, Url),
}

impl Authorization {
    /// `http` returns a client builder for the token endpoint. From now on the secrets are masked in text from other programs.
    ///
    /// # Errors
    /// The token has characters that a header cannot have.
    pub(crate) fn new(
        auth: Option<&Auth>,
        http: impl Fn() -> Result<ClientBuilder, String> + Send + Sync + 'static,
    ) -> Result<Self, RegistryError> {
        let invalid = || {
            RegistryError::Setup("the token has characters that a header cannot have".to_owned())
        };
        let header = |text: String| {
            let mut value = HeaderValue::try_from(text).map_err(|_| invalid())?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(match auth {
            None => Self::None,
            Some(Auth::Basic { username, password }) => {
                redact::protect("schema registry password", [password.clone()]);
                let credentials = STANDARD.encode(format!("{username}:{}", password.reveal()));
                Self::Basic(header(format!("Basic {credentials}"))?)
            }
            Some(Auth::Bearer(token)) => {
                redact::protect("schema registry token", [token.clone()]);
                Self::Bearer(header(format!("Bearer {}", token.reveal()))?)
            }
            Some(Auth::OAuth2ClientCredentials {
                token_url,
                client_id,
                client_secret,
                scope,
            }) => {
                let credentials = ClientCredentials {
                    token_url: token_url.clone(),
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                    auth_method: oauth2::AuthMethod::default(),
                    scope: scope.clone(),
                    audience: None,
                };
                let source = TokenSource::new(http, &credentials);
                let source = source.map_err(|error| RegistryError::Setup(error.to_string()))?;
                Self::OAuth2(source, token_url.clone())
            }
        })
    }

    /// The header, if the registry needs one. `refused` is the header of a request that was answered with 401.
    ///
    /// # Errors
    /// There is no token; with the URL of the token endpoint.
    pub(crate) async fn header(
        &self,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, (TokenError, Url)> {
        match self {
            Self::None => Ok(None),
            Self::Basic(header) | Self::Bearer(header) => Ok(Some(header.clone())),
            Self::OAuth2(source, url) => {
                let now = Instant::now().into_std();
                if let Some(refused) = refused {
                    source.refuse(refused, now, Duration::ZERO);
                }
                let header = source.header(now).await;
                header.map(Some).map_err(|error| (error, url.clone()))
            }
        }
    }

    /// Whether a refused header can be replaced by a new one.
    pub(crate) fn can_renew(&self) -> bool {
        matches!(self, Self::OAuth2(..))
    }

    /// The settings to check when the credentials are refused.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::None => {
                "the registry needs credentials: set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD"
            }
            Self::Basic(_) => {
                "check SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD, and the user's permissions"
            }
            Self::Bearer(_) => "check SCHEMA_REGISTRY_TOKEN and its permissions",
            Self::OAuth2(..) => {
                "check SCHEMA_REGISTRY_OAUTH_CLIENT_ID, SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET, \
                 SCHEMA_REGISTRY_OAUTH_SCOPE and the client's permissions"
            }
        }
    }
}
