//! Access tokens of Ory Hydra.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::hydra::{AccessTokens, Hydra};
use testkit::program::{self, Program};
use tokio::runtime::Handle;

use crate::run::TIMEOUT;
use crate::stage::Stage;

/// Basic needs form encoding (RFC 6749, section 2.3.1).
const SECRET: &str = "hunter2 +%:é/";

/// The sample endpoint, which accepts JWTs of the server for the audience `orders`.
struct Sample {
    url: String,
    _program: Program,
}

impl Sample {
    async fn start(hydra: &Hydra) -> Self {
        program::build_all().await.unwrap();
        let settings = [
            ("LISTEN", "127.0.0.1:0"),
            ("CALLER_JWT_JWKS_URL", &hydra.jwks_url()),
            ("CALLER_JWT_ISSUER", hydra.issuer()),
            ("CALLER_JWT_AUDIENCE", "orders"),
            ("CALLER_JWT_SCOPE", "orders.write"),
        ];
        let path = program::built("api-avro-sample").unwrap();
        let mut program = Program::start("sample endpoint", &path, &settings, |_| {}).unwrap();
        let address = program.address().await.unwrap();
        Self {
            url: format!("http://{address}/"),
            _program: program,
        }
    }
}

/// Registers the client `job`, which may request tokens for the audiences `orders` and `invoices`.
async fn register(hydra: &Hydra, auth_method: &str) {
    let client = json!({
        "client_id": "job", "client_secret": SECRET, "token_endpoint_auth_method": auth_method,
        "grant_types": ["client_credentials"], "scope": "orders.write", "audience": ["orders", "invoices"],
    });
    hydra.register(&client).await.unwrap();
}

/// A route for the users with this id.
fn route(id: i32, url: &str, hydra: &Hydra, audience: &str) -> Value {
    let auth = json!({"oauth2": {
        "token_url": hydra.token_url(), "client_id": "job", "client_secret": "${env:THE_SECRET}",
        "scope": "orders.write", "audience": audience,
    }});
    json!({"name": id.to_string(), "when": format!("id == {id}"), "url": url, "auth": auth})
}

fn bearer(request: &Request) -> String {
    let header = request.header("authorization").unwrap();
    header.strip_prefix("Bearer ").unwrap().to_owned()
}

