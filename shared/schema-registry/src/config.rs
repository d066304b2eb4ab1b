//! How to reach a registry.

use std::time::Duration;

use reqwest::Url;
use runtime::secret::Secret;

use crate::error::RegistryError;

/// How to reach a registry. [`RegistryConfig::from_settings`] reads it from the settings of a program.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// The base URLs of one registry, without credentials. The client uses the next one when one is unavailable.
    pub urls: Vec<Url>,
    /// The credentials, if the registry needs any.
    pub auth: Option<Auth>,
    /// The only CA certificates that are trusted, as PEM. `None`: those of the system.
    pub ca: Option<String>,
    /// The certificate that the client presents.
    pub client_certificate: Option<ClientCertificate>,
    /// The maximum duration of one operation, with all attempts and waits.
    pub timeout: Duration,
}

/// The credentials of a registry's client.
#[derive(Clone, Debug)]
pub enum Auth {
    /// HTTP Basic (RFC 7617); with Confluent Cloud, API key and secret.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A fixed bearer token (RFC 6750).
    Bearer(Secret),
    /// A bearer token from an authorization server, by the client credentials grant (RFC 6749, section 4.4).
    OAuth2ClientCredentials {
        /// The token endpoint.
        token_url: Url,
        /// The client id.
        client_id: String,
        /// The client secret.
        client_secret: Secret,
        /// The requested scope.
        scope: Option<String>,
    },
}

/// A client certificate and its private key.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, then those of intermediate authorities, as PEM.
    pub certificate: String,
    /// The private key, as PEM: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: Secret,
}

impl RegistryConfig {
    /// A registry without authentication and with the system's CA certificates.
    pub fn new(urls: Vec<Url>, timeout: Duration) -> Self {
        Self {
            urls,
            auth: None,
            ca: None,
            client_certificate: None,
            timeout,
        }
    }

    /// Whether there is a URL, and each one can be a registry's and be shown in errors.
    pub(crate) fn check_urls(&self) -> Result<(), RegistryError> {
        if self.urls.is_empty() {
            return Err(RegistryError::Setup("there is no URL".to_owned()));
        }
        self.urls.iter().try_for_each(check)
    }

    /// The URLs that receive credentials without encryption, except those of this machine.
    pub(crate) fn cleartext_urls(&self) -> Vec<&Url> {
        let urls: Vec<&Url> = match &self.auth {
            None => Vec::new(),
            Some(Auth::Basic { .. } | Auth::Bearer(_)) => self.urls.iter().collect(),
            Some(Auth::OAuth2ClientCredentials { token_url, .. }) => {
                self.urls.iter().chain([token_url]).collect()
            }
        };
        let is_cleartext = |url: &&Url| url.scheme() == "http" && !is_loopback(url);
        urls.into_iter().filter(is_cleartext).collect()
    }
}

fn check(url: &Url) -> Result<(), RegistryError> {
    let reason = if !matches!(url.scheme(), "http" | "https") {
        "begins with neither http:// nor https://"
    } else if !url.username().is_empty() || url.password().is_some() {
        "has credentials, which belong into the authentication"
    } else if url.query().is_some() || url.fragment().is_some() {
        "has a query or a fragment"
    } else {
        return Ok(());
    };
    // The URL itself may contain a secret.
    Err(RegistryError::Setup(format!(
        "a URL with the host {:?} {reason}",
        url.host_str().unwrap_or_default()
    )))
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(runtime::host::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_credentials_over_a_network_without_encryption_are_reported() {
        let urls = [
            "http://registry:8081",
            "https://registry",
            "http://localhost:1",
            "http://127.0.0.2:1",
            "http://[::1]:1",
        ];
        let urls = urls.map(|url| Url::parse(url).unwrap()).to_vec();
        let mut config = RegistryConfig::new(urls, Duration::from_secs(1));
        assert!(config.cleartext_urls().is_empty());
        config.auth = Some(Auth::Bearer(Secret::new("token")));
        let found: Vec<_> = config
            .cleartext_urls()
            .into_iter()
            .map(Url::as_str)
            .collect();
        assert_eq!(found, ["http://registry:8081/"]);
        config.auth = Some(Auth::OAuth2ClientCredentials {
            token_url: Url::parse("http://idp/token").unwrap(),
            client_id: String::new(),
            client_secret: Secret::new(""),
            scope: None,
        });
        assert_eq!(config.cleartext_urls().len(), 2);
    }
}
