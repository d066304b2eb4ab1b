//! Settings of a Kafka connection that contain secrets, for tests that search for the secrets in all output.

use std::path::Path;

use anyhow::{Context, Result};
use openssl::pkcs12::Pkcs12;
use openssl::symm::Cipher;

use crate::certificates::CertificateAuthority;
use crate::endpoint::{Answer, Endpoint};

/// Settings for one way to authenticate, and texts that no output may contain.
pub struct Case {
    /// Names of environment variables and their values.
    pub settings: Vec<(&'static str, String)>,
    /// Secrets, or parts of them.
    pub secrets: Vec<String>,
}

/// One case for each way to authenticate, and the token endpoint of one of them. Librdkafka logs all that it can.
///
/// # Errors
/// A file cannot be written in `folder`, or OpenSSL fails.
pub fn cases(folder: &Path) -> Result<(Vec<Case>, Endpoint)> {
    let client = CertificateAuthority::new("authority")?.client("job", "job", "urn:job")?;
    let cipher = Cipher::aes_256_cbc();
    let sealed = client
        .key
        .private_key_to_pem_pkcs8_passphrase(cipher, b"canary-pass")?;
    let sealed = String::from_utf8(sealed)?;
    let keystore = folder.join("client.p12");
    let mut builder = Pkcs12::builder();
    builder.cert(&client.certificate).pkey(&client.key);
    std::fs::write(&keystore, builder.build2("canary-store")?.to_der()?)?;
    let keystore = keystore.to_str().context("not UTF-8")?.to_owned();
    let token =
        r#"{"access_token":"canary-token-of-the-server","token_type":"Bearer","expires_in":60}"#;
    let tokens = Endpoint::always(Answer::ok().body(token))?;
    let case = |settings: &[(&'static str, &str)], secrets: &[&str]| {
        let common = [("LOG_LEVEL", "trace"), ("KAFKA_CLIENT_DEBUG", "all")];
        let settings = settings.iter().chain(&common);
        Case {
            settings: settings
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            secrets: std::iter::once(&"canary")
                .chain(secrets)
                .map(|text| (*text).to_owned())
                .collect(),
        }
    };
    let plaintext = ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext");
    let cases = vec![
        case(
            &[
                ("KAFKA_SSL_CERTIFICATE", &client.pem()?),
                ("KAFKA_SSL_KEY", &sealed),
                ("KAFKA_SSL_KEY_PASSWORD", "canary-pass"),
            ],
            &[second_line(&sealed)?],
        ),
        case(
            &[
                ("KAFKA_SSL_KEYSTORE_LOCATION", &keystore),
                ("KAFKA_SSL_KEYSTORE_PASSWORD", "canary-store"),
            ],
            &[second_line(&client.key_pem()?)?],
        ),
        case(
            &[
                plaintext,
                ("KAFKA_USERNAME", "u"),
                ("KAFKA_PASSWORD", "canary-password"),
            ],
            &[],
        ),
        case(
            &[
                plaintext,
                ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", &tokens.url()),
                ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "job"),
                ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "canary-client"),
            ],
            // In Basic.
            &["am9iOmNhbmFyeS"],
        ),
        case(
            &[
                plaintext,
                ("KAFKA_SASL_MECHANISM", "AWS_MSK_IAM"),
                ("KAFKA_AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "canary-aws"),
                ("AWS_SESSION_TOKEN", "canary-session"),
            ],
            // The token is the base64 of https://kafka.….
            &["aHR0cHM6Ly9rYWZrYS"],
        ),
    ];
    Ok((cases, tokens))
}

fn second_line(pem: &str) -> Result<&str> {
    pem.lines().nth(1).context("no second line")
}
