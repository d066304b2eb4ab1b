//! Authentication, and errors that do not contain it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runtime::secret::Secret;
use schema_registry::{Auth, RegistryClient, RegistryConfig, RegistryError};
use testkit::endpoint::{Answer, Endpoint};

use super::{client_with, config, json, schema, url};

fn basic() -> Auth {
    Auth::Basic {
        username: "user".to_owned(),
        password: Secret::new("hunter2-password"),
    }
}

fn oauth(endpoint: &Endpoint) -> Auth {
    Auth::OAuth2ClientCredentials {
        token_url: url(endpoint).join("token").unwrap(),
        client_id: "client".to_owned(),
        client_secret: Secret::new("hunter2-client"),
        scope: Some("read".to_owned()),
    }
}

#[tokio::test]
async fn basic_and_bearer_are_sent() {
    let endpoint = Endpoint::always(schema()).unwrap();
    client_with(&endpoint, basic())
        .schema_by_id(1)
        .await
        .unwrap();
    let bearer = Auth::Bearer(Secret::new("abc.def"));
    client_with(&endpoint, bearer)
        .schema_by_id(1)
        .await
        .unwrap();
    let requests = endpoint.requests();
    assert_eq!(
        requests[0].header("authorization"),
        Some("Basic dXNlcjpodW50ZXIyLXBhc3N3b3Jk")
    );
    assert_eq!(requests[1].header("authorization"), Some("Bearer abc.def"));
}

#[tokio::test]
async fn refused_credentials_are_not_retried_cached_or_repeated() {
    for status in [401, 403] {
        // A server that repeats the request's header.
        let endpoint = Endpoint::start(move |request| {
            let header = request.header("authorization").unwrap();
            json(
                status,
                &format!(
                    r#"{{"error_code":{status},"message":"wrong: {header} hunter2-password"}}"#
                ),
            )
        })
        .unwrap();
        let client = client_with(&endpoint, basic());
        for count in 1..=2 {
            let error = client.schema_by_id(1).await.unwrap_err();
            assert!(matches!(error, RegistryError::Refused { .. }), "{error}");
            assert!(
                error.to_string().contains("check SCHEMA_REGISTRY_USERNAME"),
                "{error}"
            );
            for text in [error.to_string(), format!("{error:?} {client:?}")] {
                assert!(
                    !text.contains("hunter2") && !text.contains("aHVudGVyM"),
                    "{text}"
                );
                assert!(!text.contains("dXNlcjpodW50"), "{text}");
            }
            assert_eq!(endpoint.count(), count);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_credentials() {
    let other = Endpoint::always(schema()).unwrap();
    let target = other.url();
    let endpoint =
        Endpoint::start(move |_| Answer::status(307).header("location", &target)).unwrap();
    let error = client_with(&endpoint, basic())
        .schema_by_id(1)
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Invalid { .. }), "{error}");
    assert_eq!(other.count(), 0);
}

/// An authorization server at `/token` whose tokens are `token-0`, `token-1` and so on, and a registry that accepts the
/// tokens from number `valid` on.
fn oauth_endpoint(valid: Arc<AtomicUsize>, expires_in: u32) -> Endpoint {
    let issued = AtomicUsize::new(0);
    Endpoint::start(move |request| {
        if request.target == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst);
            return json(200, &format!(r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":{expires_in}}}"#));
        }
        let number = request.header("authorization").and_then(|text| text.strip_prefix("Bearer token-"));
        match number.and_then(|number| number.parse::<usize>().ok()) {
            Some(number) if number >= valid.load(Ordering::SeqCst) => schema(),
            _ => json(401, r#"{"error_code":401,"message":"expired"}"#),
        }
    })
    .unwrap()
}

fn count_of(endpoint: &Endpoint, target: &str) -> usize {
    endpoint
        .requests()
        .iter()
        .filter(|one| one.target == target)
        .count()
}

#[tokio::test]
async fn one_token_is_requested_and_renewed_once_after_a_401() {
    let valid = Arc::new(AtomicUsize::new(0));
    let endpoint = oauth_endpoint(Arc::clone(&valid), 3600);
    let client = client_with(&endpoint, oauth(&endpoint));
    let calls: Vec<_> = (0..50)
        .map(|id| {
            let client = client.clone();
            tokio::spawn(async move { client.schema_by_id(id).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(count_of(&endpoint, "/token"), 1);
    let request = endpoint
        .requests()
        .into_iter()
        .find(|one| one.target == "/token")
        .unwrap();
    assert_eq!(request.body, "grant_type=client_credentials&scope=read");
    assert_eq!(
        request.header("authorization"),
        Some("Basic Y2xpZW50Omh1bnRlcjItY2xpZW50")
    );

    valid.store(1, Ordering::SeqCst);
    client.schema_by_id(100).await.unwrap();
    assert_eq!(count_of(&endpoint, "/token"), 2);

    valid.store(1000, Ordering::SeqCst);
    let error = client.schema_by_id(101).await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused { .. }), "{error}");
    assert_eq!(count_of(&endpoint, "/token"), 3);
    assert_eq!(count_of(&endpoint, "/schemas/ids/101"), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let endpoint = oauth_endpoint(Arc::new(AtomicUsize::new(0)), 3600);
    let client = client_with(&endpoint, oauth(&endpoint));
    client.schema_by_id(1).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3571)).await;
    tokio::time::resume();
    // The old token is still valid: the request does not wait for the new one.
    client.schema_by_id(2).await.unwrap();
    while count_of(&endpoint, "/token") < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_authorization_server_may_refuse_or_be_unavailable() {
    let refusing = Endpoint::always(json(
        400,
        r#"{"error":"invalid_client","error_description":"hunter2-client is wrong"}"#,
    ))
    .unwrap();
    let registry = Endpoint::always(schema()).unwrap();
    let error = client_with(&registry, oauth(&refusing))
        .schema_by_id(1)
        .await
        .unwrap_err();
    let RegistryError::Refused {
        message, operation, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        message,
        "400 Bad Request invalid_client [redacted] is wrong"
    );
    assert_eq!(operation, "requesting a token for reading schema 1");

    let failing = Endpoint::always(Answer::status(503)).unwrap();
    let auth = Some(oauth(&failing));
    let timeout = std::time::Duration::from_secs(1);
    let client = RegistryClient::new(&RegistryConfig {
        auth,
        timeout,
        ..config(&[&registry])
    })
    .unwrap();
    let error = client.schema_by_id(1).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Unavailable { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("requesting a token from http://127.0.0.1:"),
        "{error}"
    );
    assert_eq!(registry.count(), 0);
}
