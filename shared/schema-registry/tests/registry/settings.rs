//! The configuration from settings.

use schema_registry::settings::REGISTRY;
use schema_registry::{Auth, RegistryConfig};
use settings::Settings;

async fn read(variables: &[(&str, &str)]) -> Result<Option<RegistryConfig>, String> {
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| (format!("SCHEMA_REGISTRY_{name}"), (*value).to_owned()))
        .collect();
    let lookup = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| known == name)?;
        Some(value.clone())
    };
    let settings = Settings::gather(&[&REGISTRY], &[], lookup)
        .await
        .map_err(|error| error.to_string())?;
    RegistryConfig::from_settings(&settings).map_err(|error| error.to_string())
}

async fn error(variables: &[(&str, &str)]) -> String {
    read(variables).await.unwrap_err()
}

#[tokio::test]
async fn no_url_means_no_registry() {
    assert!(read(&[]).await.unwrap().is_none());
    assert!(read(&[("TIMEOUT", "5s")]).await.unwrap().is_none());
    assert_eq!(
        error(&[("TOKEN", "hunter2")]).await,
        "SCHEMA_REGISTRY_TOKEN is set, but SCHEMA_REGISTRY_URL is not"
    );
}

#[tokio::test]
async fn urls_and_authentication_are_read() {
    let config = read(&[
        ("URL", "http://a:8081, https://b/apis/ccompat/v7"),
        ("TIMEOUT", "3s"),
    ])
    .await;
    let config = config.unwrap().unwrap();
    let urls: Vec<&str> = config.urls.iter().map(|url| url.as_str()).collect();
    assert_eq!(urls, ["http://a:8081/", "https://b/apis/ccompat/v7"]);
    assert!(config.auth.is_none() && config.timeout.as_secs() == 3);

    let config = read(&[("URL", "https://a"), ("USERNAME", "u"), ("PASSWORD", "p")])
        .await
        .unwrap();
    assert!(matches!(config.unwrap().auth, Some(Auth::Basic { .. })));
    let config = read(&[("URL", "https://a"), ("TOKEN", "t")]).await.unwrap();
    assert!(matches!(config.unwrap().auth, Some(Auth::Bearer(_))));
    let oauth = [
        ("URL", "https://a"),
        ("OAUTH_TOKEN_URL", "https://idp/token"),
        ("OAUTH_CLIENT_ID", "c"),
        ("OAUTH_CLIENT_SECRET", "s"),
    ];
    let config = read(&oauth).await.unwrap().unwrap();
    assert!(matches!(
        config.auth,
        Some(Auth::OAuth2ClientCredentials { scope: None, .. })
    ));
}

#[tokio::test]
async fn credentials_in_a_url_are_basic_and_removed_from_it() {
    let config = read(&[("URL", "https://us%40er:p%2Cw%25@a:1/v7,https://b")])
        .await
        .unwrap()
        .unwrap();
    let Some(Auth::Basic { username, password }) = &config.auth else {
        panic!("{config:?}");
    };
    assert_eq!((username.as_str(), password.reveal()), ("us@er", "p,w%"));
    assert_eq!(config.urls[0].as_str(), "https://a:1/v7");
    assert!(!format!("{config:?}").contains("p,w"));
    for wrong in [
        "https://u:hunter2@a,https://v:hunter2@b",
        "https://u:hun,ter2@a",
        "u:hunter2@a",
        "https://a?hunter2",
        "https://a,",
    ] {
        let error = error(&[("URL", wrong)]).await;
        assert!(
            error.contains("SCHEMA_REGISTRY_URL") && !error.contains("hun"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn contradictions_are_errors() {
    for (variables, expected) in [
        (
            &[("USERNAME", "u")][..],
            "SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD go together: set both or neither",
        ),
        (
            &[("PASSWORD", "hunter2")],
            "SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD go together: set both or neither",
        ),
        (
            &[
                ("USERNAME", "u"),
                ("PASSWORD", "hunter2"),
                ("TOKEN", "hunter2"),
            ],
            "SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_TOKEN are two kinds of authentication: set one of them",
        ),
        (
            &[("OAUTH_SCOPE", "s")],
            "SCHEMA_REGISTRY_OAUTH_TOKEN_URL, SCHEMA_REGISTRY_OAUTH_CLIENT_ID and SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET go \
             together: set all or none",
        ),
        (
            &[("SSL_KEY", "hunter2")],
            "SCHEMA_REGISTRY_SSL_CERTIFICATE and SCHEMA_REGISTRY_SSL_KEY go together: set both or neither",
        ),
        (
            &[("TIMEOUT", "0s")],
            "SCHEMA_REGISTRY_TIMEOUT must be greater than zero",
        ),
    ] {
        let mut all = vec![("URL", "https://a")];
        all.extend(variables);
        assert_eq!(error(&all).await, expected);
    }
}

#[tokio::test]
async fn certificates_are_files_or_pem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.pem");
    std::fs::write(&path, "content").unwrap();
    let path = path.to_str().unwrap();
    let variables = [
        ("URL", "https://a"),
        ("SSL_CA_LOCATION", path),
        ("SSL_CERTIFICATE", path),
        ("SSL_KEY", path),
    ];
    let config = read(&variables).await.unwrap().unwrap();
    assert_eq!(config.ca.as_deref(), Some("content"));
    assert_eq!(config.client_certificate.unwrap().key.reveal(), "content");

    let text = "-----BEGIN PRIVATE KEY-----\nhunter2";
    let variables = [
        ("URL", "https://a"),
        ("SSL_CERTIFICATE", text),
        ("SSL_KEY", text),
    ];
    let config = read(&variables).await.unwrap().unwrap();
    assert_eq!(config.client_certificate.unwrap().key.reveal(), text);

    let error = error(&[
        ("URL", "https://a"),
        ("SSL_CERTIFICATE", text),
        ("SSL_KEY", "/hunter2"),
    ])
    .await;
    assert!(
        error.starts_with("reading SCHEMA_REGISTRY_SSL_KEY from the file that it names: "),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}
