//! `Resolution`: when it changes bytes, and why it rejects a datum.

use avro::{Resolution, ResolveFault, Schema};
use serde_json::json;

use crate::schemas::{LIST, USER, WIDE, schema, wide};

fn resolution(writer: &str, reader: &str) -> Resolution {
    Resolution::new(&Schema::parse_writer(writer).unwrap(), &schema(reader)).unwrap()
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

fn apply(resolution: &Resolution, datum: &[u8], max: usize) -> Result<Vec<u8>, ResolveFault> {
    // Earlier content does not matter.
    let mut out = vec![7; 100];
    resolution.apply(datum, &mut out, max).map(|()| out)
}

#[test]
fn an_identity_keeps_the_bytes_of_every_datum() {
    let long = r#"{"name":"a","type":"long"}"#;
    let pairs = [
        (USER.to_owned(), USER.to_owned()),
        (WIDE.to_owned(), WIDE.to_owned()),
        (LIST.to_owned(), LIST.replace("List", "other.List")),
        (record(r#"{"name":"a","type":"int"}"#), record(long)),
        (
            record(r#"{"name":"b","type":"long"}"#),
            record(r#"{"name":"a","type":"long","aliases":["b"]}"#),
        ),
        // Fields whose encoding is empty.
        (
            record(long),
            record(&format!(
                r#"{{"name":"n","type":"null","default":null}},{long}"#
            )),
        ),
        (
            record(&format!(r#"{long},{{"name":"n","type":"null"}}"#)),
            record(long),
        ),
        (
            r#"["null","string"]"#.to_owned(),
            r#"["null","string","int"]"#.to_owned(),
        ),
        (
            r#"{"type":"array","items":["int"]}"#.to_owned(),
            r#"{"type":"array","items":["long"]}"#.to_owned(),
        ),
        ("\"string\"".to_owned(), "\"bytes\"".to_owned()),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B"]}"#.to_owned(),
            r#"{"type":"enum","name":"E","symbols":["A","B","C"]}"#.to_owned(),
        ),
    ];
    for (writer, reader) in pairs {
        assert!(
            resolution(&writer, &reader).is_identity(),
            "{writer} {reader}"
        );
    }
    let datum = schema(WIDE).from_json(&wide()).unwrap();
    let same = resolution(WIDE, &WIDE.replace("\"shop\"", "\"other\""));
    assert_eq!(apply(&same, &datum, datum.len()), Ok(datum));
}

#[test]
fn a_resolution_that_changes_bytes_is_not_an_identity() {
    let a = r#"{"name":"a","type":"long"}"#;
    let b = r#"{"name":"b","type":"long"}"#;
    let pairs = [
        ("\"int\"".to_owned(), "\"double\"".to_owned()),
        ("\"bytes\"".to_owned(), "\"string\"".to_owned()),
        ("\"int\"".to_owned(), "[\"int\"]".to_owned()),
        ("[\"int\"]".to_owned(), "\"int\"".to_owned()),
        (
            r#"["null","string"]"#.to_owned(),
            r#"["string","null"]"#.to_owned(),
        ),
        // The second branch has no counterpart.
        (
            r#"["null","string"]"#.to_owned(),
            r#"["null","int"]"#.to_owned(),
        ),
        (record(&format!("{a},{b}")), record(&format!("{b},{a}"))),
        (record(&format!("{a},{b}")), record(a)),
        (
            record(a),
            record(&format!(r#"{a},{{"name":"b","type":"int","default":1}}"#)),
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B"]}"#.to_owned(),
            r#"{"type":"enum","name":"E","symbols":["B","A"]}"#.to_owned(),
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B"]}"#.to_owned(),
            r#"{"type":"enum","name":"E","symbols":["A"]}"#.to_owned(),
        ),
        (
            LIST.to_owned(),
            LIST.replace(r#""type":"long""#, r#""type":"double""#),
        ),
    ];
    for (writer, reader) in pairs {
        assert!(
            !resolution(&writer, &reader).is_identity(),
            "{writer} {reader}"
        );
    }
}

#[test]
fn rejects_bytes_that_are_not_a_datum_of_the_writers_schema() {
    for reader in ["\"string\"", "[\"string\",\"null\"]"] {
        let resolution = resolution("\"string\"", reader);
        for bytes in [&[][..], &[4, b'a'], &[2, b'a', 0], &[2, 0xff], &[1]] {
            let found = apply(&resolution, bytes, 100);
            assert!(
                matches!(found, Err(ResolveFault::Malformed(_))),
                "{found:?}"
            );
        }
    }
    let users = resolution(USER, &USER.replace("\"int\"", "\"double\""));
    let error = apply(&users, &[2, 8, b'J'], 100).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the datum ends inside a string of 4 bytes at byte 1, in field name"
    );
}

#[test]
fn rejects_values_that_the_readers_schema_does_not_allow() {
    let incompatible = |writer: &str, reader: &str, datum: &[u8]| match apply(
        &resolution(writer, reader),
        datum,
        100,
    ) {
        Err(ResolveFault::Incompatible(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let symbols = |symbols: &str| format!(r#"{{"type":"enum","name":"E","symbols":{symbols}}}"#);
    assert_eq!(
        incompatible(&symbols(r#"["A","B"]"#), &symbols(r#"["A"]"#), &[2]),
        "the configured enum has no symbol for the writer's symbol number 1"
    );
    assert_eq!(
        incompatible(r#"["null","string"]"#, r#"["null","int"]"#, &[2, 2, b'a']),
        "string cannot be read as a union of null, int"
    );
    assert_eq!(
        incompatible("\"bytes\"", "\"string\"", &[2, 0xff]),
        "text is not UTF-8"
    );
}

#[test]
fn limits_the_length_of_the_readers_datum() {
    // 100 items without bytes become 100 strings of nine bytes each.
    let item = |fields: &str| format!(r#"{{"type":"array","items":{}}}"#, record(fields));
    let growing = resolution(
        &item(""),
        &item(r#"{"name":"s","type":"string","default":"12345678"}"#),
    );
    let datum = [0xc8, 1, 0];
    assert_eq!(apply(&growing, &datum, 903).map(|out| out.len()), Ok(903));
    for max in [0, 3, 902] {
        assert_eq!(
            apply(&growing, &datum, max),
            Err(ResolveFault::TooLong { max })
        );
    }
    let same = resolution("\"string\"", "\"string\"");
    assert_eq!(apply(&same, &[2, b'a'], 2), Ok(vec![2, b'a']));
    assert_eq!(
        apply(&same, &[2, b'a'], 1),
        Err(ResolveFault::TooLong { max: 1 })
    );
}

#[test]
fn incompatible_schemas_are_an_error_that_names_the_field_and_the_types() {
    let inner = |kind: &str| {
        record(&format!(
            r#"{{"name":"a","type":{{"type":"record","name":"S","fields":[{{"name":"b","type":{kind}}}]}}}}"#
        ))
    };
    let writer = Schema::parse_writer(&inner("\"int\"")).unwrap();
    let error = Resolution::new(&writer, &schema(&inner("\"string\""))).unwrap_err();
    assert_eq!(error.to_string(), "a: b: int cannot be read as string");
}

#[test]
fn the_resolved_datum_is_a_datum_of_the_reader() {
    let reader = r#"{"type":"record","name":"Wide","namespace":"shop","fields":[
        {"name":"large","type":"double"},{"name":"extra","type":["null","int"],"default":null},
        {"name":"labels","type":{"type":"map","values":["null","double"]}}]}"#;
    let datum = schema(WIDE).from_json(&wide()).unwrap();
    let resolved = apply(&resolution(WIDE, reader), &datum, 1_000).unwrap();
    assert_eq!(
        schema(reader).to_json(&resolved).unwrap(),
        json!({"large": 1_234_567_890_123.0, "extra": null, "labels": {"one": 1.0, "two": 2.0}})
    );
}
