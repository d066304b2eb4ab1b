//! The settings of the methods by which callers authenticate.

use http_server::settings::LISTEN_SSL_CA_LOCATION;
use reqwest::Url;
use runtime::redact;
use settings::{Setting, SettingError, Settings, pem};
use tracing::warn;

use crate::CallerAuth;
use crate::certificate::CertificateNames;
use crate::jwt::{JwtConfig, JwtVerifier};
use crate::tokens::{TokenList, words};
use crate::webhook::WebhookSecrets;

settings::settings! {
    [CALLER_AUTH = "Callers"]
    #[secret] CALLER_TOKENS = "caller_tokens", "Bearer tokens, separated by commas or spaces. A request with any one of them is accepted.";
    CALLER_JWT_JWKS_URL = "caller_jwt_jwks_url", "The JWKS URL of an authorization server. A bearer token that is a JWT signed with one of its keys (RS, PS, ES or EdDSA) is accepted.";
    CALLER_JWT_ISSUER = "caller_jwt_issuer", "The issuer (iss) that a JWT must have. Required with CALLER_JWT_JWKS_URL.";
    CALLER_JWT_AUDIENCE = "caller_jwt_audience", "The audience (aud) that a JWT must have; of several, separated by commas, any one. Required with CALLER_JWT_JWKS_URL.";
    CALLER_JWT_SCOPE = "caller_jwt_scope", "The scopes that a JWT must have (scope or scp), separated by commas or spaces. Unset: none.";
    CALLER_JWT_CA_LOCATION = "caller_jwt_ca_location", "A PEM file with the CA certificates that sign the certificate of the JWKS URL. Unset: those of the system.";
    #[secret] CALLER_WEBHOOK_SECRETS = "caller_webhook_secrets", "Secrets of Standard Webhooks (whsec_ and base64), separated by commas or spaces. A request whose body any one of them has signed is accepted.";
    CALLER_SSL_NAMES = "caller_ssl_names", "The names of accepted client certificates, separated by commas: DNS name, URI or e-mail address of the subject alternative name, or common name. Unset: every certificate that LISTEN_SSL_CA_LOCATION verifies.";
}

impl CallerAuth {
    /// Reads and validates the settings of [`CALLER_AUTH`]. Sends no request. Logs a warning if the JWKS URL is not
    /// protected by TLS.
    ///
    /// # Errors
    /// A setting is malformed, incomplete without another, or contradicts another; a file cannot be read.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        Ok(Self {
            tokens: list(
                settings,
                &CALLER_TOKENS,
                TokenList::parse,
                "at least one token",
            )?,
            jwt: jwt(settings)?,
            webhook: list(
                settings,
                &CALLER_WEBHOOK_SECRETS,
                WebhookSecrets::parse,
                "secrets of Standard Webhooks: whsec_ and the base64 of at least 24 bytes",
            )?,
            certificates: certificates(settings)?,
        })
    }

    /// Accepts only the bearer tokens of another setting, which has the form of `CALLER_TOKENS`. Without a value, no
    /// method is configured.
    ///
    /// # Errors
    /// The value has no token.
    pub fn with_tokens_of(
        settings: &Settings,
        setting: &'static Setting,
    ) -> Result<Self, SettingError> {
        Ok(Self {
            tokens: list(settings, setting, TokenList::parse, "at least one token")?,
            ..Self::default()
        })
    }
}

fn list<T>(
    settings: &Settings,
    setting: &'static Setting,
    parse: impl FnOnce(&str) -> Option<T>,
    expected: &'static str,
) -> Result<Option<T>, SettingError> {
    match settings.optional(setting) {
        Some(_) => settings.parsed(setting, parse, expected).map(Some),
        None => Ok(None),
    }
}