/// An endpoint that asks the server about the token of each request (RFC 7662).
fn introspecting(hydra: &Arc<Hydra>) -> Endpoint {
    let (hydra, runtime) = (Arc::clone(hydra), Handle::current());
    Endpoint::start(move |request| {
        let token = bearer(request);
        // A thread of its own, because that of the endpoint has another runtime.
        let is_active = std::thread::scope(|scope| {
            let request = || runtime.block_on(hydra.is_active(&token)).unwrap();
            scope.spawn(request).join().unwrap()
        });
        Answer::status(if is_active { 200 } else { 401 })
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Apache Kafka and Ory Hydra: run by `make e2e`"]
async fn one_token_authorizes_all_requests_of_all_routes() {
    let hydra = Hydra::start(AccessTokens::Jwt, "1h").await.unwrap();
    register(&hydra, "client_secret_basic").await;
    let sample = Sample::start(&hydra).await;
    let route = |id| route(id, &sample.url, &hydra, "orders");
    let stage = Stage::new("oauth2", 4).await;
    let stage = stage.routes(&json!([route(1010), route(1020)]));
    let stage = stage.with("THE_SECRET", SECRET);
    stage.write_users(1010, "a", 300, 4);
    stage.write_users(1020, "b", 300, 4);
    let run = stage.run().expect(0);
    for route in ["1010", "1020"] {
        assert_eq!(run.route(route)["statuses"], json!({"200": 300}));
    }
    assert_eq!(hydra.token_requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Apache Kafka and Ory Hydra: run by `make e2e`"]
async fn a_token_for_another_audience_defers_the_records() {
    let hydra = Hydra::start(AccessTokens::Jwt, "1h").await.unwrap();
    register(&hydra, "client_secret_basic").await;
    let sample = Sample::start(&hydra).await;
    let stage = Stage::new("oauth2-audience", 1).await;
    let stage = stage.routes(&json!([route(1010, &sample.url, &hydra, "invoices")]));
    let stage = stage.with("THE_SECRET", SECRET);
    stage.write_users(1010, "u", 20, 1);
    let run = stage.run().expect(75);
    assert_eq!(run.total("deferred"), 20);
    assert!(run.log.contains("refused a new token too"), "{}", run.log);
    // The first token, and the one that replaced it.
    assert_eq!(hydra.token_requests(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Apache Kafka and Ory Hydra: run by `make e2e`"]
async fn a_token_is_replaced_before_it_expires() {
    let hydra = Arc::new(Hydra::start(AccessTokens::Jwt, "6s").await.unwrap());
    register(&hydra, "client_secret_basic").await;
    let endpoint = introspecting(&hydra);
    let mut route = route(1010, &endpoint.url(), &hydra, "orders");
    route["limits"] = json!({"rate_limit": 25});
    let stage = Stage::new("oauth2-expiry", 2).await;
    let stage = stage.routes(&json!([route])).with("THE_SECRET", SECRET);
    stage.write_users(1010, "u", 200, 2);
    let run = stage.run().expect(0);
    assert_eq!(run.route("1010")["statuses"], json!({"200": 200}));
    let tokens: BTreeSet<String> = endpoint.requests().iter().map(bearer).collect();
    // At least seven seconds, with tokens that are replaced after three.
    assert!((3..=5).contains(&tokens.len()), "{} tokens", tokens.len());
    assert!(hydra.token_requests() <= tokens.len() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Apache Kafka and Ory Hydra: run by `make e2e`"]
async fn a_revoked_token_is_replaced_once() {
    let hydra = Arc::new(Hydra::start(AccessTokens::Opaque, "1h").await.unwrap());
    register(&hydra, "client_secret_basic").await;
    let endpoint = introspecting(&hydra);
    let mut route = route(1010, &endpoint.url(), &hydra, "orders");
    route["limits"] = json!({"rate_limit": 100, "max_in_flight": 8});
    let stage = Stage::new("oauth2-revoked", 2).await;
    let stage = stage.routes(&json!([route])).with("THE_SECRET", SECRET);
    stage.write_users(1010, "u", 300, 2);
    let run = stage.start();
    assert!(endpoint.wait_for(50, TIMEOUT));
    hydra.revoke_tokens("job").await.unwrap();
    let run = run.wait().expect(0);
    assert_eq!(run.total("delivered"), 300);
    let statuses = &run.route("1010")["statuses"];
    assert_eq!(statuses["200"], 300);
    assert!(
        (1..=8).contains(&statuses["401"].as_i64().unwrap()),
        "{statuses}"
    );
    assert_eq!(hydra.token_requests(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Apache Kafka and Ory Hydra: run by `make e2e`"]
async fn a_client_that_the_server_refuses_defers_the_records_with_the_reason() {
    for (auth_method, secret, reason) in [
        (
            "client_secret_basic",
            "wrong-hunter3",
            "401 Unauthorized invalid_client",
        ),
        ("client_secret_post", SECRET, "client_secret_post"),
    ] {
        let hydra = Hydra::start(AccessTokens::Jwt, "1h").await.unwrap();
        register(&hydra, auth_method).await;
        let endpoint = Endpoint::always(Answer::ok()).unwrap();
        let stage = Stage::new("oauth2-refused", 1).await;
        let stage = stage.routes(&json!([route(1010, &endpoint.url(), &hydra, "orders")]));
        let stage = stage.with("THE_SECRET", secret);
        stage.write_users(1010, "u", 20, 1);
        let run = stage.run().expect(75);
        assert_eq!((run.total("deferred"), endpoint.count()), (20, 0));
        assert!(run.log.contains(reason), "{}", run.log);
        let (code, checks) = stage.check();
        assert_eq!(code, 75);
        let checks = serde_json::to_string(&checks).unwrap();
        assert!(checks.contains(reason), "{checks}");
        for printed in [&run.log, &run.out, &checks] {
            assert!(!printed.contains("hunter"), "{printed}");
        }
        if auth_method == "client_secret_post" {
            let mut route = route(1010, &endpoint.url(), &hydra, "orders");
            route["auth"]["oauth2"]["token_endpoint_auth_method"] = auth_method.into();
            // The route is paused for a second, also in the next run.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let run = stage.routes(&json!([route])).run().expect(0);
            assert_eq!((run.total("delivered"), endpoint.count()), (20, 20));
        }
    }
}
