//! Credentials over a real socket, and the tokens of them.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use msk_iam::{CredentialSource, MskTokens};
use oauth2::{TokenError, TokenSource};
use testkit::endpoint::{Answer, Endpoint, Request};

fn tokens(variables: &[(&str, &str)]) -> TokenSource {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let credentials = CredentialSource::from_environment(&variable, "eu-west-1").unwrap();
    TokenSource::of(MskTokens::new(credentials, "eu-west-1"))
}

/// The URL that the current token is.
async fn url(source: &TokenSource) -> String {
    let header = source.header(Instant::now()).await.unwrap();
    let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap()
}

/// Credentials that expire after this many seconds.
fn credentials(id: &str, seconds: u64) -> String {
    let at = SystemTime::now() + Duration::from_secs(seconds);
    let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let at = chrono::DateTime::from_timestamp(at as i64, 0).unwrap();
    let at = at.format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        r#"{{"Code":"Success","AccessKeyId":"{id}","SecretAccessKey":"hunter2","Token":"hunter2/{id}","Expiration":"{at}"}}"#
    )
}

/// IMDSv2: the answers to a request for the role and for its credentials.
fn instance(role: Answer, of_role: impl Fn() -> Answer + Send + Sync + 'static) -> Endpoint {
    let script = move |request: &Request| {
        let has_token = request.header("x-aws-ec2-metadata-token") == Some("hunter2-session");
        match (request.method.as_str(), request.target.as_str()) {
            ("PUT", "/latest/api/token") => {
                match request.header("x-aws-ec2-metadata-token-ttl-seconds") {
                    Some(_) => Answer::ok().body("hunter2-session"),
                    None => Answer::status(400),
                }
            }
            ("GET", _) if !has_token => Answer::status(401),
            ("GET", "/latest/meta-data/iam/security-credentials/") => role.clone(),
            ("GET", "/latest/meta-data/iam/security-credentials/orders") => of_role(),
            _ => Answer::status(404),
        }
    };
    Endpoint::start(script).unwrap()
}

fn of_instance(endpoint: &Endpoint) -> TokenSource {
    tokens(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint.url())])
}

#[tokio::test]
async fn credentials_of_an_instance_are_requested_again_when_they_expire() {
    let count = AtomicUsize::new(0);
    let endpoint = instance(Answer::ok().body("orders\n"), move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        Answer::ok().body(credentials(&format!("ASIA{number}"), 2))
    });
    let source = of_instance(&endpoint);
    let first = url(&source).await;
    assert!(first.contains("X-Amz-Credential=ASIA0%2F"), "{first}");
    assert!(
        first.contains("X-Amz-Security-Token=hunter2%2FASIA0"),
        "{first}"
    );
    assert_eq!(url(&source).await, first, "it is kept");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = url(&source).await;
    assert!(second.contains("X-Amz-Credential=ASIA1%2F"), "{second}");
    assert_eq!(endpoint.count(), 6, "three requests for each token");
}

#[tokio::test]
async fn unusable_answers_of_an_instance_are_errors_without_secrets() {
    let valid = || Answer::ok().body("orders");
    let never = || Answer::status(500);
    for (endpoint, part, is_final) in [
        (instance(Answer::status(404), never), "404", true),
        (
            instance(Answer::ok().body("../../token"), never),
            "names no role",
            true,
        ),
        (
            instance(Answer::ok().body(""), never),
            "names no role",
            true,
        ),
        (
            instance(valid(), || Answer::ok().body("hunter2")),
            "AccessKeyId",
            true,
        ),
        (
            instance(valid(), || Answer::ok().body(vec![b' '; 70_000])),
            "too large",
            true,
        ),
        (
            instance(valid(), || Answer::ok().body([0xff])),
            "not UTF-8",
            true,
        ),
        (
            instance(valid(), || {
                Answer::status(302).header("location", "http://other.example/")
            }),
            "302",
            true,
        ),
        (
            instance(valid(), || Answer::ok().body(credentials("A", 0))),
            "expired at",
            false,
        ),
        (
            instance(valid(), || Answer::status(503).body("hunter2-session")),
            "503",
            false,
        ),
        (
            instance(valid(), Answer::garbage),
            "metadata service",
            false,
        ),
        (instance(valid(), Answer::reset), "metadata service", false),
        (
            instance(valid(), || Answer::ok().body("{}").stalling_in_body()),
            "no response within 2s",
            false,
        ),
        (
            instance(Answer::hang(), never),
            "no response within 2s",
            false,
        ),
    ] {
        let start = Instant::now();
        let error = of_instance(&endpoint).header(start).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(4), "{error}");
        let is_refused = matches!(error, TokenError::Refused(_));
        assert_eq!(is_refused, is_final, "{error}");
        let error = error.to_string();
        assert!(
            error.contains(part) && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_endpoint_of_a_container_gets_the_token_that_its_file_has_now() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2-first\n").unwrap();
    let script = |request: &Request| match request.header("authorization") {
        Some("hunter2-first") => Answer::ok().body(credentials("ASIA1", 1)),
        Some("hunter2-second") => Answer::ok().body(credentials("ASIA2", 3600)),
        _ => Answer::status(401),
    };
    let endpoint = Endpoint::start(script).unwrap();
    let path = file.path().to_str().unwrap();
    let source = tokens(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.url()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path),
    ]);
    assert!(url(&source).await.contains("ASIA1"));
    std::fs::write(path, "hunter2-second\n").unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(url(&source).await.contains("ASIA2"));
    let source = tokens(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.url()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2-wrong"),
    ]);
    let error = source.header(Instant::now()).await.unwrap_err();
    assert!(matches!(error, TokenError::Refused(_)), "{error}");
}

#[tokio::test]
async fn a_web_identity_is_exchanged_for_the_credentials_of_its_role() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2.jwt").unwrap();
    let form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa\
                &RoleSessionName=frontdoor&WebIdentityToken=hunter2.jwt";
    let script = move |request: &Request| {
        match request.body == form.as_bytes() {
        true => Answer::ok().body(
            "<r><Credentials><AccessKeyId>ASIA3</AccessKeyId><SecretAccessKey>hunter2</SecretAccessKey>\
             <SessionToken>hunter2</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></r>",
        ),
        false => Answer::status(403).body("<Error><Code>AccessDenied</Code></Error>"),
    }
    };
    let sts = Endpoint::start(script).unwrap();
    let url_of_sts = sts.url();
    let path = file.path().to_str().unwrap();
    let mut variables = vec![
        ("AWS_ENDPOINT_URL_STS", url_of_sts.as_str()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/a"),
    ];
    assert!(url(&tokens(&variables)).await.contains("ASIA3"));
    variables[2].1 = "arn:aws:iam::1:role/b";
    let error = tokens(&variables).header(Instant::now()).await.unwrap_err();
    assert!(error.to_string().contains("403 Forbidden"), "{error}");
    assert!(error.to_string().contains("AccessDenied"), "{error}");
}
