//! Objects and secrets over signed requests, and everything that can go wrong with them.

use std::time::{Duration, Instant, SystemTime};

use oci::principal::Auth;
use oci::{ObjectLocation, Oci, OciConfig, OciError};
use testkit::oci_standin::{Environment, Fault, NAMESPACE};

use super::config;

const LIMIT: usize = 1 << 20;

fn object(name: &str) -> ObjectLocation {
    ObjectLocation {
        namespace: None,
        bucket: "config".to_owned(),
        object: name.to_owned(),
    }
}

async fn signed_in() -> (Environment, Oci) {
    signed_in_with(|_| {}).await
}

async fn signed_in_with(change: impl FnOnce(&mut OciConfig)) -> (Environment, Oci) {
    let environment = Environment::start().await.unwrap();
    let mut config = config(&environment, Auth::Resource);
    change(&mut config);
    let oci = Oci::sign_in(&config).await.unwrap();
    (environment, oci)
}

#[tokio::test]
async fn reads_and_writes_objects_of_any_name() {
    let (environment, oci) = signed_in().await;
    for name in [
        "config.properties",
        "dir/sub dir/user.avsc",
        "a b/ü+c&d=e?.txt",
        "100%25/..;/#frag'\"<>`{}|\\^~",
        "日本",
        "*",
    ] {
        let content = format!("content of {name}").into_bytes();
        oci.put_object(&object(name), "text/plain", content.clone())
            .await
            .unwrap();
        assert_eq!(
            environment.cloud.object("config", name),
            Some(content.clone()),
            "{name}"
        );
        let read = oci
            .object(&object(name), None, LIMIT)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read.bytes, content, "{name}");
    }
    assert!(
        environment
            .cloud
            .statuses("/b/config/")
            .iter()
            .all(|status| *status == 200)
    );
    let upload = environment
        .cloud
        .requests()
        .into_iter()
        .find(|seen| seen.method == "PUT")
        .unwrap();
    assert_eq!(upload.signed, "date (request-target) host");
}

