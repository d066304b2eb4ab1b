//! A broker with SASL OAUTHBEARER that verifies access tokens of Ory Hydra.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::agent::{Agent, Call};
use testkit::endpoint::{Answer, Endpoint};
use testkit::hydra::{AccessTokens, Hydra};
use testkit::kafka::{Kafka, Options};
use testkit::program;
use testkit::user::User;

use crate::endpoints::accepting;
use crate::stage::Stage;

const URL: &str = "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL";
const SECRET: &str = "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET";
const EXTENSIONS: &str = "KAFKA_SASL_OAUTHBEARER_EXTENSIONS";

/// An authorization server with a client `job`, whose tokens have this lifetime.
async fn hydra(lifetime: &str) -> Hydra {
    let hydra = Hydra::start(AccessTokens::Jwt, lifetime).await.unwrap();
    let client = json!({
        "client_id": "job", "client_secret": "hunter2-secret", "grant_types": ["client_credentials"],
        "scope": "orders", "audience": ["kafka"], "token_endpoint_auth_method": "client_secret_basic",
    });
    hydra.register(&client).await.unwrap();
    hydra
}

/// A broker whose sessions end with their token (KIP-368).
fn start(hydra: &Hydra) -> Kafka {
    let listener = "listener.name.sasl_ssl";
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/e2e/ExtensionValidator.java"
    );
    Kafka::start(&Options {
        sasl_ssl: true,
        fast_join: true,
        source: Some(source.into()),
        java: format!(
            "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}",
            hydra.jwks_url()
        ),
        set: vec![
            "sasl.enabled.mechanisms=OAUTHBEARER".to_owned(),
            format!("{listener}.sasl.enabled.mechanisms=OAUTHBEARER"),
            format!("{listener}.oauthbearer.sasl.jaas.config={module} required;"),
            format!("{listener}.oauthbearer.sasl.server.callback.handler.class=ExtensionValidator"),
            format!("{listener}.oauthbearer.connections.max.reauth.ms=3600000"),
            format!(
                "{listener}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={}",
                hydra.jwks_url()
            ),
            format!("{listener}.oauthbearer.sasl.oauthbearer.expected.audience=kafka"),
            format!(
                "{listener}.oauthbearer.sasl.oauthbearer.expected.issuer={}",
                hydra.issuer()
            ),
        ],
        ..Options::default()
    })
    .unwrap()
}

fn settings(hydra: &Hydra, kafka: &Kafka) -> Vec<(String, String)> {
    let url = hydra.token_url();
    let environment = kafka.environment();
    let of_broker = environment.filter(|(name, _)| {
        !matches!(
            *name,
            "KAFKA_USERNAME" | "KAFKA_PASSWORD" | "KAFKA_SASL_MECHANISM"
        )
    });
    let tokens = [
        (URL, url.as_str()),
        ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "job"),
        (SECRET, "hunter2-secret"),
        ("KAFKA_SASL_OAUTHBEARER_AUDIENCE", "kafka"),
        (EXTENSIONS, "logicalCluster=lkc-1"),
    ];
    let all = of_broker.chain(tokens);
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

async fn stage(hydra: &Hydra, kafka: &Kafka) -> Stage {
    let mut stage = Stage::on(kafka, "oauth", 1, &[]).await;
    for (name, value) in settings(hydra, kafka) {
        stage.set(&name, value);
    }
    stage
}

async fn function(settings: &[(String, String)]) -> Agent {
    program::build_all().await.unwrap();
    let function = program::built("fn-recep-avro").unwrap();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Agent::start(Path::new(&function), &settings).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka and Go 1.24: run by `make e2e`"]
async fn a_run_authenticates_with_access_tokens() {
    let hydra = hydra("20s").await;
    let kafka = start(&hydra);
    let (a, b) = (accepting(), accepting());
    let mut stage = stage(&hydra, &kafka).await.to(&a, &b);
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

    stage.set(EXTENSIONS, "logicalCluster=lkc-2");
    let (code, checks) = stage.check();
    assert_eq!(code, 74, "{checks:?}");
    assert_eq!(checks["broker"]["cause"], "authentication", "{checks:?}");
    stage.set(EXTENSIONS, "logicalCluster=lkc-1");

    stage.set(SECRET, "hunter2-wrong");
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka and Go 1.24: run by `make e2e`"]
async fn without_a_token_the_start_ends_in_time_and_the_function_answers_503() {
    let hydra = hydra("20s").await;
    let kafka = start(&hydra);
    let (a, b) = (accepting(), accepting());
    let mut stage = stage(&hydra, &kafka).await.to(&a, &b);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed_url = format!("http://{}/token", closed.local_addr().unwrap());
    drop(closed);
    stage.set(URL, &closed_url);
    stage.set("START_TIMEOUT", "3s");
    let start = Instant::now();
    let run = stage.run();
    assert_eq!(run.code, 74, "{}", run.log);
    assert!(start.elapsed() < Duration::from_secs(8), "{}", run.log);
    assert!(run.log.contains("no access token: "), "{}", run.log);

    let mut settings = settings(&hydra, &kafka);
    settings.push((URL.to_owned(), closed_url));
    settings.push(("KAFKA_TOPIC".to_owned(), stage.topic.clone()));
    settings.push(("PUBLISH_TIMEOUT".to_owned(), "2s".to_owned()));
    let mut function = function(&settings).await;
    let datum = User::new(1010, "a").encode();
    let reply = function.call(Call::direct(datum)).await.unwrap();
    assert_eq!(reply.status, 503, "{reply:?}");
    let body = reply.json().unwrap().to_string();
    assert!(
        body.contains("did not acknowledge") && body.contains("\"stored\":\"no\""),
        "{body}"
    );
    let log = function.log();
    assert!(log.contains("requesting an access token failed"), "{log}");
    for text in [&body, &log, &run.log] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Apache Kafka and Go 1.24: run by `make e2e`"]
async fn tokens_that_expire_in_between_lose_no_record() {
    let hydra = hydra("4s").await;
    let kafka = start(&hydra);
    let mut stage = stage(&hydra, &kafka).await;
    let mut settings = settings(&hydra, &kafka);
    settings.push(("KAFKA_TOPIC".to_owned(), stage.topic.clone()));
    let mut function = function(&settings).await;
    let (mut stored, end) = (0, Instant::now() + Duration::from_secs(13));
    while Instant::now() < end {
        let datum = User::new(1010, "a").encode();
        let reply = function.call(Call::direct(datum)).await.unwrap();
        assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
        stored += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let requests = hydra.token_requests();
    assert!(requests >= 3, "{requests} tokens");
    let slow = Endpoint::always(Answer::ok().after(Duration::from_secs(1))).unwrap();
    stage = stage.to(&slow, &slow);
    stage.set("MAX_IN_FLIGHT", (stored / 10).max(1).to_string());
    let run = stage.run();
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(stage.committed_offset(0), stored);
    assert_eq!(slow.count() as i64, stored, "none is repeated");
    let requests = hydra.token_requests() - requests;
    assert!(requests >= 3, "{requests} tokens");
}
