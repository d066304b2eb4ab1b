//! A broker with SASL OAUTHBEARER that verifies access tokens of Ory Hydra.

use serde_json::json;
use testkit::hydra::{AccessTokens, Hydra};
use testkit::kafka::{Kafka, Options};

use crate::endpoints::accepting;
use crate::stage::Stage;

fn start(hydra: &Hydra) -> Kafka {
    let listener = "listener.name.sasl_ssl";
    let module = "org.apache.kafka.common.security.oauthbearer";
    Kafka::start(&Options {
        sasl_ssl: true,
        fast_join: true,
        java: format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}", hydra.jwks_url()),
        set: vec![
            "sasl.enabled.mechanisms=OAUTHBEARER".to_owned(),
            format!("{listener}.sasl.enabled.mechanisms=OAUTHBEARER"),
            format!("{listener}.oauthbearer.sasl.jaas.config={module}.OAuthBearerLoginModule required;"),
            format!(
                "{listener}.oauthbearer.sasl.server.callback.handler.class={module}.OAuthBearerValidatorCallbackHandler"
            ),
            format!("{listener}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={}", hydra.jwks_url()),
            format!("{listener}.oauthbearer.sasl.oauthbearer.expected.audience=kafka"),
            format!("{listener}.oauthbearer.sasl.oauthbearer.expected.issuer={}", hydra.issuer()),
        ],
        ..Options::default()
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka and Go 1.24: run by `make e2e`"]
async fn a_run_authenticates_with_access_tokens() {
    let hydra = Hydra::start(AccessTokens::Jwt, "20s").await.unwrap();
    let client = json!({
        "client_id": "job", "client_secret": "hunter2-secret", "grant_types": ["client_credentials"],
        "scope": "orders", "audience": ["kafka"], "token_endpoint_auth_method": "client_secret_basic",
    });
    hydra.register(&client).await.unwrap();
    let kafka = start(&hydra);
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(&kafka, "oauth", 1, &[]).await.to(&a, &b);
    for (name, value) in kafka.environment() {
        if !matches!(
            name,
            "KAFKA_USERNAME" | "KAFKA_PASSWORD" | "KAFKA_SASL_MECHANISM"
        ) {
            stage.set(name, value);
        }
    }
    stage.set(
        "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL",
        hydra.token_url(),
    );
    stage.set("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "job");
    stage.set("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2-secret");
    stage.set("KAFKA_SASL_OAUTHBEARER_AUDIENCE", "kafka");
    stage.write_users(1, "a", 3, 1);
    let before = hydra.token_requests();
    let run = stage.run();
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(
        hydra.token_requests() - before,
        1,
        "one token for all clients"
    );
    assert_eq!(stage.committed_offset(0), 3);

    stage.set("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2-wrong");
    let (code, checks) = stage.check();
    assert_eq!(code, 74, "{checks:?}");
    let broker = checks["broker"].to_string();
    assert!(broker.contains("invalid_client"), "{broker}");
    assert!(
        broker.contains("check KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"),
        "{broker}"
    );
    let run = stage.run();
    assert_eq!(run.code, 74, "{}", run.log);
    assert!(!run.log.contains("hunter2"), "{}", run.log);
}
