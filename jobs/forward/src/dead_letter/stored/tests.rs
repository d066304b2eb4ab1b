//! Tests of parsing dead letters.

use proptest::prelude::*;
use rdkafka::message::{Headers, OwnedHeaders};
use record::StreamId;

use super::*;
use crate::dead_letter::{Cause, DeadLetter, DeadLetterConfig};

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Option<Bytes>)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), Some(Bytes::from((*value).to_owned()))))
        .collect()
}

fn message(topic: &str, headers: Vec<(String, Option<Bytes>)>) -> Message {
    Message {
        at: Coordinates {
            topic: topic.into(),
            partition: 0,
            offset: 7,
        },
        key: Some("k".into()),
        value: Some("v".into()),
        payload: None,
        origin: None,
        headers,
        timestamp: Some(9),
        client_key: None,
    }
}

fn with_value(value: impl Into<Bytes>) -> Message {
    Message {
        value: Some(value.into()),
        ..message("letters", Vec::new())
    }
}

fn config(envelope: bool) -> DeadLetterConfig {
    DeadLetterConfig {
        topic: "letters".to_owned(),
        group: "g".to_owned(),
        run: "r".to_owned(),
        stream: StreamId {
            cluster: "c".to_owned(),
            topic: "t".to_owned(),
        },
        envelope,
    }
}

fn written(headers: &OwnedHeaders) -> Vec<(String, Option<Bytes>)> {
    let headers = headers.iter().map(|header| {
        let value = header.value.map(Bytes::copy_from_slice);
        (header.key.to_owned(), value)
    });
    headers.collect()
}

/// The dead letters that the job writes for a record with these headers: with headers, and in an envelope on a broker without
/// headers.
fn letters(own: Vec<(String, Option<Bytes>)>) -> [Message; 2] {
    let letter = refused(message("orders", own));
    let mut with_headers = message("letters", written(&letter.record_headers(&config(false))));
    // When the dead letter was written.
    with_headers.timestamp = Some(99);
    let enveloped = with_value(letter.envelope(&config(true)).unwrap());
    [with_headers, enveloped]
}

fn refused(message: Message) -> DeadLetter {
    DeadLetter {
        message,
        class: 0,
        cause: Cause::Refused,
        reason: "422".to_owned(),
        route: Some("A".to_owned()),
        answer: None,
    }
}

fn dead_letter(message: Message) -> StoredDeadLetter {
    match StoredRecord::parse(message) {
        Ok(StoredRecord::DeadLetter(letter)) => *letter,
        other => panic!("{other:?}"),
    }
}

fn error(message: Message) -> String {
    StoredRecord::parse(message).unwrap_err().to_string()
}

#[test]
fn headers_and_envelope_name_the_record_and_the_cause() {
    for (message, family) in letters(Vec::new())
        .into_iter()
        .zip([Family::Frontdoor, Family::Envelope])
    {
        let found = dead_letter(message);
        assert_eq!(found.family, family);
        assert_eq!(found.origin.clone().unwrap().to_string(), "orders/0@7");
        let expected = DeadLetterLocation {
            coordinates: "letters/0@7".to_owned(),
            timestamp: found.written,
            cause: "refused".to_owned(),
            reason: "422".to_owned(),
            route: Some("A".to_owned()),
            run: Some("r".to_owned()),
        };
        assert_eq!(found.location(), expected);
    }
}

#[test]
fn the_record_is_as_before_and_has_its_idempotency_key() {
    let own = headers(&[("content-type", "avro/binary"), ("x", "1"), ("x", "2")]);
    let is_own = |(name, _): &&(String, _)| name != idempotency::HEADER;
    for letter in letters(own.clone()) {
        let record = dead_letter(letter).record.unwrap();
        let kept: Vec<_> = record.headers.iter().filter(is_own).cloned().collect();
        assert_eq!(kept, own);
        assert_eq!(record.client_key.as_deref(), Some("c/t/0/7"));
        assert_eq!(record.coordinates().to_string(), "orders/0@7");
        assert_eq!(
            (record.at.to_string(), record.timestamp),
            ("letters/0@7".to_owned(), Some(9))
        );
        assert_eq!(
            (record.key, record.value),
            (Some("k".into()), Some("v".into()))
        );
    }
    // A header that is no key does not hide the one that the job has appended.
    for letter in letters(headers(&[(idempotency::HEADER, "no\nkey")])) {
        let record = dead_letter(letter).record.unwrap();
        assert_eq!(record.client_key.as_deref(), Some("c/t/0/7"));
    }
}

