//! Routes whose credentials are requested elsewhere: signatures of the principal, and access tokens.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use testkit::endpoint::{Answer, Endpoint};

use crate::{Fixture, printed, terminate, text, wait_until, write_datum};

const INVOKE: &str = "/20181201/functions/ocid1.fnfunc.oc1..x/actions/invoke";

/// Settings whose only route has these members.
fn store_route(fixture: &mut Fixture, members: &serde_json::Value) {
    let mut route = json!({"name": "A", "when": "true"});
    let members = members.as_object().unwrap().clone();
    route.as_object_mut().unwrap().extend(members);
    let routes = json!({"version": 1, "routes": [route]}).to_string();
    let lines = format!("kafka_bootstrap_servers={}\n", fixture.broker.bootstrap());
    let cloud = &fixture.oci.cloud;
    cloud.put_object("config", "config.properties", lines.as_bytes());
    cloud.put_object("config", "routes.json", routes.as_bytes());
    fixture.oci.set("ROUTES", "oci://config/routes.json");
}

fn invoke() -> serde_json::Value {
    json!({"url": format!("${{OCI_ENDPOINT}}{INVOKE}"), "auth": {"oci": {}}})
}

#[tokio::test]
async fn a_call_of_a_function_is_signed_as_the_principal() {
    let mut fixture = Fixture::new().await;
    store_route(&mut fixture, &invoke());
    write_datum(&fixture.broker);
    let output = fixture.command("run").output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let requests = fixture.oci.cloud.requests();
    let calls: Vec<_> = requests.iter().filter(|one| one.target == INVOKE).collect();
    assert_eq!(calls.len(), 1);
    assert_eq!((&*calls[0].method, calls[0].status), ("POST", 200));
    let signed = "date (request-target) host content-length content-type x-content-sha256";
    assert_eq!(calls[0].signed, signed);
}

#[tokio::test]
async fn a_replaced_key_of_the_principal_signs_the_next_attempt() {
    let mut fixture = Fixture::new().await;
    store_route(&mut fixture, &invoke());
    write_datum(&fixture.broker);
    let mut command = fixture.command("run");
    command
        .args(["--every", "100ms", "--output", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let statuses = || fixture.oci.cloud.statuses(INVOKE);
    wait_until(|| statuses() == [200]).await;
    fixture.oci.cloud.revoke_all();
    fixture
        .oci
        .resource_principal(Duration::from_secs(3600))
        .unwrap();
    write_datum(&fixture.broker);
    wait_until(|| statuses() == [200, 401, 200]).await;
    terminate(&child).await;
    let output = child.wait_with_output().await.unwrap();
    let log = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 12)), "{log}");
}

#[tokio::test]
async fn without_a_principal_a_run_does_not_start() {
    let mut fixture = Fixture::new().await;
    let routes = json!({"version": 1, "routes": [
        {"name": "A", "when": "true", "url": "http://127.0.0.1:1/", "auth": {"oci": {}}}]});
    let file = fixture.oci.path().join("routes.json");
    std::fs::write(&file, routes.to_string()).unwrap();
    let bootstrap = fixture.broker.bootstrap().to_owned();
    fixture.oci.variables.remove("CONFIG_LOCATION");
    fixture.oci.variables.remove("AVRO_SCHEMA");
    fixture.oci.set("KAFKA_BOOTSTRAP_SERVERS", bootstrap);
    fixture.oci.set("ROUTES", file.to_str().unwrap());
    fixture.oci.set("OCI_RESOURCE_PRINCIPAL_RPST", "/nowhere");
    let output = fixture.command("run").output().await.unwrap();
    let all = printed(&output);
    assert_eq!(output.status.code(), Some(78), "{all}");
    let message =
        "route \"A\": auth: oci: resource principal: OCI_RESOURCE_PRINCIPAL_RPST names /nowhere";
    assert!(all.contains(message), "{all}");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    assert!(
        failures["credentials A"].contains("names /nowhere"),
        "{failures:?}"
    );
    assert!(failures["endpoint A"].contains("not checked: see credentials A"));
}

