//! The client against a scripted HTTP endpoint.

#![allow(clippy::unwrap_used)] // clippy permits it only inside #[test]

mod credentials;
mod outages;
mod references;
mod schemas;
mod settings;
mod tls;

use std::time::Duration;

use schema_registry::{Auth, RegistryClient, RegistryConfig, Url};
use testkit::endpoint::{Answer, Endpoint};

/// Long enough for a busy machine. Only tests of outages wait for less.
const TIMEOUT: Duration = Duration::from_secs(20);

fn url(endpoint: &Endpoint) -> Url {
    endpoint.url().parse().unwrap()
}

fn config(endpoints: &[&Endpoint]) -> RegistryConfig {
    RegistryConfig::new(endpoints.iter().map(|one| url(one)).collect(), TIMEOUT)
}

fn client(endpoint: &Endpoint) -> RegistryClient {
    RegistryClient::new(&config(&[endpoint])).unwrap()
}

fn client_with(endpoint: &Endpoint, auth: Auth) -> RegistryClient {
    let auth = Some(auth);
    RegistryClient::new(&RegistryConfig {
        auth,
        ..config(&[endpoint])
    })
    .unwrap()
}

/// A response with this body.
fn json(status: u16, body: &str) -> Answer {
    Answer::status(status)
        .header("content-type", "application/vnd.schemaregistry.v1+json")
        .body(body)
}

fn schema() -> Answer {
    json(200, r#"{"schema":"\"string\""}"#)
}

fn unknown() -> Answer {
    json(
        404,
        r#"{"error_code":40403,"message":"Schema 7 not found"}"#,
    )
}
