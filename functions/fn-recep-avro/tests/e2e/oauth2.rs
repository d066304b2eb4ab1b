//! Callers with access tokens of Ory Hydra.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use testkit::broker::Broker;
use testkit::hydra::{AccessTokens, Hydra};
use testkit::program::Program;
use testkit::user::User;
use testkit::{http as client, records};

const TOPIC: &str = "FrontDoorTopic";

async fn server(tokens: AccessTokens) -> Hydra {
    let hydra = Hydra::start(tokens, "1h").await.unwrap();
    let client = json!({
        "client_id": "caller", "client_secret": "the-secret", "grant_types": ["client_credentials"],
        "scope": "orders.read orders.write", "audience": ["orders", "invoices"],
    });
    hydra.register(&client).await.unwrap();
    hydra
}

async fn token(hydra: &Hydra, parameters: &str) -> String {
    hydra
        .token("caller", "the-secret", parameters)
        .await
        .unwrap()
}

async fn post(url: &str, token: &str) -> u16 {
    let datum = User::new(1010, "Paul that goes to API type A").encode();
    let request = Request::post(url)
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Bytes::from(datum))
        .unwrap();
    client::send(request).await.unwrap().status().as_u16()
}

#[tokio::test]
#[ignore = "needs Ory Hydra: run by `make e2e`"]
async fn only_tokens_of_the_server_for_the_audience_with_the_scope_are_accepted() {
    let (hydra, other) = (
        server(AccessTokens::Jwt).await,
        server(AccessTokens::Jwt).await,
    );
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "text"),
        ("CALLER_JWT_JWKS_URL", &hydra.jwks_url()),
        ("CALLER_JWT_ISSUER", hydra.issuer()),
        ("CALLER_JWT_AUDIENCE", "orders"),
        ("CALLER_JWT_SCOPE", "orders.write"),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    let mut program = Program::start("function", program, &settings, |_| {}).unwrap();
    let line = program.wait_for_line("listening address=").await.unwrap();
    let (_, address) = line.split_once("address=").unwrap();
    let url = format!("http://{address}/");

    let good = "audience=orders&scope=orders.read%20orders.write";
    for (server, parameters, expected) in [
        (&hydra, good, 202),
        (&hydra, "audience=invoices%20orders&scope=orders.write", 202),
        (&hydra, "audience=invoices&scope=orders.write", 401),
        (&hydra, "scope=orders.write", 401),
        (&hydra, "audience=orders&scope=orders.read", 403),
        (&hydra, "audience=orders", 403),
        (&other, good, 401),
    ] {
        let token = token(server, parameters).await;
        assert_eq!(post(&url, &token).await, expected, "{parameters}");
    }
    let opaque = server(AccessTokens::Opaque).await;
    assert_eq!(post(&url, &token(&opaque, good).await).await, 401);

    // The function fetches the keys again for an unknown one, but not within ten seconds.
    hydra.rotate_key().await.unwrap();
    let token = token(&hydra, good).await;
    let header = token.split('.').next().unwrap();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap();
    assert!(
        String::from_utf8(header)
            .unwrap()
            .contains(r#""kid":"next""#)
    );
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match post(&url, &token).await {
            202 => break,
            status => assert!(status == 401 && Instant::now() < end, "{status}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(records::all(broker.bootstrap(), TOPIC).unwrap().len(), 3);
}
