//! The traits that users implement, and the probe of an endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use delivery::request::{
    AuthorizationError, FixedHeader, InvalidRecord, Payload, PayloadFormat, Records,
    RequestAuthorization,
};
use delivery::{ConnectionError, EndpointClient, EndpointConfig, Order, ProbeError};
use http::{HeaderValue, Request};
use record::Message;
use runtime::secret::Secret;
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, message, reason, word};

/// Numbers the attempts, and sends the length of the body. The attempt with the number `fails_at` fails.
#[derive(Debug, Default)]
struct NumberedAttempts {
    attempts: AtomicU32,
    fails_at: u32,
}

impl RequestAuthorization for NumberedAttempts {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        let number = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        if number == self.fails_at {
            return Err(AuthorizationError("no key".into()));
        }
        let value = format!("Test {number} {}", request.body().len());
        let value = HeaderValue::from_str(&value).expect("ascii");
        request.headers_mut().insert("authorization", value);
        Ok(())
    }
}

#[test]
fn each_attempt_is_authorized_again_with_its_body() {
    let endpoint = Endpoint::sequence(vec![Answer::status(503), Answer::ok()]).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].authorization = Arc::new(NumberedAttempts::default());
    });
    harness.offer([message(0, 0)]);
    assert_eq!(word(&harness.outcome()), "delivered");
    let requests = endpoint.requests();
    let authorization = |n: usize| requests[n].header("authorization");
    assert_eq!(authorization(0), Some("Test 1 1"));
    assert_eq!(authorization(1), Some("Test 2 1"));
}

#[test]
fn a_request_that_cannot_be_authorized_is_not_sent_and_is_retried() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    for (max_attempts, outcome) in [(1, "deferred"), (2, "delivered")] {
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].limits.max_attempts = max_attempts;
            config.endpoints[0].authorization = Arc::new(NumberedAttempts {
                attempts: AtomicU32::new(0),
                fails_at: 1,
            });
        });
        harness.offer([message(0, 0)]);
        let completed = harness.outcome();
        assert_eq!(word(&completed), outcome);
        if outcome == "deferred" {
            assert_eq!(reason(&completed), "authorizing the request: no key");
        }
    }
    assert_eq!(endpoint.count(), 1);
}

/// Joins the values of the records with commas.
#[derive(Debug)]
struct Joined;

impl PayloadFormat for Joined {
    fn is_batch(&self) -> bool {
        true
    }

    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord> {
        let mut values = Vec::new();
        for (index, message) in records.messages().iter().enumerate() {
            match message.value.as_deref() {
                Some(b"unusable") => {
                    return Err(InvalidRecord {
                        index,
                        reason: "it is unusable".to_owned(),
                    });
                }
                value => values.extend(value),
            }
        }
        Ok(Payload {
            content_type: Some(HeaderValue::from_static("text/plain")),
            headers: Vec::new(),
            body: values.join(&b","[..]).into(),
        })
    }
}

#[test]
fn a_payload_format_decides_body_and_content_type() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].format = Arc::new(Joined);
        config.endpoints[0].batch_records = 3;
    });
    harness.offer(
        [b"a", b"b", b"c"]
            .into_iter()
            .zip(0..)
            .map(|(value, offset)| Message {
                value: Some(Bytes::from_static(value)),
                ..message(0, offset)
            }),
    );
    harness.completions(3);
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("content-type"), Some("text/plain"));
    assert_eq!(requests[0].body, b"a,b,c"[..]);
}

#[test]
fn a_record_without_a_representation_is_rejected_and_the_others_are_sent() {
    for order in [Order::None, Order::Partition] {
        let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].format = Arc::new(Joined);
            config.endpoints[0].batch_records = 4;
            config.endpoints[0].order = order;
        });
        let values = [
            "unusable", "a", "unusable", "b", "unusable", "unusable", "unusable", "unusable", "c",
        ];
        harness.offer(values.iter().zip(0..).map(|(value, offset)| Message {
            value: Some(Bytes::from_static(value.as_bytes())),
            ..message(0, offset)
        }));
        harness.delivery.flush();
        for completion in harness.completions(values.len()) {
            let offset = usize::try_from(completion.message.at.offset).expect("offset");
            match values[offset] {
                "unusable" => assert_eq!(reason(&completion.outcome), "it is unusable"),
                _ => assert_eq!(word(&completion.outcome), "delivered"),
            }
        }
        let sent = endpoint.requests();
        let sent: Vec<&[u8]> = sent
            .iter()
            .flat_map(|request| request.body.split(|c| *c == b','))
            .collect();
        assert_eq!(sent, [b"a", b"b", b"c"], "{order:?}");
    }
}

fn probe(endpoint: &EndpointConfig, timeout: Duration) -> Result<u16, ProbeError> {
    let client = EndpointClient::new(endpoint).expect("url");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let status = runtime.block_on(client.probe(timeout))?;
    Ok(status.as_u16())
}

#[test]
fn a_probe_is_an_authorized_get_and_returns_the_status() {
    let minute = Duration::from_secs(60);
    let endpoint = Endpoint::always(Answer::status(405)).expect("endpoint");
    let token = FixedHeader::bearer(&Secret::new("hunter2")).expect("token");
    let config = EndpointConfig {
        authorization: Arc::new(token),
        ..EndpointConfig::new("A", endpoint.url())
    };
    assert_eq!(probe(&config, minute), Ok(405));
    let request = endpoint.requests().remove(0);
    assert_eq!((request.method.as_str(), request.body.len()), ("GET", 0));
    assert_eq!(request.header("authorization"), Some("Bearer hunter2"));
    assert_eq!(request.header("idempotency-key"), None);
}

#[test]
fn a_probe_without_a_response_is_an_error() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let config = EndpointConfig::new("A", endpoint.url());
    let timeout = Duration::from_millis(50);
    assert_eq!(probe(&config, timeout), Err(ProbeError::TimedOut(timeout)));
    drop(endpoint);
    let error = probe(&config, Duration::from_secs(60)).expect_err("refused");
    let is_connect =
        |error: &ProbeError| matches!(error, ProbeError::Connection(ConnectionError::Connect(_)));
    assert!(is_connect(&error), "{error:?}");
}
