//! The settings of SASL OAUTHBEARER with client credentials.

use oauth2::{AuthMethod, ClientCredentials, TokenSource, parse_url};
use reqwest::Certificate;
use settings::{SettingError, Settings, pem};

use crate::settings::{
    KAFKA_SASL_OAUTHBEARER_AUDIENCE, KAFKA_SASL_OAUTHBEARER_CA_LOCATION,
    KAFKA_SASL_OAUTHBEARER_CLIENT_ID, KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET,
    KAFKA_SASL_OAUTHBEARER_EXTENSIONS, KAFKA_SASL_OAUTHBEARER_SCOPE,
    KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_AUTH_METHOD, KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL,
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
        auth_method: settings.choice(
            &KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_AUTH_METHOD,
            &[
                ("client_secret_basic", AuthMethod::Basic),
                ("client_secret_post", AuthMethod::Post),
            ],
            "client_secret_basic or client_secret_post",
        )?,
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
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Instant;

    use openssl::ssl::{SslAcceptor, SslMethod};
    use testkit::certificates::CertificateAuthority;

    use super::*;
    use crate::config::tests::kafka;

    /// A token endpoint with TLS: its port, and the text of each request.
    fn token_server(authority: &CertificateAuthority) -> (u16, Receiver<String>) {
        let server = authority.server("idp").unwrap();
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        builder.set_certificate(&server.certificate).unwrap();
        builder.set_private_key(&server.key).unwrap();
        let acceptor = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(mut stream) = acceptor.accept(stream) else {
                    continue;
                };
                let mut request = Vec::new();
                // The body may be a record of its own.
                while !request.ends_with(b"canary") {
                    let mut bytes = [0; 4096];
                    match stream.read(&mut bytes) {
                        Ok(length @ 1..) => request.extend_from_slice(&bytes[..length]),
                        _ => break,
                    }
                }
                let body = r#"{"access_token":"t"}"#;
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 20\r\n\r\n";
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
                let _ = stream.shutdown();
                let _ = sender.send(String::from_utf8(request).unwrap());
            }
        });
        (port, requests)
    }

    #[tokio::test]
    async fn the_token_endpoint_may_have_a_private_authority_and_want_the_secret_in_the_body() {
        let authority = CertificateAuthority::new("authority").unwrap();
        let (port, requests) = token_server(&authority);
        let url = format!("https://localhost:{port}/token");
        let ca = authority.pem().unwrap();
        let mut all = vec![
            ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
            ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", url.as_str()),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "job"),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2"),
            ("KAFKA_SASL_OAUTHBEARER_AUDIENCE", "canary"),
        ];
        let header = async |all: &[_]| {
            let tokens = kafka(all).await.unwrap().tokens.unwrap();
            tokens.source.header(Instant::now()).await
        };
        let error = header(&all).await.unwrap_err().to_string();
        assert!(error.contains("certificate verify failed"), "{error}");
        all.push(("KAFKA_SASL_OAUTHBEARER_CA_LOCATION", &ca));
        assert_eq!(header(&all).await.unwrap(), "Bearer t");
        let request = requests.recv().unwrap();
        assert!(request.contains("authorization: Basic"), "{request}");
        all.push((
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_AUTH_METHOD",
            "client_secret_post",
        ));
        assert_eq!(header(&all).await.unwrap(), "Bearer t");
        let request = requests.recv().unwrap();
        assert!(request.contains("&client_secret=hunter2&"), "{request}");
        assert!(!request.contains("authorization"), "{request}");
    }

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
