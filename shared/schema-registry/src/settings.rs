//! The settings of a schema registry.

use runtime::secret::Secret;
use settings::{Setting, SettingError, Settings, pem};

use crate::config::{Auth, ClientCertificate, RegistryConfig};
use crate::subject::SubjectNameStrategy;
use crate::url::{Credentials, http_url, parse_urls};

settings::settings! {
    [REGISTRY = "Schema registry"]
    SCHEMA_REGISTRY_URL = "schema_registry_url", "The base URLs of the schema registry, separated by commas; further ones are used when one is unavailable. Each may contain user:password@. Unset: no registry is used.";
    #[user] SCHEMA_REGISTRY_USERNAME = "schema_registry_username", "The user name for HTTP Basic; with Confluent Cloud the API key.";
    #[secret] SCHEMA_REGISTRY_PASSWORD = "schema_registry_password", "The password for HTTP Basic; with Confluent Cloud the API secret.";
    #[secret] SCHEMA_REGISTRY_TOKEN = "schema_registry_token", "A bearer token, instead of user name and password.";
    SCHEMA_REGISTRY_OAUTH_TOKEN_URL = "schema_registry_oauth_token_url", "The token endpoint of an authorization server (OAuth 2.0 client credentials), instead of a password or token.";
    #[user] SCHEMA_REGISTRY_OAUTH_CLIENT_ID = "schema_registry_oauth_client_id", "The client id for the token endpoint.";
    #[secret] SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET = "schema_registry_oauth_client_secret", "The client secret for the token endpoint.";
    SCHEMA_REGISTRY_OAUTH_SCOPE = "schema_registry_oauth_scope", "The scope that is requested from the token endpoint.";
    SCHEMA_REGISTRY_SSL_CA_LOCATION = "schema_registry_ssl_ca_location", "A PEM file with the CA certificates that sign the registry's certificate. Unset: those of the system.";
    SCHEMA_REGISTRY_SSL_CERTIFICATE = "schema_registry_ssl_certificate", "The client certificate that is presented to the registry: PEM, or the path of a PEM file.";
    #[secret] SCHEMA_REGISTRY_SSL_KEY = "schema_registry_ssl_key", "The private key of the client certificate: PEM, or the path of a PEM file.";
    SCHEMA_REGISTRY_SUBJECT_STRATEGY = "schema_registry_subject_strategy" or "topic", "How the subject of a topic's values is named: topic (TOPIC-value), record (the record's full name) or topic_record (TOPIC-FULL_NAME).";
    SCHEMA_REGISTRY_TIMEOUT = "schema_registry_timeout" or "10s", "The timeout of one operation of the registry, retries included.";
}

impl RegistryConfig {
    /// Reads and validates the settings of [`REGISTRY`], and the PEM files that they name. `None` if there is no
    /// registry: `SCHEMA_REGISTRY_URL` is unset.
    ///
    /// # Errors
    /// A setting is malformed, incomplete without another, or contradicts another; a file cannot be read.
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>, SettingError> {
        let Some(text) = settings.optional(&SCHEMA_REGISTRY_URL) else {
            let useless = |setting: &&&'static Setting| {
                setting.default.is_none() && settings.optional(setting).is_some()
            };
            return match REGISTRY.settings.iter().find(useless) {
                None => Ok(None),
                Some(setting) => contradiction(format!(
                    "{} is set, but SCHEMA_REGISTRY_URL is not",
                    setting.variable()
                )),
            };
        };
        let (urls, credentials) = parse_urls(text).map_err(SettingError::Contradiction)?;
        Ok(Some(Self {
            urls,
            auth: auth(settings, credentials)?,
            ca: match settings.optional(&SCHEMA_REGISTRY_SSL_CA_LOCATION) {
                Some(path) => Some(pem::file(&SCHEMA_REGISTRY_SSL_CA_LOCATION, path)?),
                None => None,
            },
            client_certificate: client_certificate(settings)?,
            timeout: settings.positive_duration(&SCHEMA_REGISTRY_TIMEOUT)?,
        }))
    }
}

