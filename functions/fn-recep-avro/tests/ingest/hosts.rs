//! The same requests through every host: statuses, problems and Kafka records are the same.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::records::StoredRecord;

use super::fixture::{Fixture, Plain, Reply};
use super::lambda::{Lambda, SHAPES};
use super::vectors::{self, LIMITS, Vector};

#[tokio::test]
async fn every_host_stores_the_same_records_for_the_same_requests() {
    let fixture = Fixture::new();
    let vectors = vectors::all();
    let topics = [
        "fn-http",
        "plain",
        "RestApi",
        "HttpApi",
        "FunctionUrl",
        "LoadBalancer",
    ];
    for topic in topics.iter().chain(&["fn-direct"]) {
        fixture.broker.create_topic(topic, 3).unwrap();
    }
    let settings = |topic| [&fixture.settings(topic)[..], &LIMITS].concat();

    let mut function = fixture
        .function_with(&[&LIMITS[..], &[("KAFKA_TOPIC", "fn-http")]].concat())
        .await;
    for vector in &vectors {
        let reply = function
            .call(vector.request.through_gateway())
            .await
            .unwrap();
        check(vector, "fn-http", &reply.into());
    }
    // The method of a direct call is always POST.
    let mut function = fixture
        .function_with(&[&LIMITS[..], &[("KAFKA_TOPIC", "fn-direct")]].concat())
        .await;
    for vector in vectors.iter().filter(|vector| vector.status != 405) {
        let reply = function.call(vector.request.invoked()).await.unwrap();
        check(vector, "fn-direct", &reply.into());
    }
    let plain = Plain::start(&settings("plain")).await;
    for vector in &vectors {
        check(vector, "plain", &plain.call(&vector.request).await);
    }
    for (shape, topic) in SHAPES.into_iter().zip(&topics[2..]) {
        let mut lambda = Lambda::start(&settings(topic)).await;
        for vector in &vectors {
            check(vector, topic, &lambda.call(shape, &vector.request).await);
        }
    }

    let expected = comparable(&fixture.stored_in("fn-direct"));
    let mut values: Vec<_> = expected
        .iter()
        .map(|stored| stored.value.clone().unwrap())
        .collect();
    let mut expected_values: Vec<_> = vectors
        .iter()
        .flat_map(|vector| vector.stored.clone())
        .collect();
    values.sort();
    expected_values.sort();
    assert_eq!(values, expected_values);
    for topic in topics {
        assert_eq!(comparable(&fixture.stored_in(topic)), expected, "{topic}");
    }
}

fn check(vector: &Vector, host: &str, reply: &Reply) {
    let body = reply.json();
    assert_eq!(
        reply.status, vector.status,
        "{} through {host}: {body}",
        vector.name
    );
    if vector.status == 202 {
        assert_eq!(reply.headers["content-type"], "application/json");
        let list = match &body {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        assert_eq!(
            list.len(),
            vector.stored.len(),
            "{} through {host}: {body}",
            vector.name
        );
        for at in list {
            assert_eq!(at["topic"], host);
            assert!(at["partition"].is_i64() && at["offset"].is_i64(), "{at}");
            assert!(at["timestamp"].is_i64(), "{at}");
        }
    } else {
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert_eq!(body["status"], vector.status);
        let kind = format!("urn:problem-type:frontdoor:{}", vector.problem);
        assert_eq!(body["type"], kind, "{} through {host}: {body}", vector.name);
        assert!(!body["title"].as_str().unwrap().is_empty());
        assert!(body["detail"].as_str().unwrap().ends_with('.'), "{body}");
        assert!(body["call_id"].is_string(), "{body}");
    }
}

/// The part of the messages that must be equal: everything but the timestamp and the call's id.
fn comparable(stored: &[StoredRecord]) -> Vec<StoredRecord> {
    stored
        .iter()
        .cloned()
        .map(|mut message| {
            message.timestamp = None;
            assert!(message.header("call-id").is_some());
            message.headers.retain(|(name, _)| name != "call-id");
            message
        })
        .collect()
}

#[tokio::test]
async fn messages_have_the_documented_key_and_headers() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for vector in vectors::all().iter().filter(|vector| {
        [
            "a key and a trace of the client",
            "a trace in B3",
            "a deflated container with a key of the client",
        ]
        .contains(&vector.name)
    }) {
        let reply = function.call(vector.request.invoked()).await.unwrap();
        assert_eq!(reply.status, 202);
    }
    let stored = fixture.stored();
    let fingerprint: String = vectors::fingerprint()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut by_key: BTreeMap<Option<String>, Vec<&StoredRecord>> = BTreeMap::new();
    for message in &stored {
        assert_eq!(message.header("content-type").unwrap(), "avro/binary");
        assert_eq!(
            message.header("avro-schema-fingerprint").unwrap(),
            fingerprint
        );
        by_key
            .entry(message.header("idempotency-key"))
            .or_default()
            .push(message);
    }
    let only = |key: Option<&str>| match by_key[&key.map(str::to_owned)][..] {
        [one] => one,
        ref several => panic!("{several:?}"),
    };
    let client = only(Some("8e03978e-40d5-43e8-bc93-6894a57f9324"));
    assert_eq!(client.key.as_deref(), Some(&b"1010"[..]));
    assert_eq!(
        client.header("traceparent").unwrap(),
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    );
    assert_eq!(
        only(None).header("traceparent").unwrap(),
        "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"
    );
    // Each record of a container has a key of its own. Otherwise consumers would drop the second as a duplicate.
    for (record_key, key) in [("c-1/1", "1010"), ("c-1/2", "1020"), ("c-1/3", "10029")] {
        assert_eq!(only(Some(record_key)).key.as_deref(), Some(key.as_bytes()));
    }
}