#[tokio::test]
async fn a_check_obtains_a_token_and_sends_it() {
    let mut fixture = Fixture::new().await;
    let server = Endpoint::start(|request| match request.number {
        0 => Answer::status(400).body(r#"{"error":"invalid_scope"}"#),
        _ => Answer::ok().body(r#"{"access_token":"canary-token"}"#),
    })
    .unwrap();
    let oauth2 = json!({"token_url": server.url(), "client_id": "job", "client_secret": "canary-secret", "scope": "x"});
    let url = fixture.a.url();
    store_route(
        &mut fixture,
        &json!({"url": url, "auth": {"oauth2": oauth2}}),
    );
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 75);
    let found = &failures["credentials A"];
    assert!(found.starts_with(&server.url()), "{found}");
    assert!(
        found.contains("400 Bad Request invalid_scope; check token_url"),
        "{found}"
    );
    assert_eq!(fixture.a.count(), 0);

    let (code, failures) = fixture.failures().await;
    assert_eq!((code, failures.len()), (0, 0), "{failures:?}");
    let requests = fixture.a.requests();
    assert_eq!(
        requests[0].header("authorization"),
        Some("Bearer canary-token")
    );
}

#[tokio::test]
async fn a_missing_tls_file_and_credentials_without_encryption_are_reported() {
    let mut fixture = Fixture::new().await;
    let tls = json!({"url": "https://127.0.0.1:1/", "tls": {"ca": "/nowhere/ca.pem"}});
    store_route(&mut fixture, &tls);
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    let expected = "route \"A\": tls: ca: /nowhere/ca.pem: No such file";
    assert!(failures["routes"].contains(expected), "{failures:?}");
    let output = fixture.command("run").output().await.unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(printed(&output).contains(expected), "{}", printed(&output));

    let oauth2 =
        json!({"token_url": "http://idp.invalid/", "client_id": "a", "client_secret": "canary"});
    let url = fixture.a.url();
    store_route(
        &mut fixture,
        &json!({"url": url, "auth": {"oauth2": oauth2}}),
    );
    let output = fixture.check(&[]).await;
    let warning = "sends its client secret unencrypted: its token_url should begin with https://";
    assert!(printed(&output).contains(warning), "{}", printed(&output));
}

#[tokio::test]
async fn a_test_prints_the_headers_of_a_signature_in_their_order() {
    let mut fixture = Fixture::new().await;
    let members = json!({"url": fixture.a.url(), "auth": {"oci": {}}});
    store_route(&mut fixture, &members);
    write_datum(&fixture.broker);
    let output = fixture.command("run").output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let sent = &fixture.a.requests()[0];
    let user = record_of(&sent.body);

    let folder = tempfile::tempdir().unwrap();
    let (routes, samples) = (folder.path().join("routes"), folder.path().join("samples"));
    let mut route = json!({"name": "A", "when": "true"});
    let members = members.as_object().unwrap().clone();
    route.as_object_mut().unwrap().extend(members);
    std::fs::write(
        &routes,
        json!({"version": 1, "routes": [route]}).to_string(),
    )
    .unwrap();
    std::fs::write(&samples, json!({"value": user}).to_string()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .args(["test", "--output", "json", "--routes"])
        .arg(&routes)
        .arg("--records")
        .arg(&samples)
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let headers: Vec<(String, String)> =
        serde_json::from_value(report["samples"][0]["request"]["headers"].clone()).unwrap();
    let names = |headers: &[(String, String)]| -> Vec<String> {
        headers.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&headers), names(&sent.headers));
    for (name, value) in &headers {
        match name.as_str() {
            "date" => assert_eq!(value, "[time of the attempt]"),
            "authorization" => assert_eq!(value, "[redacted]"),
            "idempotency-key" => {}
            name => assert_eq!(sent.header(name), Some(&**value), "{name}"),
        }
    }
}

/// The JSON of a datum of the built-in schema.
fn record_of(datum: &[u8]) -> serde_json::Value {
    let schema = avro::Schema::parse(avro::BUILT_IN_SCHEMA.1).unwrap();
    schema.to_json(datum).unwrap()
}
