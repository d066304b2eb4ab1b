//! HTTP clients with the TLS configuration of a registry.

use openssl::pkey::PKey;
use openssl::x509::X509;
use reqwest::{Certificate, Client, ClientBuilder, Identity};

use crate::config::RegistryConfig;
use crate::error::RegistryError;

/// The client for the registry: trusts only the configured authorities, if there are any.
pub(crate) fn for_registry(config: &RegistryConfig) -> Result<Client, RegistryError> {
    let mut builder = builder()?;
    if let Some(ca) = authorities(config)? {
        builder = builder.tls_certs_only(ca);
    }
    if let Some(identity) = identity(config)? {
        builder = builder.identity(identity);
    }
    build(builder)
}

/// The client for the token endpoint: trusts the system's authorities and the configured ones, because that endpoint is
/// often a public service.
pub(crate) fn for_tokens(
    config: &RegistryConfig,
) -> Result<impl Fn() -> Result<ClientBuilder, String> + Send + Sync + use<>, RegistryError> {
    let authorities = authorities(config)?;
    Ok(move || {
        let builder = http_proxy::client_builder().map_err(|error| error.to_string())?;
        Ok(match authorities.clone() {
            Some(ca) => builder.tls_certs_merge(ca),
            None => builder,
        })
    })
}

/// A builder that follows no redirect: a redirect would send the credentials to another host.
fn builder() -> Result<ClientBuilder, RegistryError> {
    let builder = http_proxy::client_builder().map_err(|error| setup(error.to_string()))?;
    Ok(builder
        .user_agent(concat!("frontdoor/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none()))
}

fn build(builder: ClientBuilder) -> Result<Client, RegistryError> {
    builder.build().map_err(|error| {
        setup(format!(
            "building the HTTP client: {}",
            runtime::text::cause(&error)
        ))
    })
}

fn authorities(config: &RegistryConfig) -> Result<Option<Vec<Certificate>>, RegistryError> {
    let Some(pem) = &config.ca else {
        return Ok(None);
    };
    let expected = "SCHEMA_REGISTRY_SSL_CA_LOCATION names no PEM file with certificates (-----BEGIN CERTIFICATE-----)";
    // reqwest accepts a file without certificates, and then trusts nothing.
    let parsed = X509::stack_from_pem(pem.as_bytes()).unwrap_or_default();
    if parsed.is_empty() {
        return Err(setup(expected.to_owned()));
    }
    let certificates = Certificate::from_pem_bundle(pem.as_bytes());
    certificates
        .map(Some)
        .map_err(|_| setup(expected.to_owned()))
}

fn identity(config: &RegistryConfig) -> Result<Option<Identity>, RegistryError> {
    let Some(client) = &config.client_certificate else {
        return Ok(None);
    };
    // native-tls accepts only PKCS #8; OpenSSL writes it for every key that it reads.
    let key = PKey::private_key_from_pem_callback(client.key.reveal().as_bytes(), |_| Ok(0))
        .and_then(|key| key.private_key_to_pem_pkcs8())
        .map_err(|_| {
            setup("SCHEMA_REGISTRY_SSL_KEY is not an unencrypted private key in PEM".to_owned())
        })?;
    let identity = Identity::from_pkcs8_pem(client.certificate.as_bytes(), &key);
    identity.map(Some).map_err(|_| {
        setup("SCHEMA_REGISTRY_SSL_CERTIFICATE is not a certificate in PEM".to_owned())
    })
}

fn setup(reason: String) -> RegistryError {
    RegistryError::Setup(reason)
}
