//! Avro bodies in Lambda events that contain them as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::avro_bytes::{paul, user};
use super::fixture::{Fixture, Reply, Request, values};
use super::lambda::{Lambda, SHAPES, Shape, event, reply};

/// The request as an event with this text as its body.
fn text_event(shape: Shape, request: &Request, text: &str) -> Value {
    let mut event = event(shape, request);
    event["body"] = json!(text);
    event["isBase64Encoded"] = json!(false);
    event
}

async fn invoke(lambda: &mut Lambda, event: Value) -> Reply {
    reply(&lambda.invoke(event).await)
}

fn assert_rejected(reply: &Reply, name: &str) {
    let problem = reply.json();
    assert_eq!(reply.status, 400, "{name}: {problem}");
    let kind = "urn:problem-type:frontdoor:body-decoded-as-text";
    assert_eq!(problem["type"], kind, "{name}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("isBase64Encoded"), "{name}: {detail}");
    assert!(detail.contains("binaryMediaTypes"), "{name}: {detail}");
}

#[tokio::test]
async fn rejects_a_body_that_a_gateway_decoded_as_utf_8() {
    let fixture = Fixture::new();
    let mut lambda = Lambda::start(&fixture.settings("ingest")).await;
    // A datum with the id 1010, whose first byte is not UTF-8.
    let recorded = include_str!("events/rest-api-text-body.json");
    let event = serde_json::from_str(recorded).unwrap();
    assert_rejected(&invoke(&mut lambda, event).await, "recorded");
    let datum = user(1010, "John", "john@bla.com");
    let text = String::from_utf8_lossy(&datum);
    for shape in SHAPES {
        let event = text_event(shape, &Request::post(datum.clone()), &text);
        assert_rejected(&invoke(&mut lambda, event).await, &format!("{shape:?}"));
    }
    assert!(fixture.stored().is_empty());
}

#[tokio::test]
async fn rejects_a_text_body_whose_length_was_changed() {
    let fixture = Fixture::new();
    let mut lambda = Lambda::start(&fixture.settings("ingest")).await;
    let latin_1 = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
    // The encoding of this id begins with the UTF-8 byte order mark; the rest of it is that of -1.
    let with_mark = user(-1_568_504, "John", "j@b");
    assert_eq!(with_mark[..3], [0xef, 0xbb, 0xbf]);
    let without_mark = String::from_utf8(with_mark[3..].to_vec()).unwrap();
    for shape in SHAPES {
        for (name, sent, text) in [
            ("ISO-8859-1", &paul(), latin_1(&paul())),
            (
                "a dropped byte order mark",
                &with_mark,
                without_mark.clone(),
            ),
        ] {
            let length = sent.len().to_string();
            let request = Request::post(sent.clone()).header("content-length", &length);
            let event = text_event(shape, &request, &text);
            assert_rejected(
                &invoke(&mut lambda, event).await,
                &format!("{name} in {shape:?}"),
            );
        }
    }
    assert!(fixture.stored().is_empty());
}

#[tokio::test]
async fn stores_a_body_that_is_unchanged_as_text() {
    let fixture = Fixture::new();
    let mut lambda = Lambda::start(&fixture.settings("ingest")).await;
    let ascii = user(1, "n\0\r\n", "e");
    let utf_8 = user(2, "Jo\u{e3}o \u{10348}", "j@b");
    let replacement = user(3, "\u{fffd}", "e");
    let encoded = STANDARD.encode(paul());
    for shape in SHAPES {
        for datum in [&ascii, &utf_8] {
            let text = String::from_utf8(datum.clone()).unwrap();
            let length = datum.len().to_string();
            let plain = Request::post(datum.clone());
            for request in [plain.clone(), plain.header("content-length", &length)] {
                let event = text_event(shape, &request, &text);
                assert_eq!(invoke(&mut lambda, event).await.status, 202, "{shape:?}");
            }
        }
        let request = Request::post(paul()).header("content-transfer-encoding", "base64");
        let event = text_event(shape, &request, &encoded);
        assert_eq!(invoke(&mut lambda, event).await.status, 202, "{shape:?}");
        // The same character is accepted as base64. As text it may replace a lost byte, so it is rejected.
        let request = Request::post(replacement.clone());
        let reply = lambda.call(shape, &request).await;
        assert_eq!(reply.status, 202, "{shape:?}");
        let text = String::from_utf8(replacement.clone()).unwrap();
        let event = text_event(shape, &request, &text);
        assert_rejected(&invoke(&mut lambda, event).await, &format!("{shape:?}"));
    }
    let once = [
        ascii.clone(),
        ascii,
        utf_8.clone(),
        utf_8,
        paul(),
        replacement,
    ];
    let mut sent: Vec<_> = SHAPES.iter().flat_map(|_| once.clone()).collect();
    sent.sort();
    assert_eq!(values(&fixture.stored()), sent);
}