fn jwt(settings: &Settings) -> Result<Option<JwtVerifier>, SettingError> {
    let Some(url) = settings.optional(&CALLER_JWT_JWKS_URL) else {
        let others = [
            &CALLER_JWT_ISSUER,
            &CALLER_JWT_AUDIENCE,
            &CALLER_JWT_SCOPE,
            &CALLER_JWT_CA_LOCATION,
        ];
        let useless = |setting: &&&'static Setting| settings.optional(setting).is_some();
        return match others.iter().find(useless) {
            None => Ok(None),
            Some(setting) => contradiction(format!(
                "{} is set, but CALLER_JWT_JWKS_URL is not",
                setting.variable()
            )),
        };
    };
    let Some(jwks_url) = http_url(url) else {
        // The text may contain a password.
        return contradiction(
            "CALLER_JWT_JWKS_URL is not a URL such as https://HOST/.well-known/jwks.json, without user and password"
                .to_owned(),
        );
    };
    if jwks_url.scheme() == "http" && !is_loopback(&jwks_url) {
        let url = redact::mask(jwks_url.as_str());
        warn!(%url, "the keys for tokens are fetched without encryption: use https");
    }
    let ca = settings
        .optional(&CALLER_JWT_CA_LOCATION)
        .map(|path| pem::file(&CALLER_JWT_CA_LOCATION, path))
        .transpose()?;
    JwtVerifier::new(JwtConfig {
        jwks_url,
        ca,
        issuer: settings.required(&CALLER_JWT_ISSUER)?.to_owned(),
        audiences: settings.required(&CALLER_JWT_AUDIENCE).map(names)?,
        scopes: settings
            .optional(&CALLER_JWT_SCOPE)
            .map_or_else(Vec::new, |text| {
                words(text).into_iter().map(str::to_owned).collect()
            }),
    })
    .map(Some)
}

fn certificates(settings: &Settings) -> Result<Option<CertificateNames>, SettingError> {
    let has_ca = settings.optional(&LISTEN_SSL_CA_LOCATION).is_some();
    match settings.optional(&CALLER_SSL_NAMES).map(names) {
        Some(_) if !has_ca => {
            contradiction("CALLER_SSL_NAMES is set, but LISTEN_SSL_CA_LOCATION is not".to_owned())
        }
        Some(names) => Ok(Some(CertificateNames::OneOf(names))),
        None => Ok(has_ca.then_some(CertificateNames::Any)),
    }
}

/// The parts of a list. A text without parts is one empty name, which no caller has.
fn names(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).collect()
}

fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    (matches!(url.scheme(), "http" | "https") && !has_credentials).then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(runtime::host::is_loopback)
}

fn contradiction<T>(reason: String) -> Result<T, SettingError> {
    Err(SettingError::Contradiction(reason))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::Request;
    use http_server::settings::HTTP_SERVER;

    use super::*;

    async fn callers(variables: &[(&str, &str)]) -> Result<CallerAuth, SettingError> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let settings = Settings::gather(&[&CALLER_AUTH, &HTTP_SERVER], &[], find).await?;
        CallerAuth::with_tokens_of(&settings, &CALLER_WEBHOOK_SECRETS)
    }

    #[tokio::test]
    async fn the_tokens_of_another_setting_are_the_only_ones() {
        let of_callers = ("CALLER_TOKENS", "of-callers");
        let other = callers(&[of_callers, ("CALLER_WEBHOOK_SECRETS", "other-a, other-b")])
            .await
            .unwrap();
        for (token, is_admitted) in [("other-a", true), ("other-b", true), ("of-callers", false)] {
            let request = Request::get("/").header("authorization", format!("Bearer {token}"));
            let (head, ()) = request.body(()).unwrap().into_parts();
            let admission = other.admit(&head, SystemTime::now()).await;
            assert_eq!(admission.is_ok(), is_admitted, "{token}");
        }
        assert!(!callers(&[of_callers]).await.unwrap().is_configured());
        assert!(callers(&[("CALLER_WEBHOOK_SECRETS", " , ")]).await.is_err());
    }
}
