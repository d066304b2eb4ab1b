//! JSON bodies: encoded to Avro with the configured schema.

use serde_json::{Value, json};
use testkit::agent::{Agent, Call, Reply};

use super::avro_bytes::{paul, user};
use super::fixture::{Fixture, values};

async fn post(function: &mut Agent, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    let call = Call::direct(body.into()).header("content-type", content_type);
    function.call(call).await.unwrap()
}

fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

fn person(id: i32, name: &str) -> Value {
    json!({"id": id, "name": name, "email": "e@x.org"})
}

#[tokio::test]
async fn one_record_an_array_and_lines_are_stored_as_avro() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let one = json!({"id": 1010, "name": "Paul that goes to API type A", "email": "paul@bla.com"});
    let reply = post(
        &mut function,
        "application/json; charset=utf-8",
        one.to_string(),
    )
    .await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert!(body(&reply).is_object());
    let array = json!([person(1, "a"), person(2, "b")]);
    let reply = post(&mut function, "application/json", array.to_string()).await;
    assert_eq!(body(&reply).as_array().map(Vec::len), Some(2));
    let lines = format!("{}\r\n\n{}\n", person(3, "c"), person(4, "d"));
    let reply = post(&mut function, "application/x-ndjson", lines).await;
    assert_eq!(body(&reply).as_array().map(Vec::len), Some(2));
    let mut expected = vec![paul()];
    for (id, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        expected.push(user(id, name, "e@x.org"));
    }
    expected.sort();
    let stored = fixture.stored();
    assert_eq!(values(&stored), expected);
    assert!(
        stored
            .iter()
            .all(|record| record.header("content-type").as_deref() == Some("avro/binary"))
    );
    assert!(
        stored
            .iter()
            .any(|record| record.key.as_deref() == Some(b"1010"))
    );
}

#[tokio::test]
async fn a_fault_in_any_record_rejects_all_and_names_the_record_and_field() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let mut wrong = person(2, "b");
    wrong["email"] = json!(7);
    let array = json!([person(1, "a"), wrong]);
    let reply = post(&mut function, "application/json", array.to_string()).await;
    assert_eq!(reply.status, 422, "{reply:?}");
    let problem = body(&reply);
    assert_eq!(problem["type"], "urn:problem-type:frontdoor:malformed-json");
    assert_eq!(
        (&problem["record"], &problem["path"]),
        (&json!(2), &json!("email"))
    );
    let lines = format!("{}\n{{\"id\":", person(1, "a"));
    let reply = post(&mut function, "application/x-ndjson", lines).await;
    assert_eq!(body(&reply)["record"], 2, "{reply:?}");
    assert!(fixture.stored().is_empty());
}

#[tokio::test]
async fn what_is_not_json_of_the_schema_is_rejected() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let deep = "[".repeat(100_000);
    let bodies: [(&[u8], u16); 9] = [
        (b"", 400),
        (b"  \n", 400),
        (b"\xff\xfe", 422),
        (b"{", 422),
        (b"7", 422),
        (b"{} {}", 422),
        (b"[{}]", 422),
        (deep.as_bytes(), 422),
        (br#"{"id":1e400,"name":"a","email":"b"}"#, 422),
    ];
    for (sent, status) in bodies {
        for content_type in ["application/json", "application/x-ndjson"] {
            let reply = post(&mut function, content_type, sent).await;
            assert_eq!(
                reply.status,
                status,
                "{content_type} {:?}",
                &sent[..sent.len().min(50)]
            );
        }
    }
    assert!(fixture.stored().is_empty());
}

#[tokio::test]
async fn the_number_of_records_is_limited() {
    let fixture = Fixture::new();
    let mut function = fixture.function_with(&[("MAX_RECORDS", "2")]).await;
    let records = json!([person(1, "a"), person(2, "b"), person(3, "c")]);
    let reply = post(&mut function, "application/json", records.to_string()).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    assert_eq!(body(&reply)["limit"], 2);
    let lines = format!("{}\n", person(1, "a")).repeat(3);
    let reply = post(&mut function, "application/x-ndjson", lines).await;
    assert_eq!(reply.status, 413, "{reply:?}");
}

#[tokio::test]
async fn the_schema_can_be_read() {
    let fixture = Fixture::new();
    let plain = super::fixture::Plain::start(&fixture.settings("ingest")).await;
    let reply = plain.get("/v1/schema").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["name"], "User");
}
