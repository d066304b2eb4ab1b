//! The settings of SASL OAUTHBEARER with client credentials.

use oauth2::{AuthMethod, ClientCredentials, TokenSource, parse_url};
use reqwest::Certificate;
use settings::{SettingError, Settings, pem};

use crate::settings::{
    KAFKA_SASL_OAUTHBEARER_AUDIENCE, KAFKA_SASL_OAUTHBEARER_CA_LOCATION,
    KAFKA_SASL_OAUTHBEARER_CLIENT_ID, KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET,
    KAFKA_SASL_OAUTHBEARER_EXTENSIONS, KAFKA_SASL_OAUTHBEARER_SCOPE,
    KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL,
};
use crate::tokens::Tokens;

/// Whether a token endpoint is set.
pub(crate) fn is_set(settings: &Settings) -> bool {
    settings
        .optional(&KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL)
        .is_some()
}

/// The source of tokens.
///
/// # Errors
/// A setting is missing or malformed.
pub(crate) fn tokens(settings: &Settings) -> Result<Tokens, SettingError> {
    let token_url = settings.parsed(
        &KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL,
        parse_url,
        "a URL such as https://HOST/token, without credentials and query",
    )?;
    settings.required(&KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET)?;
    let client_secret = settings.secret(&KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET);
    let client_id = settings.required(&KAFKA_SASL_OAUTHBEARER_CLIENT_ID)?;
    let credentials = ClientCredentials {
        token_url,
        auth_method: AuthMethod::default(),
        client_id: client_id.to_owned(),
        client_secret: client_secret.ok_or_else(|| SettingError::Missing {
            variable: KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET.variable(),
            help: KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET.help,
        })?,
        scope: settings
            .optional(&KAFKA_SASL_OAUTHBEARER_SCOPE)
            .map(str::to_owned),
        audience: settings
            .optional(&KAFKA_SASL_OAUTHBEARER_AUDIENCE)
            .map(str::to_owned),
    };
    if credentials.is_cleartext() {
        tracing::warn!(
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: the client secret is sent without TLS"
        );
    }
    let ca = settings.optional(&KAFKA_SASL_OAUTHBEARER_CA_LOCATION);
    let ca = ca.map(|path| pem::text_or_file(&KAFKA_SASL_OAUTHBEARER_CA_LOCATION, path));
    let ca = ca.transpose()?;
    let http = move || {
        let builder = http_proxy::client_builder().map_err(|error| error.to_string())?;
        match &ca {
            None => Ok(builder),
            Some(pem) => Certificate::from_pem_bundle(pem.as_bytes())
                .map(|authorities| builder.tls_certs_merge(authorities))
                .map_err(|_| "KAFKA_SASL_OAUTHBEARER_CA_LOCATION is not PEM".to_owned()),
        }
    };
    let source = TokenSource::new(http, &credentials)
        .map_err(|error| SettingError::Contradiction(error.to_string()))?;
    let extensions = match settings.optional(&KAFKA_SASL_OAUTHBEARER_EXTENSIONS) {
        None => Vec::new(),
        Some(_) => settings.parsed(
            &KAFKA_SASL_OAUTHBEARER_EXTENSIONS,
            extensions,
            "name=value,name=value with names of letters other than auth (RFC 7628)",
        )?,
    };
    Ok(Tokens {
        source,
        principal: client_id.to_owned(),
        extensions,
    })
}

fn extensions(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.trim().split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
        let is_value = value.chars().all(|c| c == '\t' || (' '..='~').contains(&c));
        (is_name && is_value && name != "auth").then(|| (name.to_owned(), value.to_owned()))
    };
    text.split(',').map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::kafka;

    #[test]
    fn extensions_have_names_of_letters() {
        let expected = [("logicalCluster", "lkc-1"), ("identityPoolId", "p=1")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = "logicalCluster=lkc-1, identityPoolId=p=1";
        assert_eq!(extensions(text), Some(expected.into()));
        for wrong in ["", "a", "=x", "auth=x", "a1=x", "a=\u{1}"] {
            assert_eq!(extensions(wrong), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_token_endpoint_selects_the_mechanism_and_needs_credentials() {
        let all = [
            ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
            (
                "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL",
                "https://idp/token",
            ),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "job"),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2"),
        ];
        let settings = kafka(&all).await.unwrap();
        let reader = settings.reader("group");
        assert_eq!(reader.get("sasl.mechanism"), Some("OAUTHBEARER"));
        assert_eq!(reader.get("security.protocol"), Some("sasl_ssl"));
        assert!(!format!("{settings:?}").contains("hunter2"));
        let error = kafka(&all[..3]).await.unwrap_err();
        assert!(
            error.contains("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET is not set"),
            "{error}"
        );
        let mut both = all.to_vec();
        both.extend([("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "p")]);
        let error = kafka(&both).await.unwrap_err();
        assert!(error.contains("KAFKA_USERNAME"), "{error}");
    }
}
