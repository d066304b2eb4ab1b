//! Token endpoints with certificates of a private authority.

use std::io::{Read, Write};
use std::net::TcpListener;

use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tempfile::TempDir;
use testkit::certificates::CertificateAuthority;

use super::authorization::{run_routes, users};
use super::*;

/// A token endpoint that requires a client certificate of its authority. Returns its port.
fn token_server(authority: &CertificateAuthority) -> u16 {
    let server = authority.server("idp").unwrap();
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&server.certificate).unwrap();
    builder.set_private_key(&server.key).unwrap();
    let mut store = X509StoreBuilder::new().unwrap();
    let pem = authority.pem().unwrap();
    store
        .add_cert(X509::from_pem(pem.as_bytes()).unwrap())
        .unwrap();
    builder.set_verify_cert_store(store.build()).unwrap();
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let acceptor = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = json!({"access_token": "canary-token", "token_type": "Bearer"}).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else {
                continue;
            };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.shutdown();
        }
    });
    port
}

/// The files `ca.pem`, `client.pem` and `client-key.pem`.
fn files(authority: &CertificateAuthority) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let client = authority.client("job", "client", "urn:client").unwrap();
    for (name, pem) in [
        ("ca.pem", authority.pem()),
        ("client.pem", client.pem()),
        ("client-key.pem", client.key_pem()),
    ] {
        std::fs::write(folder.path().join(name), pem.unwrap()).unwrap();
    }
    folder
}

fn run_with(stage: &Stage, port: u16, tls: &Value) -> Run {
    let mut oauth2 = json!({
        "token_url": format!("https://localhost:{port}/token"), "client_id": "job",
        "client_secret": "${env:THE_SECRET}",
    });
    if !tls.is_null() {
        oauth2["tls"] = tls.clone();
    }
    let auth = json!({"oauth2": oauth2});
    let route = json!({"name": "A", "when": "id == 1010", "url": stage.a.url(), "auth": auth});
    run_routes(stage, &json!([route]), &["--max-attempts", "1"])
}

#[test]
fn tokens_are_requested_with_the_authorities_and_the_certificate_of_the_token_endpoint() {
    let authority = CertificateAuthority::new("authority").unwrap();
    let (port, folder) = (token_server(&authority), files(&authority));
    let path = |name: &str| folder.path().join(name);
    let stage = Stage::accepting();
    stage.write(&users(1));

    let run = run_with(&stage, port, &Value::Null);
    run.assert(75, &json!({"deferred": 1}));
    let expected = "requesting an access token failed";
    assert!(run.log.contains(expected), "{}", run.log);
    assert!(run.log.contains("certificate verify failed"), "{}", run.log);

    let ca = json!({"ca": path("ca.pem")});
    run_with(&stage, port, &ca).assert(75, &json!({"deferred": 1}));

    let tls = json!({"ca": path("ca.pem"), "certificate": path("client.pem"), "key": path("client-key.pem")});
    run_with(&stage, port, &tls).assert(0, &json!({"delivered": 1}));
    let requests = stage.a.requests();
    let authorization = requests[0].header("authorization");
    assert_eq!(authorization, Some("Bearer canary-token"));

    let missing = json!({"ca": path("missing.pem")});
    let mut command = stage.forward(&[]);
    let routes = json!({"version": 1, "routes": [{
        "name": "A", "when": "true", "url": stage.a.url(), "auth": {"oauth2": {
            "token_url": "https://localhost/", "client_id": "job", "client_secret": "${env:THE_SECRET}", "tls": missing,
        }},
    }]});
    std::fs::write(path("routes.json"), routes.to_string()).unwrap();
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL");
    command
        .env("ROUTES", path("routes.json"))
        .env("THE_SECRET", "s");
    let output = command.output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{log}");
    assert!(log.contains("auth: oauth2: tls: ca: "), "{log}");
}
