//! Hostile datums and schemas: each is rejected quickly and with little memory.

use std::fmt::Write;

use avro::container;
use avro::{DecodeError, Framing, Limits, MAX_DEPTH, Schema, decode};
use serde_json::json;

use crate::memory::within;
use crate::schemas::{LIST, USER, WIDE, schema};

pub(crate) const MIB: usize = 1 << 20;
pub(crate) const SYNC: [u8; 16] = [7; 16];

pub(crate) fn long(value: i64) -> Vec<u8> {
    schema("\"long\"").from_json(&json!(value)).unwrap()
}

fn rejected(schema: &Schema, datum: &[u8]) -> String {
    let projection = schema.projection(&[]).unwrap();
    within(MIB, || {
        let fault = schema.validate(datum).unwrap_err();
        assert!(schema.to_json(datum).is_err());
        assert_eq!(projection.read(datum, &mut Vec::new()), Err(fault.clone()));
        fault.reason
    })
}

#[test]
fn a_length_of_500_mib_allocates_nothing() {
    let mut datum = vec![2];
    datum.extend(long(500 << 20));
    datum.extend(b"abcd");
    assert_eq!(
        rejected(&schema(USER), &datum),
        "the datum ends inside a string of 524288000 bytes"
    );
    for length in [i64::MAX, i64::MIN, -1] {
        let bytes = schema("\"bytes\"");
        rejected(&bytes, &long(length));
    }
}

#[test]
fn limits_zero_length_items() {
    let nulls = schema(r#"{"type":"array","items":"null"}"#);
    for count in [8_000_000, 900_000_000, i64::MAX] {
        let mut datum = long(count);
        datum.push(0);
        assert_eq!(
            rejected(&nulls, &datum),
            "more than 65536 zero-length items"
        );
    }
    let mut allowed = long(65_536);
    allowed.push(0);
    assert_eq!(nulls.validate(&allowed), Ok(()));
    let mut more = long(65_536);
    more.extend([2, 0]);
    rejected(&nulls, &more);

    // The limit applies to all arrays together.
    let nested = schema(r#"{"type":"array","items":{"type":"array","items":"null"}}"#);
    for each in [8_000_000, 60_000] {
        let mut datum = long(60);
        for _ in 0..60 {
            datum.extend(long(each));
            datum.push(0);
        }
        datum.push(0);
        rejected(&nested, &datum);
    }
    let empty = schema(
        r#"{"type":"array","items":{"type":"record","name":"E","fields":[
        {"name":"f","type":{"type":"fixed","name":"F","size":0}},{"name":"n","type":"null"}]}}"#,
    );
    rejected(&empty, &[long(i64::MAX), vec![0]].concat());
}

#[test]
fn rejects_blocks_with_more_items_than_fit_into_the_remaining_bytes() {
    let lines = schema(
        r#"{"type":"array","items":{"type":"record","name":"L","fields":[
        {"name":"a","type":"double"},{"name":"b","type":"string"}]}}"#,
    );
    let mut datum = long(3);
    datum.extend([0; 26]);
    assert_eq!(
        rejected(&lines, &datum),
        "a block of 3 items does not fit into the remaining 26 bytes"
    );
    for count in [1 << 40, i64::MAX, i64::MIN, -(1 << 40)] {
        rejected(&lines, &[long(count), long(20), vec![0; 40]].concat());
    }
    let map = schema(r#"{"type":"map","values":"null"}"#);
    rejected(&map, &[long(1 << 30), vec![0; 40]].concat());
}

#[test]
fn rejects_nesting_beyond_the_limit() {
    let list = schema(LIST);
    let nested = |depth: usize| [[0, 2].repeat(depth), vec![0, 0]].concat();
    assert_eq!(list.validate(&nested(50)), Ok(()));
    assert_eq!(list.validate(&nested(MAX_DEPTH - 1)), Ok(()));
    assert!(list.to_json(&nested(MAX_DEPTH - 1)).is_ok());
    for depth in [MAX_DEPTH, 2_000, 1_000_000] {
        // The path to the fault is no longer than the limit.
        let reason = rejected(&list, &nested(depth));
        assert_eq!(reason, "nested deeper than 256");
    }
    let tree = schema(
        r#"{"type":"record","name":"T","fields":[{"name":"c","type":{"type":"array","items":"T"}}]}"#,
    );
    assert_eq!(rejected(&tree, &[2; 100_000]), "nested deeper than 256");
}

