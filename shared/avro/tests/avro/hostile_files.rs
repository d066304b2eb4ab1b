//! Container files made to do harm: each is refused, at once and with little memory.

use avro::container::{self, Codec};
use avro::{DecodeError, Framing, Limits, decode};
use serde_json::json;

use crate::hostile::{MIB, SYNC, long};
use crate::memory::within;
use crate::schemas::{USER, schema};

#[test]
fn a_containers_lengths_take_no_memory() {
    let schema = schema(USER);
    let head = container::write(USER, SYNC, &[], &Vec::<Vec<u8>>::new());
    let told = |file: &[u8]| {
        within(MIB, || {
            decode(&schema, file, Framing::Container, &Limits::default())
                .map(|data| data.len())
                .unwrap_err()
                .to_string()
        })
    };
    for count in [1, 1 << 20, i64::MAX] {
        for size in [1 << 20, 1 << 40, i64::MAX, -1, i64::MIN] {
            let told = told(&[head.clone(), long(count), long(size), vec![0; 50]].concat());
            let reason = match size {
                0.. => format!("the file ends inside a block of {size} bytes"),
                _ => format!("a block has the length {size}"),
            };
            assert!(told.starts_with(&format!("block 1: {reason}")), "{told}");
        }
    }
    for count in [1 << 40, i64::MAX, i64::MIN, -(1 << 40)] {
        let told = told(&[b"Obj\x01".to_vec(), long(count), long(1 << 40), vec![0; 50]].concat());
        let reason = match count {
            0.. => format!("a block of {count} items cannot lie in the 56 bytes left"),
            _ => "a block's byte size is not that of its items".to_owned(),
        };
        assert!(told.starts_with(&reason), "{told}");
    }
    let endless = told(&[b"Obj\x01".to_vec(), vec![2; 10_000]].concat());
    let reason = "the file ends where a block count should be";
    assert!(endless.starts_with(reason), "{endless}");
}

#[test]
fn a_bomb_in_any_codec_stops_at_the_bound() {
    let bytes = schema("\"bytes\"");
    let datum = bytes.from_json(&json!("\0".repeat(16 * MIB))).unwrap();
    let limits = Limits {
        max_decoded: MIB,
        max_records: 10,
    };
    for codec in [Codec::Deflate, Codec::Snappy, Codec::Zstandard] {
        let file = container::write_compressed(codec, "\"bytes\"", SYNC, &[], &[&datum]).unwrap();
        assert!(file.len() < MIB);
        let found = within(6 * MIB, || {
            decode(&bytes, &file, Framing::Container, &limits)
                .map(|data| data.len())
                .unwrap_err()
        });
        assert!(
            matches!(found, DecodeError::OverLimit { .. }),
            "{codec:?}: {found}"
        );
    }
}

#[test]
fn a_writers_schema_has_a_short_say_and_no_control_characters() {
    let schema = schema(USER);
    let long = "y".repeat(MIB);
    for writer in [
        json!({"type": "record", "name": "User", "fields": [long]}),
        json!({"type": "record", "name": "User", "fields": [{"name": "a\n\u{1b}[31m", "type": "int"}]}),
        json!({"type": "record", "name": "User", "fields": [{"name": "id", "type": long}]}),
        json!({"type": "enum", "name": "User", "symbols": [long]}),
    ] {
        let file = container::write(&writer.to_string(), SYNC, &[], &Vec::<Vec<u8>>::new());
        let refusal = decode(&schema, &file, Framing::Container, &Limits::default());
        let told = refusal.unwrap_err().to_string();
        assert!(told.chars().count() < 600, "{} characters", told.len());
        assert!(!told.contains(char::is_control), "{told:?}");
    }
}

#[test]
fn a_writers_names_have_a_short_say_in_the_place_of_a_fault() {
    let schema = schema(USER);
    let long = "y".repeat(MIB / 2);
    let writer = json!({"type": "record", "name": "User", "fields": [
        {"name": "id", "type": "int"}, {"name": "name", "type": "string"},
        {"name": "email", "type": "string"}, {"name": long, "type": "string"},
    ]});
    // The datum ends where the name that is too much stands.
    let file = container::write(&writer.to_string(), SYNC, &[], &[[2, 0, 0]]);
    let refusal = decode(&schema, &file, Framing::Container, &Limits::default()).unwrap_err();
    let told = refusal.to_string();
    assert!(told.contains("in field yyy"), "{told:.300}");
    assert!(told.chars().count() < 600, "{} characters", told.len());
}

#[test]
fn many_small_blocks_take_no_more_memory_than_what_is_in_them() {
    let schema = schema(USER);
    let datum = schema
        .from_json(&json!({"id": 1010, "name": "Paul", "email": "p@x"}))
        .unwrap();
    let none = Vec::<Vec<u8>>::new();
    for codec in Codec::ALL {
        let write =
            |data: &[Vec<u8>]| container::write_compressed(codec, USER, SYNC, &[], data).unwrap();
        let head = write(&none);
        let full = write(std::slice::from_ref(&datum))[head.len()..].to_vec();
        // A count of 0, and what the codec makes of nothing.
        let nothing: &[u8] = match codec {
            Codec::Null => &[],
            Codec::Deflate => &[3, 0],
            Codec::Snappy => &[0, 0, 0, 0, 0],
            Codec::Zstandard => &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0],
        };
        let empty = [&[0, 2 * nothing.len() as u8], nothing, &SYNC].concat();
        let limits = Limits::default();
        for (block, records) in [(&full, 5_000), (&empty, 0)] {
            let file = [head.clone(), block.repeat(5_000)].concat();
            let found = within(MIB, || {
                let data = decode(&schema, &file, Framing::Container, &limits).unwrap();
                data.iter().filter(|found| **found == *datum).count()
            });
            assert_eq!(found, records, "{codec:?}");
        }
        let limits = Limits {
            max_records: 100,
            ..limits
        };
        let file = [head, empty.repeat(101)].concat();
        let refusal = decode(&schema, &file, Framing::Container, &limits).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the container holds more than 100 blocks without records"
        );
    }
}
