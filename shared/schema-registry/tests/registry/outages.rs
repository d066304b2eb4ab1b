//! A registry that does not answer: retries, other URLs, and no cached outage.

use std::time::{Duration, Instant};

use schema_registry::{RegistryClient, RegistryError};
use testkit::endpoint::{Answer, Endpoint};

use super::{client, config, json, schema};

#[tokio::test]
async fn transient_errors_are_retried() {
    let endpoint = Endpoint::sequence(vec![
        Answer::status(503),
        json(
            500,
            r#"{"error_code":50002,"message":"Operation timed out"}"#,
        ),
        Answer::reset(),
        schema(),
    ])
    .unwrap();
    assert!(client(&endpoint).schema_by_id(7).await.is_ok());
    assert_eq!(endpoint.count(), 4);
}

#[tokio::test]
async fn retry_after_is_respected_within_the_timeout() {
    let busy = |wait| Answer::status(429).header("retry-after", wait);
    let endpoint = Endpoint::sequence(vec![busy("1"), schema()]).unwrap();
    let start = Instant::now();
    assert!(client(&endpoint).schema_by_id(7).await.is_ok());
    assert!(start.elapsed() >= Duration::from_secs(1));

    let endpoint = Endpoint::always(busy("99999999999999999999")).unwrap();
    let error = client(&endpoint).schema_by_id(7).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("429 Too Many Requests after 1 attempt in 0."),
        "{error}"
    );
}

#[tokio::test]
async fn an_outage_is_not_an_unknown_id_and_is_retried_by_the_next_call() {
    for broken in [
        Answer::status(503),
        Answer::hang(),
        Answer::garbage(),
        json(200, "x").reset_in_body(),
    ] {
        let endpoint = Endpoint::start({
            let broken = broken.clone();
            move |request| {
                if request.target.ends_with("/8") {
                    schema()
                } else {
                    broken.clone()
                }
            }
        })
        .unwrap();
        let mut config = config(&[&endpoint]);
        config.timeout = Duration::from_millis(200);
        let client = RegistryClient::new(&config).unwrap();
        let cached = client.schema_by_id(8).await.unwrap();
        let start = Instant::now();
        let error = client.schema_by_id(7).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Unavailable { attempts: 1.., .. }),
            "{broken:?}: {error}"
        );
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(client.schema_by_id(8).await.unwrap(), cached);
        let count = endpoint.count();
        assert!(client.schema_by_id(7).await.is_err());
        assert!(endpoint.count() > count);
    }
}

#[tokio::test]
async fn the_next_url_is_used_and_kept() {
    let (first, second) = (
        Endpoint::always(schema()).unwrap(),
        Endpoint::always(schema()).unwrap(),
    );
    let client = RegistryClient::new(&config(&[&first, &second])).unwrap();
    first.refuse_connections(true);
    for id in 0..5 {
        client.schema_by_id(id).await.unwrap();
    }
    first.refuse_connections(false);
    for id in 5..10 {
        client.schema_by_id(id).await.unwrap();
    }
    assert_eq!((first.count(), second.count()), (0, 10));
    second.refuse_connections(true);
    client.schema_by_id(10).await.unwrap();
    assert_eq!((first.count(), second.count()), (1, 10));
}

#[tokio::test]
async fn a_hanging_url_leaves_time_for_the_next_one() {
    let (first, second) = (
        Endpoint::always(Answer::hang()).unwrap(),
        Endpoint::always(schema()).unwrap(),
    );
    let mut config = config(&[&first, &second]);
    config.timeout = Duration::from_secs(3);
    let client = RegistryClient::new(&config).unwrap();
    assert!(client.schema_by_id(7).await.is_ok());
}

#[tokio::test]
async fn an_attempt_that_the_end_cuts_short_does_not_hide_the_reason() {
    let busy = Answer::status(503).header("retry-after", "2");
    let endpoint = Endpoint::sequence(vec![busy, Answer::hang()]).unwrap();
    let mut config = config(&[&endpoint]);
    // The second attempt would have 1750 ms, and 1500 remain.
    config.timeout = Duration::from_millis(3500);
    let client = RegistryClient::new(&config).unwrap();
    let error = client.schema_by_id(7).await.unwrap_err().to_string();
    assert!(error.contains("503 Service Unavailable after"), "{error}");
}

#[tokio::test]
async fn no_registry_listens() {
    let endpoint = Endpoint::always(schema()).unwrap();
    endpoint.refuse_connections(true);
    let mut config = config(&[&endpoint]);
    config.timeout = Duration::from_millis(700);
    let error = RegistryClient::new(&config)
        .unwrap()
        .schema_by_id(7)
        .await
        .unwrap_err();
    let RegistryError::Unavailable {
        attempts, elapsed, ..
    } = error
    else {
        panic!("{error}");
    };
    assert!(
        attempts >= 2 && elapsed < Duration::from_secs(5),
        "{attempts} in {elapsed:?}"
    );
}
