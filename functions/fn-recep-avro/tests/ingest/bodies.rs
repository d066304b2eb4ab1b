//! Bodies of every kind: all bytes survive, and nothing damaged gets in.

use std::io::Write;

use tempfile::NamedTempFile;
use testkit::agent::{Agent, Call};

use super::sample::{Codec, bytes, container, long, paul, user};
use super::world::{World, values};

fn schema(json: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(json.as_bytes()).unwrap();
    file
}

async fn with_schema(world: &World, file: &NamedTempFile) -> Agent {
    world
        .function_with(&[("AVRO_SCHEMA", file.path().to_str().unwrap())])
        .await
}

#[tokio::test]
async fn every_byte_value_arrives_as_it_was_sent() {
    let world = World::new();
    let file =
        schema(r#"{"type":"record","name":"Blob","fields":[{"name":"blob","type":"bytes"}]}"#);
    let mut function = with_schema(&world, &file).await;
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
        let reply = function.call(Call::direct(datum.clone())).await.unwrap();
        assert_eq!(reply.status, 202, "{reply:?}");
    }
    sent.sort();
    assert_eq!(values(&world.stored()), sent);
    // A schema without the default key field makes messages without a key.
    assert!(world.stored().iter().all(|message| message.key.is_none()));
}

#[tokio::test]
async fn a_datum_cut_anywhere_is_refused() {
    let world = World::new();
    let mut function = world.function().await;
    let whole = paul();
    for length in 0..whole.len() {
        let reply = function
            .call(Call::direct(whole[..length].to_vec()))
            .await
            .unwrap();
        let expected = if length == 0 { 400 } else { 422 };
        assert_eq!(reply.status, expected, "cut at {length}");
    }
    for extra in 0..=255 {
        let reply = function
            .call(Call::direct([&whole[..], &[extra]].concat()))
            .await
            .unwrap();
        assert_eq!(reply.status, 422, "{extra} left over");
    }
    assert_eq!(world.stored().len(), 0);
}

#[tokio::test]
async fn a_container_cut_anywhere_is_refused_whole() {
    let world = World::new();
    let mut function = world.function().await;
    for codec in [Codec::Null, Codec::Deflate] {
        let first = [user(1, "a", "b"), user(2, "c", "d")];
        let whole = container(codec, &[&first, &[user(3, "e", "f")]]);
        // A file that ends right after a block is a file of fewer blocks: there Avro has no way to tell.
        let ends = [
            container(codec, &[]).len(),
            container(codec, &[&first]).len(),
        ];
        for length in (1..whole.len()).filter(|length| !ends.contains(length)) {
            let reply = function
                .call(Call::direct(whole[..length].to_vec()))
                .await
                .unwrap();
            assert_eq!(reply.status, 422, "cut at {length}");
        }
    }
    assert_eq!(world.stored().len(), 0);
}

#[tokio::test]
async fn a_container_with_any_one_bit_flipped_is_taken_whole_or_not_at_all() {
    let world = World::new();
    let mut function = world.function().await;
    let whole = container(Codec::Deflate, &[&[user(1, "a", "b"), user(2, "c", "d")]]);
    let mut taken = 0;
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        let reply = function.call(Call::direct(damaged)).await.unwrap();
        assert!(
            [202, 413, 422].contains(&reply.status),
            "{place}: {}",
            reply.status
        );
        if reply.status == 202 {
            taken += reply.json().unwrap().as_array().map_or(1, Vec::len);
        }
    }
    assert_eq!(world.stored().len(), taken);
    assert!(function.lives());
}

#[tokio::test]
async fn hostile_lengths_counts_and_nesting_cost_neither_memory_nor_time() {
    let world = World::new();
    let file = schema(
        r#"{"type":"record","name":"Node","fields":[
            {"name":"next","type":["null","Node"]},
            {"name":"nothings","type":{"type":"array","items":"null"}},
            {"name":"names","type":{"type":"map","values":{"type":"array","items":"string"}}}]}"#,
    );
    let mut function = with_schema(&world, &file).await;
    let before = function.resident().unwrap();
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
    let grown = function.resident().unwrap().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more than before");
    assert_eq!(world.stored().len(), 0);
    // A sound one, three deep.
    let sound = vec![2, 2, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        function.call(Call::direct(sound)).await.unwrap().status,
        202
    );
}

#[tokio::test]
async fn a_refusal_names_reason_offset_field_and_record() {
    let world = World::new();
    let mut function = world.function().await;
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