#[test]
fn an_envelope_with_headers_is_opened() {
    let letter = refused(message("orders", Vec::new()));
    let headers = || written(&letter.record_headers(&config(true)));
    let both = Message {
        value: letter.envelope(&config(true)).map(Bytes::from),
        ..message("letters", headers())
    };
    let found = dead_letter(both.clone());
    assert_eq!(found.family, Family::Envelope);
    assert_eq!(found.record.unwrap().value, Some("v".into()));
    // The record's own value has the form of an envelope.
    let text = String::from_utf8(both.value.unwrap().to_vec()).unwrap();
    let own = Bytes::from(text.replace("\"run\":\"r\"", "\"run\":\"another\""));
    let value = Some(own.clone());
    let found = dead_letter(Message {
        value,
        ..message("letters", headers())
    });
    assert_eq!(found.family, Family::Frontdoor);
    assert_eq!(found.record.unwrap().value, Some(own));
}

#[test]
fn the_last_context_counts() {
    let [first, _] = letters(Vec::new());
    let count = first.headers.len();
    // The record was a dead letter before.
    let [again, _] = letters(first.headers.clone());
    let found = dead_letter(again.clone());
    assert_eq!(found.family, Family::Frontdoor);
    // And the idempotency key, which the job appends here because the test's record has no client key.
    assert_eq!(found.record.unwrap().headers.len(), count + 1);
    // Kafka Streams has dead-lettered the dead letter.
    let mut streams = again;
    streams.headers.extend(headers(&[
        ("__streams.errors.exception", "x.Y"),
        ("__streams.errors.topic", "letters"),
    ]));
    let found = dead_letter(streams);
    assert_eq!((found.family, found.route), (Family::KafkaStreams, None));
}

#[test]
fn other_families_are_read() {
    let connect = headers(&[
        ("own", "1"),
        ("__connect.errors.topic", "orders"),
        ("__connect.errors.partition", "3"),
        ("__connect.errors.offset", "1042"),
        ("__connect.errors.connector.name", "sink"),
        ("__connect.errors.task.id", "0"),
        ("__connect.errors.stage", "VALUE_CONVERTER"),
        ("__connect.errors.class.name", "io.confluent.AvroConverter"),
        (
            "__connect.errors.exception.class.name",
            "org.apache.kafka.connect.errors.DataException",
        ),
        ("__connect.errors.exception.message", "no schema"),
        ("__connect.errors.exception.stacktrace", "at x"),
    ]);
    let streams = headers(&[
        ("own", "1"),
        ("__streams.errors.exception", "a.B"),
        ("__streams.errors.stacktrace", "at x"),
        ("__streams.errors.message", "cannot read"),
        ("__streams.errors.topic", "orders"),
        ("__streams.errors.partition", "3"),
        ("__streams.errors.offset", "1042"),
    ]);
    let share = headers(&[
        ("own", "1"),
        ("__dlq.errors.topic", "orders"),
        ("__dlq.errors.partition", "3"),
        ("__dlq.errors.offset", "1042"),
        ("__dlq.errors.group", "g"),
        ("__dlq.errors.delivery.count", "5"),
        ("__dlq.errors.message", "Offset rejected by client."),
    ]);
    for (family, headers, cause, reason) in [
        (
            Family::KafkaConnect,
            connect,
            "org.apache.kafka.connect.errors.DataException",
            "no schema",
        ),
        (Family::KafkaStreams, streams, "a.B", "cannot read"),
        (
            Family::ShareGroup,
            share.clone(),
            "share-group",
            "Offset rejected by client.",
        ),
    ] {
        let found = dead_letter(message("letters", headers));
        assert_eq!(found.family, family);
        assert_eq!(found.origin.unwrap().to_string(), "orders/3@1042");
        assert_eq!(
            (found.cause.as_str(), found.reason.as_str()),
            (cause, reason)
        );
        assert_eq!((found.route, found.run), (None, None));
        assert_eq!(
            found.record.unwrap().headers,
            self::headers(&[("own", "1")])
        );
    }
    // A share group that does not copy records.
    let mut empty = message("letters", share);
    (empty.key, empty.value) = (None, None);
    assert!(dead_letter(empty).record.is_none());
}