#[test]
fn rejects_values_out_of_range() {
    assert_eq!(
        rejected(&schema("\"boolean\""), &[2]),
        "a boolean is 0 or 1, not 2"
    );
    let over = [&[0x80; 9][..], &[2]].concat();
    assert_eq!(
        rejected(&schema("\"long\""), &over),
        "a long is encoded in too many bytes"
    );
    // Truncated to 32 bits it would be 1010.
    assert_eq!(
        rejected(&schema("\"int\""), &long((1 << 32) + 1010)),
        "4294968306 does not fit an int of 32 bits"
    );
    let mut text = vec![2, 4];
    text.extend([0xc3, 0x28, 0]);
    assert_eq!(rejected(&schema(USER), &text), "text is not UTF-8");
    let map = schema(r#"{"type":"map","values":"int"}"#);
    assert_eq!(rejected(&map, &[2, 2, 0xff, 0, 0]), "text is not UTF-8");
    // Surrogates and overlong forms are not UTF-8.
    let string = schema("\"string\"");
    rejected(&string, &[6, 0xed, 0xa0, 0x80]);
    rejected(&string, &[4, 0xc0, 0x80]);
}

#[test]
fn rejects_blocks_with_a_wrong_size() {
    let ints = schema(r#"{"type":"array","items":"int"}"#);
    assert_eq!(ints.validate(&[3, 4, 2, 4, 0]), Ok(()));
    for size in [2, 6, 7, 1, 0x80] {
        rejected(&ints, &[3, size, 2, 4, 0]);
    }
    // Empty blocks that state a size of 1 and of 0.
    let nulls = schema(r#"{"type":"array","items":"null"}"#);
    assert_eq!(nulls.validate(&[3, 0, 0]), Ok(()));
    rejected(&nulls, &[3, 2, 0, 0]);
}

#[test]
fn does_not_validate_logical_types() {
    let uuid = schema(r#"{"type":"string","logicalType":"uuid"}"#);
    assert_eq!(uuid.validate(b"\x06xyz"), Ok(()));
    let decimal = schema(r#"{"type":"bytes","logicalType":"decimal","precision":60,"scale":2}"#);
    assert_eq!(decimal.validate(&[&[40][..], &[1; 20]].concat()), Ok(()));
}

#[test]
fn rejects_invalid_schemas() {
    let record = |fields: &str| format!(r#"{{"type":"record","name":"A","fields":[{fields}]}}"#);
    for (text, reason) in [
        (
            record(r#"{"name":"a","type":"A"}"#),
            "the record A contains itself directly, so that it has no finite datum",
        ),
        (
            record(
                r#"{"name":"u","type":["null",{"type":"record","name":"B","fields":[{"name":"c","type":"A"}]}]},
                   {"name":"d","type":"B"}"#,
            ),
            "the record A contains itself directly, so that it has no finite datum",
        ),
        (
            r#"{"type":"fixed","name":"F","size":1099511627776}"#.to_owned(),
            "the fixed F has 1099511627776 bytes; at most 2147483647 are supported",
        ),
        (
            record(r#"{"name":"a","type":"int"},{"name":"a","type":"int"}"#),
            "the record A has two fields a",
        ),
        (
            r#"["string","string"]"#.to_owned(),
            "a union has two branches string",
        ),
        (
            r#"["null",["string"]]"#.to_owned(),
            "a union contains a union directly",
        ),
        ("[]".to_owned(), "a union has no branches"),
        (
            record(r#"{"name":"a","type":"int","default":"x"}"#),
            "the default of the field a of A does not fit: the value: expected an int",
        ),
        (
            record(r#"{"name":"a","type":{"type":"enum","name":"E","symbols":[]}}"#),
            "the enum E has no symbols",
        ),
        (
            record(r#"{"name":"a","type":{"type":"fixed","name":"A","size":1}}"#),
            "the type A is defined twice",
        ),
        (
            record(r#"{"name":"a","type":{"type":"fixed","name":"int","size":1}}"#),
            "a type cannot have the name int of a primitive type",
        ),
        (
            record(r#"{"name":"a","type":"Unknown"}"#),
            "the type Unknown is not defined",
        ),
        (
            record(r#"{"name":"a","type":{"type":"fixed","name":"F","size":-1}}"#),
            "the size of the fixed F is -1, not a number of bytes",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B","A"]}"#.to_owned(),
            "the enum E has two symbols A",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A",1]}"#.to_owned(),
            "the symbols of the enum E are not a list of strings",
        ),
        (record(r#""a""#), "a field is an object, not \"a\""),
        (
            "1".to_owned(),
            "a type is a name, an object or a list of branches, not 1",
        ),
        ("{}".to_owned(), "a type has no \"type\""),
        ("{".to_owned(), "the schema is not JSON: "),
        ("\u{0}".to_owned(), "the schema is not JSON: "),
        (r#"{"type":"#.repeat(100_000), "the schema is not JSON: "),
        (
            " ".repeat(2 * MIB),
            "the schema has 2097152 bytes; at most 1048576 are supported",
        ),
    ] {
        for parse in [Schema::parse, Schema::parse_writer] {
            match parse(&text) {
                Err(error) => assert!(error.0.starts_with(reason), "{error}"),
                // Defaults in a writer's schema are ignored.
                Ok(_) => assert!(text.contains("default"), "{text}"),
            }
        }
    }
}

/// 25 levels of records with two records each, over a leaf. Expanded, it would have 33 million leaves.
fn exponential_schema(leaf: &str, default: &str) -> String {
    let mut text = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"f0","type":{{"type":"record","name":"L0",
        "fields":[{{"name":"a","type":"{leaf}"{default}}}]}}}}"#
    );
    for level in 1..25 {
        let below = level - 1;
        write!(
            text,
            r#",{{"name":"f{level}","type":{{"type":"record","name":"L{level}","fields":[
            {{"name":"a","type":"L{below}"{inner}}},{{"name":"b","type":"L{below}"{inner}}}]}}{inner}}}"#,
            inner = if default.is_empty() { "" } else { r#","default":{}"# }
        )
        .unwrap();
    }
    text + "]}"
}

#[test]
fn an_exponential_schema_is_compiled_once_for_each_type() {
    let bomb = within(MIB, || schema(&exponential_schema("int", "")));
    rejected(&bomb, &[0; 1_000]);
    // If the leaf is null, the only datum is empty.
    let empty = schema(&exponential_schema("null", ""));
    assert_eq!(empty.validate(&[]), Ok(()));
    // Defaults within defaults: the `apache-avro` crate would resolve 2^25 of them. In a writer's schema they are ignored.
    let text = exponential_schema("int", r#","default":1"#);
    within(4 * MIB, || Schema::parse_writer(&text)).unwrap();
    let narrow = schema(r#"{"type":"record","name":"R","fields":[]}"#);
    let file = container::write(&text, SYNC, &[], &[[0; 5]]);
    let found = within(4 * MIB, || {
        decode(&narrow, &file, Framing::Container, &Limits::default())
            .map(|data| data.len())
            .unwrap_err()
    });
    assert!(matches!(found, DecodeError::Malformed { .. }), "{found}");
}

#[test]
fn a_writers_schema_cannot_make_resolution_slow_or_deep() {
    // Items of one byte with thousands of zero-length fields.
    let nulls: String = (0..2_000)
        .map(|at| format!(r#",{{"name":"n{at}","type":"null"}}"#))
        .collect();
    let text = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"items","type":{{"type":"array","items":
        {{"type":"record","name":"I","fields":[{{"name":"b","type":"boolean"}}{nulls}]}}}}}}]}}"#
    );
    let mut datum = long(100_000);
    datum.extend(vec![1; 100_000]);
    datum.push(0);
    let file = container::write(&text, SYNC, &[], &[datum]);
    let narrow = schema(
        r#"{"type":"record","name":"R","fields":[{"name":"items","type":{"type":"array","items":
        {"type":"record","name":"I","fields":[{"name":"b","type":"boolean"}]}}}]}"#,
    );
    let data = decode(&narrow, &file, Framing::Container, &Limits::default()).unwrap();
    assert_eq!(data.len(), 1);

    // Each item gets a long default. The resolved datum is limited, too.
    let filled = schema(&format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"items","type":{{"type":"array","items":
        {{"type":"record","name":"I","fields":[{{"name":"d","type":"string","default":"{}"}}]}}}}}}]}}"#,
        "x".repeat(1_000)
    ));
    let limits = Limits {
        max_decoded: MIB,
        max_records: 10,
    };
    let found = within(8 * MIB, || {
        decode(&filled, &file, Framing::Container, &limits)
            .map(|data| data.len())
            .unwrap_err()
    });
    assert!(matches!(found, DecodeError::OverLimit { .. }), "{found}");

    // A chain of types with the same unqualified name, resolved to a type that contains itself.
    let mut chain = r#"{"type":"record","name":"n0.List","fields":[]}"#.to_owned();
    for at in 1..20 {
        chain = format!(
            r#"{{"type":"record","name":"n{at}.List","fields":[{{"name":"next","type":["null",{chain}]}}]}}"#
        );
    }
    let list = schema(
        r#"{"type":"record","name":"List","fields":[{"name":"next","type":["null","List"],"default":null}]}"#,
    );
    let empty = Vec::<Vec<u8>>::new();
    let file = container::write(&chain, SYNC, &[], &empty);
    within(8 * MIB, || {
        decode(&list, &file, Framing::Container, &Limits::default()).map(|data| data.len())
    })
    .unwrap();
    let long_chain: String = (1..1_000)
        .map(|at| {
            let below = at - 1;
            format!(
                r#",{{"name":"f{at}","type":{{"type":"record","name":"n{at}.List","fields":[
                {{"name":"next","type":["null","n{below}.List"]}}]}}}}"#
            )
        })
        .collect();
    let text = format!(
        r#"{{"type":"record","name":"List","fields":[{{"name":"f0","type":{{"type":"record",
        "name":"n0.List","fields":[]}}}}{long_chain},{{"name":"next","type":["null","n999.List"]}}]}}"#
    );
    // Planning stops before the chain ends. Only a datum of this nesting is rejected.
    let read = |datum: &[u8]| {
        let file = container::write(&text, SYNC, &[], &[datum]);
        decode(&list, &file, Framing::Container, &Limits::default()).map(|data| data.len())
    };
    assert_eq!(read(&[vec![0; 999], vec![0]].concat()), Ok(1));
    let deep = read(&[vec![0; 999], vec![2; 200], vec![0]].concat()).unwrap_err();
    assert!(
        matches!(
            deep,
            DecodeError::IncompatibleSchema {
                record: Some(1),
                ..
            }
        ),
        "{deep}"
    );
}

#[test]
fn ignores_invalid_attributes_in_a_writers_schema() {
    let text = r#"{"type":"record","name":"User","size":"many","symbols":3,"logicalType":7,"fields":[
        {"name":"id","type":"int","default":{"a":[]},"aliases":"x","order":[]},
        {"name":"name","type":{"type":"string","size":{}}},
        {"name":"email","type":{"type":"string","logicalType":"decimal","precision":-1}}]}"#;
    let datum = schema(USER)
        .from_json(&json!({"id":1,"name":"","email":""}))
        .unwrap();
    let file = container::write(text, SYNC, &[], &[datum]);
    let data = decode(&schema(USER), &file, Framing::Container, &Limits::default()).unwrap();
    assert_eq!(data.len(), 1);
}

#[test]
fn validates_without_allocating() {
    let wide = schema(WIDE);
    let datum = wide.from_json(&crate::schemas::wide()).unwrap();
    let projection = wide.projection(&["address.city", "any"]).unwrap();
    let mut fields = Vec::with_capacity(2);
    wide.validate(&datum).unwrap();
    within(0, || {
        wide.validate(&datum).unwrap();
        projection.read(&datum, &mut fields).unwrap();
    });
    assert_eq!(fields.len(), 2);
}