impl SubjectNameStrategy {
    /// Reads `SCHEMA_REGISTRY_SUBJECT_STRATEGY`.
    ///
    /// # Errors
    /// Another value.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        settings.choice(
            &SCHEMA_REGISTRY_SUBJECT_STRATEGY,
            &[
                ("topic", Self::Topic),
                ("record", Self::Record),
                ("topic_record", Self::TopicRecord),
            ],
            "topic, record or topic_record",
        )
    }
}

fn auth(settings: &Settings, in_url: Option<Credentials>) -> Result<Option<Auth>, SettingError> {
    let basic = |(username, password)| Auth::Basic { username, password };
    let kinds = [
        ("user:password@ in SCHEMA_REGISTRY_URL", in_url.map(basic)),
        (
            "SCHEMA_REGISTRY_USERNAME",
            credentials(settings)?.map(basic),
        ),
        (
            "SCHEMA_REGISTRY_TOKEN",
            settings.secret(&SCHEMA_REGISTRY_TOKEN).map(Auth::Bearer),
        ),
        ("SCHEMA_REGISTRY_OAUTH_TOKEN_URL", oauth(settings)?),
    ];
    let mut chosen = kinds
        .into_iter()
        .filter_map(|(name, auth)| Some((name, auth?)));
    match (chosen.next(), chosen.next()) {
        (Some((first, _)), Some((second, _))) => contradiction(format!(
            "{first} and {second} are two kinds of authentication: set one of them"
        )),
        (first, _) => Ok(first.map(|(_, auth)| auth)),
    }
}

fn credentials(settings: &Settings) -> Result<Option<Credentials>, SettingError> {
    let username = settings
        .optional(&SCHEMA_REGISTRY_USERNAME)
        .map(str::to_owned);
    match (username, settings.secret(&SCHEMA_REGISTRY_PASSWORD)) {
        (Some(username), Some(password)) => Ok(Some((username, password))),
        (None, None) => Ok(None),
        _ => contradiction(
            "SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD go together: set both or neither".to_owned(),
        ),
    }
}

fn oauth(settings: &Settings) -> Result<Option<Auth>, SettingError> {
    let id = settings.optional(&SCHEMA_REGISTRY_OAUTH_CLIENT_ID);
    let secret = settings.secret(&SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET);
    let scope = settings
        .optional(&SCHEMA_REGISTRY_OAUTH_SCOPE)
        .map(str::to_owned);
    let url = settings.optional(&SCHEMA_REGISTRY_OAUTH_TOKEN_URL);
    match (url, id, secret) {
        (None, None, None) if scope.is_none() => Ok(None),
        (Some(_), Some(id), Some(client_secret)) => Ok(Some(Auth::OAuth2ClientCredentials {
            token_url: settings.parsed(
                &SCHEMA_REGISTRY_OAUTH_TOKEN_URL,
                |text| http_url(text).filter(|url| url.username().is_empty() && url.password().is_none()),
                "a URL such as https://HOST/token, without credentials and query",
            )?,
            client_id: id.to_owned(),
            client_secret,
            scope,
        })),
        _ => contradiction(
            "SCHEMA_REGISTRY_OAUTH_TOKEN_URL, SCHEMA_REGISTRY_OAUTH_CLIENT_ID and SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET \
             go together: set all or none"
                .to_owned(),
        ),
    }
}

fn client_certificate(settings: &Settings) -> Result<Option<ClientCertificate>, SettingError> {
    let certificate = settings.optional(&SCHEMA_REGISTRY_SSL_CERTIFICATE);
    let key = settings.secret(&SCHEMA_REGISTRY_SSL_KEY);
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(ClientCertificate {
            certificate: pem::text_or_file(&SCHEMA_REGISTRY_SSL_CERTIFICATE, certificate)?,
            key: Secret::new(pem::text_or_file(&SCHEMA_REGISTRY_SSL_KEY, key.reveal())?),
        })),
        _ => contradiction(
            "SCHEMA_REGISTRY_SSL_CERTIFICATE and SCHEMA_REGISTRY_SSL_KEY go together: set both or neither".to_owned(),
        ),
    }
}

fn contradiction<T>(reason: String) -> Result<T, SettingError> {
    Err(SettingError::Contradiction(reason))
}