#[test]
fn another_version_is_named() {
    let [mut letter, enveloped] = letters(Vec::new());
    for (_, value) in letter
        .headers
        .iter_mut()
        .filter(|(name, _)| name == "frontdoor.version")
    {
        *value = Some("7".into());
    }
    let expected = "a dead letter of version 7: this program reads version 1";
    assert_eq!(error(letter), expected);
    let text = String::from_utf8(enveloped.value.unwrap().to_vec()).unwrap();
    let text = text.replace("\"version\":1", "\"version\":7");
    assert_eq!(error(with_value(text)), expected);
    assert_eq!(
        error(message(
            "letters",
            headers(&[("frontdoor.cause", "refused")])
        )),
        "a dead letter of version : this program reads version 1"
    );
}

#[test]
fn a_discard_names_the_dead_letter_and_the_reason() {
    let discard = Discard {
        partition: 2,
        offset: 41,
        reason: "a \"test\" record".to_owned(),
    };
    let mut with_headers = message("letters", written(&discard.headers()));
    with_headers.value = None;
    for stored in [with_headers, with_value(discard.envelope())] {
        match StoredRecord::parse(stored) {
            Ok(StoredRecord::Discard(found)) => assert_eq!(found, discard),
            other => panic!("{other:?}"),
        }
    }
    for at in ["", "x", "letters/0@1", "0@-1"] {
        let text = format!(r#"{{"version":1,"discarded":"{at}"}}"#);
        assert!(error(with_value(text)).contains("PARTITION@OFFSET"));
    }
}

#[test]
fn hostile_records_are_no_dead_letters() {
    let deep = "[".repeat(100_000);
    let texts = [
        "",
        "{",
        "{}",
        "[1]",
        "\u{0}",
        "null",
        r#"{"version":1}"#,
        r#"{"cause":"x"}"#,
        deep.as_str(),
    ];
    for text in texts {
        let found = error(with_value(text.to_owned()));
        assert!(found.starts_with("not a dead letter"), "{text:?}: {found}");
    }
    for text in [
        r#"{"version":1,"cause":7}"#,
        r#"{"version":1,"cause":"x","reason":"y","topic":"t","partition":"0","offset":1}"#,
        r#"{"version":1,"cause":"x","reason":"y","topic":"t","partition":0,"offset":1,"value":"%"}"#,
        r#"{"version":1,"cause":"x","reason":"y","topic":"t","partition":0,"offset":1,"headers":[["a"]]}"#,
    ] {
        let found = error(with_value(text));
        assert!(
            found.starts_with("a malformed dead letter"),
            "{text:?}: {found}"
        );
    }
    // Coordinates that are none, values that are no text, and headers without values.
    let odd = message(
        "letters",
        vec![
            ("__connect.errors.topic".to_owned(), Some("../x".into())),
            ("__connect.errors.partition".to_owned(), Some("-1".into())),
            ("__connect.errors.offset".to_owned(), None),
            (
                "__connect.errors.exception.message".to_owned(),
                Some(Bytes::from_static(&[0xff, 0])),
            ),
            (
                "__connect.errors.exception.class.name".to_owned(),
                Some("x".repeat(100_000).into()),
            ),
        ],
    );
    let found = dead_letter(odd);
    assert_eq!(found.origin, None);
    assert_eq!(found.cause.len(), MAX_CAUSE);
    assert_eq!(found.reason, "\u{fffd}\u{0}");
    let huge = r#"{"version":1,"cause":"x","reason":"y","topic":"","partition":-1,"offset":1}"#;
    assert_eq!(dead_letter(with_value(huge)).origin, None);
}

proptest! {
    #[test]
    fn any_record_is_parsed_without_a_panic(
        names in proptest::collection::vec("(frontdoor|__connect.errors|__streams.errors|__dlq.errors|)\\.(version|cause|discarded|topic|partition|offset|message|exception)", 0..8),
        values in proptest::collection::vec(proptest::option::of("(1|0@7|-1|[a-z]{0,4}|\\PC{0,4})"), 8),
        value in proptest::option::of("\\PC{0,40}"),
    ) {
        let headers = names.into_iter().zip(values);
        let headers = headers.map(|(name, value)| (name, value.map(Bytes::from)));
        let mut stored = message("letters", headers.collect());
        stored.value = value.map(Bytes::from);
        let _ = StoredRecord::parse(stored);
    }

    #[test]
    fn the_record_of_a_dead_letter_is_unchanged(
        names in proptest::collection::vec("[a-z._-]{1,12}", 0..6),
        value in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let own: Vec<_> = names
            .into_iter()
            .map(|name| (name, Some(Bytes::from(value.clone()))))
            .collect();
        for letter in letters(own.clone()) {
            let record = dead_letter(letter).record.unwrap();
            prop_assert_eq!(&record.headers[..own.len()], &own[..]);
            prop_assert!(record.headers.len() <= own.len() + 1);
        }
    }
}
