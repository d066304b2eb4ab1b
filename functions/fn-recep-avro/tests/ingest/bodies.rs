//! Bodies of every kind: valid ones are stored unchanged, damaged ones are rejected.

use std::io::Write;

use tempfile::NamedTempFile;
use testkit::agent::{Agent, Call};

use super::avro_bytes::{Codec, bytes, container, long, paul, user};
use super::fixture::{Fixture, expect_status, values};

fn schema(json: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(json.as_bytes()).unwrap();
    file
}

async fn with_schema(fixture: &Fixture, file: &NamedTempFile) -> Agent {
    fixture
        .function_with(&[("AVRO_SCHEMA", file.path().to_str().unwrap())])
        .await
}

#[tokio::test]
async fn stores_every_byte_value_unchanged() {
    let fixture = Fixture::new();
    let file =
        schema(r#"{"type":"record","name":"Blob","fields":[{"name":"blob","type":"bytes"}]}"#);
    let mut function = with_schema(&fixture, &file).await;
    let every: Vec<u8> = (0..=255).collect();
    let mut sent = vec![
        bytes(&every),
        bytes(&every.repeat(1000)),
        bytes(b""),
        bytes(b"\0"),
        bytes(b"\n"),
        bytes(b"\\"),
        bytes(br"\x41\n\0"),
        bytes(b"\r\n\r\n"),
        bytes(&[0xff; 3]),
    ];
    for byte in 0..=255 {
        sent.push(bytes(&[byte]));
    }
    for datum in &sent {
        expect_status(&mut function, datum.clone(), 202).await;
    }
    sent.sort();
    assert_eq!(values(&fixture.stored()), sent);
    // A schema without the default key field makes messages without a key.
    assert!(fixture.stored().iter().all(|message| message.key.is_none()));
}

#[tokio::test]
async fn rejects_a_datum_truncated_anywhere() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let whole = paul();
    for length in 0..whole.len() {
        let reply = function
            .call(Call::direct(whole[..length].to_vec()))
            .await
            .unwrap();
        let expected = if length == 0 { 400 } else { 422 };
        assert_eq!(reply.status, expected, "truncated to {length}");
    }
    for extra in 0..=255 {
        let reply = function
            .call(Call::direct([&whole[..], &[extra]].concat()))
            .await
            .unwrap();
        assert_eq!(reply.status, 422, "extra byte {extra}");
    }
    assert_eq!(fixture.stored().len(), 0);
}

#[tokio::test]
async fn rejects_a_container_truncated_anywhere() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for codec in [Codec::Null, Codec::Deflate] {
        let first = [user(1, "a", "b"), user(2, "c", "d")];
        let whole = container(codec, &[&first, &[user(3, "e", "f")]]);
        // A file that is truncated at the end of a block is a valid file with fewer blocks.
        let ends = [
            container(codec, &[]).len(),
            container(codec, &[&first]).len(),
        ];
        for length in (1..whole.len()).filter(|length| !ends.contains(length)) {
            let reply = function
                .call(Call::direct(whole[..length].to_vec()))
                .await
                .unwrap();
            assert_eq!(reply.status, 422, "truncated to {length}");
        }
    }
    assert_eq!(fixture.stored().len(), 0);
}

#[tokio::test]
async fn stores_all_or_no_records_of_a_container_with_one_flipped_bit() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let whole = container(Codec::Deflate, &[&[user(1, "a", "b"), user(2, "c", "d")]]);
    let mut accepted = 0;
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1 << (position % 8);
        let reply = function.call(Call::direct(damaged)).await.unwrap();
        assert!(
            [202, 413, 422].contains(&reply.status),
            "{position}: {}",
            reply.status
        );
        if reply.status == 202 {
            accepted += reply.json().unwrap().as_array().map_or(1, Vec::len);
        }
    }
    assert_eq!(fixture.stored().len(), accepted);
    assert!(function.is_running());
}

#[tokio::test]
async fn hostile_lengths_counts_and_nesting_use_little_memory() {
    let fixture = Fixture::new();
    let file = schema(
        r#"{"type":"record","name":"Node","fields":[
            {"name":"next","type":["null","Node"]},
            {"name":"nulls","type":{"type":"array","items":"null"}},
            {"name":"names","type":{"type":"map","values":{"type":"array","items":"string"}}}]}"#,
    );
    let mut function = with_schema(&fixture, &file).await;
    let before = function.resident_memory().unwrap();
    let huge = [
        long(i64::MAX),
        long(i64::MIN),
        long(1 << 40),
        long(-1),
        long(900_000_000),
    ];
    let mut hostile: Vec<Vec<u8>> = huge
        .iter()
        .flat_map(|count| {
            [
                [&[0][..], count].concat(),
                [&[0][..], count, &[0, 0]].concat(),
                [&[0, 0][..], count].concat(),
                [&[0, 0, 2][..], count].concat(),
                [&[0, 0, 2, 2, b'k'][..], count].concat(),
                [&[0][..], &long(-8_000_000), count, &[0, 0]].concat(),
            ]
        })
        .collect();
    // Two million records deep.
    hostile.push(vec![2; 2_000_000]);
    hostile.push(vec![0x80; 100]);
    hostile.push(vec![0xff; 100]);
    for datum in hostile {
        let reply = function.call(Call::direct(datum.clone())).await.unwrap();
        assert_eq!(reply.status, 422, "{:?}", &datum[..datum.len().min(20)]);
    }
    let grown = function.resident_memory().unwrap().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more than before");
    assert_eq!(fixture.stored().len(), 0);
    // A valid datum, three records deep.
    let valid = vec![2, 2, 0, 0, 0, 0, 0, 0, 0];
    expect_status(&mut function, valid, 202).await;
}

#[tokio::test]
async fn a_problem_names_reason_offset_field_and_record() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let mut bad = user(7, "n", "");
    bad.pop();
    bad.extend(b"\x02\xff");
    let reply = function
        .call(Call::direct(bad.clone()))
        .await
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(
        (&reply["path"], &reply["offset"]),
        (&"email".into(), &4.into()),
        "{reply}"
    );
    assert!(
        reply["detail"].as_str().unwrap().contains("email"),
        "{reply}"
    );
    assert!(!reply["reason"].as_str().unwrap().is_empty());
    let file = container(
        Codec::Null,
        &[&[user(1, "a", "b")], &[user(2, "a", "b"), bad]],
    );
    let reply = function
        .call(Call::direct(file))
        .await
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(
        (&reply["block"], &reply["path"]),
        (&2.into(), &"email".into()),
        "{reply}"
    );
    let json = Call::direct(r#"{"id": 1010}"#);
    let reply = function.call(json).await.unwrap().json().unwrap();
    assert!(
        reply["detail"].as_str().unwrap().contains("JSON"),
        "{reply}"
    );
}
