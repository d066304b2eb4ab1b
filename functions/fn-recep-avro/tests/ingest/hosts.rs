//! The same requests through every host: the same statuses, the same problems, the same Kafka records.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::records::Stored;

use super::lambda::{Lambda, SHAPES};
use super::vectors::{self, LIMITS, Vector};
use super::world::{Plain, Reply, World};

#[tokio::test]
async fn the_same_requests_leave_the_same_records_through_every_host() {
    let world = World::new();
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
        world.broker.create_topic(topic, 3).unwrap();
    }
    let settings = |topic| [&world.settings(topic)[..], &LIMITS].concat();

    let mut function = world
        .function_with(&[&LIMITS[..], &[("KAFKA_TOPIC", "fn-http")]].concat())
        .await;
    for vector in &vectors {
        let reply = function
            .call(vector.request.through_gateway())
            .await
            .unwrap();
        check(vector, "fn-http", &reply.into());
    }
    // A direct call is a POST whatever its caller says.
    let mut function = world
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

    let expected = essence(&world.stored_in("fn-direct"));
    let mut values: Vec<_> = expected
        .iter()
        .map(|stored| stored.value.clone().unwrap())
        .collect();
    let mut wanted: Vec<_> = vectors
        .iter()
        .flat_map(|vector| vector.stored.clone())
        .collect();
    values.sort();
    wanted.sort();
    assert_eq!(values, wanted);
    for topic in topics {
        assert_eq!(essence(&world.stored_in(topic)), expected, "{topic}");
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

/// What must be equal: everything but the time and the call's id.
fn essence(stored: &[Stored]) -> Vec<Stored> {
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
async fn key_and_headers_are_as_promised() {
    let world = World::new();
    let mut function = world.function().await;
    for vector in vectors::all().iter().filter(|vector| {
        [
            "key and trace of the caller",
            "a trace in B3",
            "a deflated container with a key of its caller",
        ]
        .contains(&vector.name)
    }) {
        let reply = function.call(vector.request.invoked()).await.unwrap();
        assert_eq!(reply.status, 202);
    }
    let stored = world.stored();
    let fingerprint: String = vectors::fingerprint()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut by_key: BTreeMap<Option<String>, Vec<&Stored>> = BTreeMap::new();
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
    let caller = only(Some("8e03978e-40d5-43e8-bc93-6894a57f9324"));
    assert_eq!(caller.key.as_deref(), Some(&b"1010"[..]));
    assert_eq!(
        caller.header("traceparent").unwrap(),
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    );
    assert_eq!(
        only(None).header("traceparent").unwrap(),
        "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"
    );
    // Each record of a container has a key of its own, or a consumer would take the second for a repeat.
    for (place, key) in [("c-1/1", "1010"), ("c-1/2", "1020"), ("c-1/3", "10029")] {
        assert_eq!(only(Some(place)).key.as_deref(), Some(key.as_bytes()));
    }
}
