//! Lists of objects, page by page.

use std::time::Duration;

use oci::principal::Auth;
use oci::{ObjectLocation, ObjectPrefix, Oci};
use testkit::oci_standin::{Environment, Fault};

use super::{config, sign_in};

fn prefix(bucket: &str, object: &str) -> ObjectPrefix {
    ObjectPrefix(ObjectLocation {
        namespace: None,
        bucket: bucket.to_owned(),
        object: object.to_owned(),
    })
}

async fn signed_in() -> (Environment, Oci) {
    let environment = Environment::start().await.unwrap();
    let oci = sign_in(&environment, Auth::Resource).await.unwrap();
    (environment, oci)
}

async fn names(oci: &Oci, object: &str) -> Vec<String> {
    let listed = oci.list(&prefix("config", object)).await.unwrap();
    listed.into_iter().map(|object| object.name).collect()
}

async fn error(oci: &Oci, bucket: &str) -> String {
    let listed = oci.list(&prefix(bucket, "a/")).await;
    listed.unwrap_err().to_string()
}

#[tokio::test]
async fn lists_the_objects_below_a_prefix_of_any_name() {
    let (environment, oci) = signed_in().await;
    let inside = ["a b/", "a b/ü+c&d=e?.avsc", "a b/日本/x#%25.avsc"];
    for name in inside.into_iter().chain(["a b", "a bc/x", "x/a b/y"]) {
        environment.cloud.put_object("config", name, b"content");
    }
    assert_eq!(names(&oci, "a b/").await, inside);
    assert_eq!(names(&oci, "").await.len(), 6);
    assert!(names(&oci, "nothing/").await.is_empty());
    let listing = environment.cloud.requests().pop().unwrap();
    assert_eq!(listing.signed, "date (request-target) host");
}

#[tokio::test]
async fn the_listed_entity_tag_is_that_of_the_object() {
    let (environment, oci) = signed_in().await;
    environment.cloud.put_object("config", "a/x", b"content");
    let location = prefix("config", "a/");
    let listed = oci.list(&location).await.unwrap().remove(0);
    let object = ObjectLocation {
        object: listed.name,
        ..location.0
    };
    let read = oci.object(&object, None, 100).await.unwrap().unwrap();
    assert!(listed.etag.is_some());
    assert_eq!(read.etag, listed.etag);
}

#[tokio::test]
async fn reads_every_page_once() {
    let (environment, oci) = signed_in().await;
    for number in 0..2001 {
        let name = format!("a/{number:04} &");
        environment.cloud.put_object("config", &name, b"x");
    }
    let names = names(&oci, "a/").await;
    assert_eq!(names.len(), 2001);
    assert!(names.is_sorted_by(|left, right| left < right));
    assert_eq!(environment.cloud.statuses("/o?prefix="), [200, 200, 200]);
}

#[tokio::test]
async fn retries_a_page_that_failed() {
    let (environment, oci) = signed_in().await;
    for number in 0..1001 {
        let name = format!("a/{number:04}");
        environment.cloud.put_object("config", &name, b"x");
    }
    let unavailable = Fault::Error(503, "ServiceUnavailable".to_owned());
    environment.cloud.inject_fault("&start=", unavailable, 1);
    assert_eq!(names(&oci, "a/").await.len(), 1001);
    assert_eq!(environment.cloud.statuses("/o?prefix="), [200, 503, 200]);
}

#[tokio::test]
async fn rejects_more_than_ten_pages() {
    let (environment, oci) = signed_in().await;
    // The same page again and again.
    let page = br#"{"objects":[{"name":"a/x"}],"nextStartWith":"a/x"}"#;
    environment
        .cloud
        .inject_fault("/o?prefix=", Fault::Body(page.to_vec()), 100);
    let error = error(&oci, "config").await;
    assert!(
        error.starts_with(
            "listing oci://config/a/: it has more than 10000 objects (opc-request-id "
        ),
        "{error}"
    );
    assert_eq!(environment.cloud.statuses("/o?prefix=").len(), 10);
}

#[tokio::test]
async fn reports_malformed_pages() {
    let (environment, oci) = signed_in().await;
    let long = format!(r#"{{"objects":[{{"name":"a/{}"}}]}}"#, "x".repeat(1024));
    let full = r#"{"name":"a/x"},"#.repeat(1001);
    let full = format!(r#"{{"objects":[{}]}}"#, full.trim_end_matches(','));
    let (not_a_list, others) = (
        "the response is not a list of objects",
        "the response lists other objects than requested",
    );
    for (body, reason) in [
        ("", not_a_list),
        ("<html>", not_a_list),
        ("{}", not_a_list),
        (r#"{"objects":[{"etag":"x"}]}"#, not_a_list),
        (r#"{"objects":[{"name":"b/x"}]}"#, others),
        (r#"{"objects":[{"name":"a/x\ny"}]}"#, others),
        (&long, others),
        (&full, others),
        (
            &" ".repeat((4 << 20) + 1),
            "the response is larger than 4194304 bytes",
        ),
    ] {
        let fault = Fault::Body(body.as_bytes().to_vec());
        environment.cloud.inject_fault("/o?prefix=", fault, 1);
        let error = error(&oci, "config").await;
        assert!(error.contains(reason), "{error}");
        assert!(error.starts_with("listing oci://config/a/: "), "{error}");
    }
}

#[tokio::test]
async fn reports_a_bucket_that_does_not_exist() {
    let (_environment, oci) = signed_in().await;
    let error = error(&oci, "nothing").await;
    assert!(
        error.starts_with("listing oci://nothing/a/: 404 BucketNotFound: "),
        "{error}"
    );
}

#[tokio::test]
async fn stops_waiting_for_a_page_at_the_timeout() {
    let environment = Environment::start().await.unwrap();
    let mut config = config(&environment, Auth::Resource);
    config.timeout = Duration::from_millis(100);
    let oci = Oci::sign_in(&config).await.unwrap();
    environment
        .cloud
        .inject_fault("/o?prefix=", Fault::Hang, 100);
    let error = error(&oci, "config").await;
    assert!(error.contains("no response from 127.0.0.1"), "{error}");
}
