//! Keys, timestamps and headers of messages.

use serde_json::json;
use testkit::agent::{Agent, Reply};

use super::fixture::{Fixture, Request};

async fn call(function: &mut Agent, headers: &[(&str, &str)], body: &serde_json::Value) -> Reply {
    let json = ("content-type", "application/json");
    let request = headers
        .iter()
        .chain([&json])
        .fold(Request::post(body.to_string()), |request, (name, value)| {
            request.header(name, value)
        });
    function.call(request.through_gateway()).await.unwrap()
}

fn user(id: i64) -> serde_json::Value {
    json!({"id": id, "name": "Paul", "email": "p@x.org"})
}

fn kind(reply: &Reply) -> String {
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let kind = problem["type"].as_str().unwrap();
    kind.rsplit(':').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_expression_makes_the_key_of_each_record() {
    let fixture = Fixture::new();
    let key = "id == 1 ? null : name + '/' + string(100 / (id - 3))";
    let mut function = fixture.function_with(&[("KAFKA_KEY", key)]).await;
    let reply = call(&mut function, &[], &json!([user(1), user(2)])).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let mut keys: Vec<_> = fixture
        .stored()
        .into_iter()
        .map(|record| record.key)
        .collect();
    keys.sort();
    assert_eq!(keys, [None, Some(b"Paul/-100".to_vec())]);
    let reply = call(&mut function, &[], &json!([user(2), user(3)])).await;
    assert_eq!(
        (reply.status, kind(&reply)),
        (400, "invalid-key".to_owned())
    );
    assert_eq!(fixture.stored().len(), 2);
}

#[tokio::test]
async fn an_expression_makes_the_timestamp_of_each_record() {
    let fixture = Fixture::new();
    let timestamp = "id == 7 ? null : id == 8 ? 253402300800000 : id";
    let mut function = fixture
        .function_with(&[("KAFKA_TIMESTAMP", timestamp)])
        .await;
    let reply = call(&mut function, &[], &json!([user(5), user(6), user(7)])).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let mut stored: Vec<_> = fixture
        .stored()
        .iter()
        .map(|record| record.timestamp)
        .collect();
    stored.sort();
    assert_eq!(stored[..2], [Some(5), Some(6)]);
    assert!(stored[2] > Some(1_600_000_000_000));
    for id in [0, -1, 8] {
        let reply = call(&mut function, &[], &json!([user(5), user(id)])).await;
        assert_eq!(
            (reply.status, kind(&reply)),
            (400, "invalid-timestamp".to_owned())
        );
        let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(problem["record"], 2);
    }
    assert_eq!(fixture.stored().len(), 3);
}

#[tokio::test]
async fn listed_headers_and_the_attributes_of_an_event_become_kafka_headers() {
    let fixture = Fixture::new();
    let list = ("KAFKA_HEADERS", "Tenant, x-request-id");
    let mut function = fixture.function_with(&[list]).await;
    let event = [
        ("ce-specversion", "1.0"),
        ("ce-id", "A%20B"),
        ("ce-source", "/orders"),
        ("ce-type", "org.example.user"),
    ];
    let mut headers = event.to_vec();
    headers.extend([
        ("tenant", "t1"),
        ("other", "x"),
        ("authorization", "Bearer x"),
    ]);
    let reply = call(&mut function, &headers, &user(1)).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let stored = &fixture.stored()[0];
    for (name, value) in [
        ("content-type", "avro/binary"),
        ("ce_specversion", "1.0"),
        ("ce_id", "A B"),
        ("ce_source", "/orders"),
        ("ce_type", "org.example.user"),
        ("tenant", "t1"),
    ] {
        assert_eq!(stored.header(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(
        stored.header("other").or(stored.header("authorization")),
        None
    );

    let reply = call(&mut function, &event[..3], &user(1)).await;
    assert_eq!(
        (reply.status, kind(&reply)),
        (400, "invalid-event".to_owned())
    );
    let reply = call(&mut function, &event, &json!([user(1)])).await;
    assert_eq!(
        (reply.status, kind(&reply)),
        (400, "invalid-event".to_owned())
    );
    assert_eq!(fixture.stored().len(), 1);
}