#[tokio::test]
async fn does_not_transfer_an_unchanged_object() {
    let (environment, oci) = signed_in().await;
    assert_eq!(oci.namespace().await.unwrap(), NAMESPACE);
    environment.cloud.put_object("config", "a", b"one");
    let first = oci
        .object(&object("a"), None, LIMIT)
        .await
        .unwrap()
        .unwrap();
    let etag = first.etag.as_deref();
    assert_eq!(oci.object(&object("a"), etag, LIMIT).await.unwrap(), None);
    assert_eq!(environment.cloud.statuses("/o/a"), [200, 304]);
    environment.cloud.put_object("config", "a", b"two");
    let second = oci
        .object(&object("a"), etag, LIMIT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(second.bytes, b"two");
}

#[tokio::test]
async fn reads_secrets_by_id_name_stage_and_version() {
    let (environment, oci) = signed_in().await;
    environment.cloud.put_secret("AUTH_KEY", b"first");
    let id = environment.cloud.put_secret("AUTH_KEY", b"second\xFF");
    let vault = environment.cloud.vault();
    for (location, content, version) in [
        (id.clone(), &b"second\xFF"[..], 2),
        (format!("{id}?stage=PREVIOUS"), b"first", 1),
        (format!("{id}?version=1"), b"first", 1),
        (format!("{vault}/AUTH_KEY"), b"second\xFF", 2),
        (format!("{vault}/AUTH_KEY?stage=PREVIOUS"), b"first", 1),
    ] {
        let bundle = oci.secret(&location.parse().unwrap()).await.unwrap();
        assert_eq!(
            (bundle.bytes.as_slice(), bundle.version),
            (content, version),
            "{location}"
        );
    }
    let by_name = environment
        .cloud
        .requests()
        .into_iter()
        .find(|seen| seen.method == "POST")
        .unwrap();
    assert_eq!(
        by_name.signed,
        "date (request-target) host content-length content-type x-content-sha256"
    );
}

#[tokio::test]
async fn retries_transient_errors_with_new_signatures() {
    let (environment, oci) = signed_in().await;
    environment.cloud.put_object("config", "a", b"content");
    let location = object("a");
    for fault in [
        Fault::Error(503, "ServiceUnavailable".to_owned()),
        Fault::Error(409, "IncorrectState".to_owned()),
        Fault::Throttle(0),
        Fault::Page(502),
        Fault::Cut,
    ] {
        environment.cloud.clear_requests();
        environment.cloud.inject_fault("/o/a", fault.clone(), 1);
        let read = oci.object(&location, None, LIMIT).await.unwrap().unwrap();
        assert_eq!(read.bytes, b"content", "{fault:?}");
        assert_eq!(environment.cloud.statuses("/o/a").len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn does_not_wait_for_an_excessive_retry_after() {
    let (environment, oci) = signed_in().await;
    environment
        .cloud
        .inject_fault("/n", Fault::Throttle(u64::MAX), 1);
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(error.contains("429 TooManyRequests"), "{error}");
}

#[tokio::test]
async fn does_not_retry_permanent_errors_and_reports_the_request_id() {
    let (environment, oci) = signed_in().await;
    let id = environment.cloud.put_secret("A", b"x").parse().unwrap();
    for (status, code) in [
        (400, "InvalidParameter"),
        (403, "NotAllowed"),
        (409, "Other"),
        (501, "MethodNotImplemented"),
    ] {
        environment.cloud.clear_requests();
        environment
            .cloud
            .inject_fault("secretbundles", Fault::Error(status, code.to_owned()), 1);
        let error = oci.secret(&id).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!(
                ": {status} {code}: An injected fault (opc-request-id "
            )),
            "{error}"
        );
        assert!(
            error.starts_with(&format!("reading secret {id}: ")),
            "{error}"
        );
        assert!(error.contains("/standin/0)"), "{error}");
        assert_eq!(
            environment.cloud.statuses("secretbundles").len(),
            1,
            "{status}"
        );
    }
    let missing = oci
        .object(&object("nothing"), None, LIMIT)
        .await
        .unwrap_err();
    let text = missing.to_string();
    assert!(
        text.contains("404 ObjectNotFound: The object 'nothing' does not exist"),
        "{text}"
    );
    assert!(missing.advice().unwrap().contains("policy"));
}

#[tokio::test]
async fn shows_a_page_of_a_load_balancer_in_one_line() {
    let (environment, oci) =
        signed_in_with(|config| config.timeout = Duration::from_millis(200)).await;
    environment.cloud.inject_fault("/n", Fault::Page(502), 100);
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(
        error.starts_with("reading the Object Storage namespace: 502 <html> <h1>502</h1>"),
        "{error}"
    );
}

#[tokio::test]
async fn stops_waiting_for_a_service_at_the_timeout() {
    let (environment, oci) =
        signed_in_with(|config| config.timeout = Duration::from_millis(300)).await;
    environment.cloud.inject_fault("/n", Fault::Hang, 100);
    let start = Instant::now();
    let error = oci.namespace().await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(matches!(error, OciError::Unreachable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("no response from 127.0.0.1 within 0"),
        "{error}"
    );
}

#[tokio::test]
async fn an_attempt_that_the_timeout_cuts_short_does_not_hide_the_reason() {
    let (environment, oci) =
        signed_in_with(|config| config.timeout = Duration::from_millis(1500)).await;
    environment.cloud.inject_fault("/n", Fault::Page(502), 1);
    environment.cloud.inject_fault("/n", Fault::Hang, 100);
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(error.contains(": 502 <html>"), "{error}");
}

#[tokio::test]
async fn a_truncated_object_is_an_error() {
    let (environment, oci) =
        signed_in_with(|config| config.timeout = Duration::from_millis(900)).await;
    environment.cloud.put_object("config", "a", b"0123456789");
    environment.cloud.inject_fault("/o/a", Fault::Cut, 100);
    let error = oci
        .object(&object("a"), None, LIMIT)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the response of 127.0.0.1 ended after"),
        "{error}"
    );
    assert!(environment.cloud.statuses("/o/a").len() > 1);
}

#[tokio::test]
async fn does_not_read_an_object_above_the_limit() {
    let (environment, oci) = signed_in().await;
    environment.cloud.put_object("config", "a", &[b'x'; 100]);
    let error = oci
        .object(&object("a"), None, 99)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(
            "reading oci://config/a: the response is larger than 99 bytes (opc-request-id "
        ),
        "{error}"
    );
    assert_eq!(
        oci.object(&object("a"), None, 100)
            .await
            .unwrap()
            .unwrap()
            .bytes
            .len(),
        100
    );
}

#[tokio::test]
async fn distinguishes_a_wrong_clock_from_a_wrong_key() {
    let (environment, oci) = signed_in().await;
    let id = environment.cloud.put_secret("A", b"x").parse().unwrap();
    for (seconds, sentence) in [
        (
            600,
            "this machine's clock is 10 minutes behind the service's; a signature is valid for 5 minutes",
        ),
        (
            -90_000,
            "this machine's clock is 25 hours ahead of the service's",
        ),
    ] {
        environment.cloud.set_clock(seconds);
        let error = oci.secret(&id).await.unwrap_err();
        assert!(matches!(error, OciError::Clock { .. }), "{error}");
        assert!(error.to_string().contains(sentence), "{error}");
    }
    environment.cloud.set_clock(200);
    assert!(oci.secret(&id).await.is_ok());
}

#[tokio::test]
async fn reports_malformed_responses_without_their_content() {
    let (environment, oci) = signed_in().await;
    let id = environment.cloud.put_secret("A", b"x").parse().unwrap();
    let bundle = |kind: &str, content: &str, expiry: &str| {
        format!(
            r#"{{"secretId":"s","versionNumber":1,"timeOfExpiry":{expiry},"secretBundleContent":{{"contentType":"{kind}","content":"{content}"}}}}"#
        )
    };
    for (body, reason) in [
        ("canary".to_owned(), "the response is not a secret bundle"),
        (String::new(), "the response is not a secret bundle"),
        (
            bundle("BASE64", "canary!!", "null"),
            "the content is not base64",
        ),
        (
            bundle("HEX", "canary", "null"),
            "the content type is not BASE64",
        ),
        (
            bundle("BASE64", "Y2FuYXJ5", "\"2020-01-01T00:00:00.000Z\""),
            "its content expired at 2020-01-01T00:00:00.000Z",
        ),
        (
            bundle("BASE64", "Y2FuYXJ5", "\"soon\""),
            "its content expired at soon",
        ),
    ] {
        environment
            .cloud
            .inject_fault("secretbundles", Fault::Body(body.clone().into_bytes()), 1);
        let error = oci.secret(&id).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{body}: {error}");
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        );
    }
    let later = bundle("BASE64", "eA==", "\"2999-01-01T00:00:00Z\"");
    environment
        .cloud
        .inject_fault("secretbundles", Fault::Body(later.into_bytes()), 1);
    assert_eq!(oci.secret(&id).await.unwrap().bytes, b"x");
    environment
        .cloud
        .inject_fault("/n", Fault::Body(b"<html>".to_vec()), 1);
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(
        error.contains("the response is not a JSON string"),
        "{error}"
    );
}

#[tokio::test]
async fn reports_the_address_of_a_refused_connection() {
    let environment = Environment::start().await.unwrap();
    let mut config = config(&environment, Auth::Resource);
    config.timeout = Duration::from_millis(100);
    config.endpoint = Some("http://127.0.0.1:1".to_owned());
    let oci = Oci::sign_in(&config).await.unwrap();
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(
        error.contains("no connection to 127.0.0.1: Connection refused"),
        "{error}"
    );
    config.endpoint = Some("nonsense".to_owned());
    let oci = Oci::sign_in(&config).await.unwrap();
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(error.starts_with("OCI_ENDPOINT: nonsense/n: "), "{error}");
}

#[tokio::test]
async fn signs_with_the_configured_clock() {
    let (_environment, oci) = signed_in_with(|config| {
        config.principal.clock = || SystemTime::now() - Duration::from_secs(3600)
    })
    .await;
    let error = oci.namespace().await.unwrap_err();
    assert!(
        matches!(error, OciError::Clock { ahead: false, .. }),
        "{error}"
    );
}
