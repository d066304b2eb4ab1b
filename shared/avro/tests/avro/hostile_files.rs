//! Hostile container files: each is rejected quickly and with little memory.

use avro::container::{self, Codec};
use avro::{DecodeError, Framing, Limits, decode};
use serde_json::json;

use crate::hostile_data::{MIB, SYNC, long};
use crate::memory::within;
use crate::schemas::{USER, schema};

#[test]
fn lengths_in_a_container_allocate_nothing() {
    let schema = schema(USER);
    let head = container::write(USER, SYNC, &[], &Vec::<Vec<u8>>::new());
    let message = |file: &[u8]| {
        within(MIB, || {
            decode(&schema, file, Framing::Container, &Limits::default())
                .map(|data| data.len())
                .unwrap_err()
                .to_string()
        })
    };
    for count in [1, 1 << 20, i64::MAX] {
        for size in [1 << 20, 1 << 40, i64::MAX, -1, i64::MIN] {
            let found = message(&[head.clone(), long(count), long(size), vec![0; 50]].concat());
            let reason = match size {
                0.. => format!("the file ends inside a block of {size} bytes"),
                _ => format!("a block has the length {size}"),
            };
            assert!(found.starts_with(&format!("block 1: {reason}")), "{found}");
        }
    }
    for count in [1 << 40, i64::MAX, i64::MIN, -(1 << 40)] {
        let found =
            message(&[b"Obj\x01".to_vec(), long(count), long(1 << 40), vec![0; 50]].concat());
        let reason = match count {
            0.. => format!("a block of {count} items does not fit into the remaining 56 bytes"),
            _ => "a block's stated size is not the size of its items".to_owned(),
        };
        assert!(found.starts_with(&reason), "{found}");
    }
    let endless = message(&[b"Obj\x01".to_vec(), vec![2; 10_000]].concat());
    let reason = "the file ends where a block count should be";
    assert!(endless.starts_with(reason), "{endless}");
}

#[test]
fn decompression_stops_at_the_limit_with_every_codec() {
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
fn errors_quote_a_writers_schema_shortened_and_without_control_characters() {
    let schema = schema(USER);
    let long = "y".repeat(MIB);
    for writer in [
        json!({"type": "record", "name": "User", "fields": [long]}),
        json!({"type": "record", "name": "User", "fields": [{"name": "a\n\u{1b}[31m", "type": "int"}]}),
        json!({"type": "record", "name": "User", "fields": [{"name": "id", "type": long}]}),
        json!({"type": "enum", "name": "User", "symbols": [long]}),
    ] {
        let file = container::write(&writer.to_string(), SYNC, &[], &Vec::<Vec<u8>>::new());
        let result = decode(&schema, &file, Framing::Container, &Limits::default());
        let message = result.unwrap_err().to_string();
        assert!(
            message.chars().count() < 600,
            "{} characters",
            message.len()
        );
        assert!(!message.contains(char::is_control), "{message:?}");
    }
}

#[test]
fn faults_quote_a_writers_names_shortened() {
    let schema = schema(USER);
    let long = "y".repeat(MIB / 2);
    let writer = json!({"type": "record", "name": "User", "fields": [
        {"name": "id", "type": "int"}, {"name": "name", "type": "string"},
        {"name": "email", "type": "string"}, {"name": long, "type": "string"},
    ]});
    // The datum ends before the field with the long name.
    let file = container::write(&writer.to_string(), SYNC, &[], &[[2, 0, 0]]);
    let error = decode(&schema, &file, Framing::Container, &Limits::default()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("in field yyy"), "{message:.300}");
    assert!(
        message.chars().count() < 600,
        "{} characters",
        message.len()
    );
}

#[test]
fn small_blocks_allocate_only_for_their_content() {
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
        // The compressed empty content.
        let compressed: &[u8] = match codec {
            Codec::Null => &[],
            Codec::Deflate => &[3, 0],
            Codec::Bzip2 => b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0",
            Codec::Snappy => &[0, 0, 0, 0, 0],
            Codec::Xz => b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\0\0\0\0\x1c\xdf\x44\x21\x1f\xb6\xf3\x7d\x01\0\0\0\0\x04YZ",
            Codec::Zstandard => &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0],
        };
        let empty = [&[0, 2 * compressed.len() as u8], compressed, &SYNC].concat();
        let limits = Limits::default();
        for (block, records) in [(&full, 5_000), (&empty, 0)] {
            let file = [head.clone(), block.repeat(5_000)].concat();
            // The decoder of bzip2 needs memory for a block of 900 kB.
            let memory = if codec == Codec::Bzip2 { 5 * MIB } else { MIB };
            let found = within(memory, || {
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
        let error = decode(&schema, &file, Framing::Container, &limits).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the container holds more than 100 blocks without records"
        );
    }
}
