//! Records with a schema fingerprint header.

use avro::{FINGERPRINT_HEADER, Schema};
use runtime::text::hex;
use serde_json::json;
use testkit::records;
use testkit::topics::{NewRecord, Topics};

use super::{Run, Stage, TOPIC, bodies, user};

const WRITER: &str = include_str!("../../../../schemas/user.avsc");
/// A datum of the writer schema is too short for this schema.
const FIELD_AT_END: &str = include_str!("schemas/field-at-end.avsc");
/// A datum of the writer schema is valid for this schema, but the values are assigned to other fields.
const FIELD_IN_THE_MIDDLE: &str = include_str!("schemas/field-in-the-middle.avsc");

fn fingerprint(schema: &str) -> String {
    hex(&Schema::parse(schema).unwrap().fingerprint())
}

fn with_header(value: Vec<u8>, header: Option<&[u8]>) -> NewRecord {
    NewRecord {
        headers: vec![
            ("content-type".to_owned(), Some(b"avro/binary".to_vec())),
            (FINGERPRINT_HEADER.to_owned(), header.map(<[u8]>::to_vec)),
        ],
        ..NewRecord::to(0, value)
    }
}

fn write(stage: &Stage, records: &[NewRecord]) {
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, records).unwrap();
}

fn run(stage: &Stage, schema: &str, arguments: &[&str]) -> Run {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), schema).unwrap();
    let mut command = stage.forward(arguments);
    Run::from_output(&command.env("AVRO_SCHEMA", file.path()).output().unwrap())
}

#[test]
fn a_record_of_another_schema_is_dead_lettered_and_not_decoded() {
    for schema in [FIELD_AT_END, FIELD_IN_THE_MIDDLE] {
        let stage = Stage::accepting();
        let (own, other) = (fingerprint(schema), fingerprint(WRITER));
        let datum = user(1010, "Paul");
        write(
            &stage,
            &[with_header(datum.clone(), Some(other.as_bytes()))],
        );
        let run = run(&stage, schema, &[]);
        run.assert(
            10,
            &json!({"planned": 1, "delivered": 0, "dead_lettered": 1}),
        );
        assert_eq!(stage.a.count() + stage.b.count(), 0);
        let dead_letters =
            records::all(stage.broker.bootstrap(), "FrontDoorTopic-dead-letter").unwrap();
        let dead_letter = &dead_letters[0];
        assert_eq!(dead_letter.value.as_ref(), Some(&datum));
        assert_eq!(
            dead_letter.header(FINGERPRINT_HEADER).as_ref(),
            Some(&other)
        );
        let header = |name| dead_letter.header(name).unwrap();
        assert_eq!(header("frontdoor.cause"), "unknown-schema");
        assert_eq!(
            header("__connect.errors.class.name"),
            "frontdoor.unknown-schema"
        );
        assert_eq!(header("__connect.errors.stage"), "VALUE_CONVERTER");
        let reason = header("__connect.errors.exception.message");
        assert!(reason.contains(&own) && reason.contains(&other), "{reason}");
    }
}

#[test]
fn a_record_of_the_same_schema_or_without_the_header_is_delivered() {
    let stage = Stage::accepting();
    let fingerprint = fingerprint(WRITER);
    let records = [
        with_header(user(1010, "lower"), Some(fingerprint.as_bytes())),
        with_header(
            user(1010, "upper"),
            Some(fingerprint.to_uppercase().as_bytes()),
        ),
        NewRecord::to(0, user(1010, "none")),
    ];
    write(&stage, &records);
    stage
        .run(&[])
        .assert(0, &json!({"planned": 3, "delivered": 3}));
    assert_eq!(bodies(&stage.a).len(), 3);
}

#[test]
fn a_header_that_is_not_this_schemas_fingerprint_is_an_unknown_schema() {
    let stage = Stage::accepting();
    let fingerprint = fingerprint(WRITER);
    let mut twice = with_header(user(1010, "twice"), Some(fingerprint.as_bytes()));
    twice.headers.push((
        FINGERPRINT_HEADER.to_owned(),
        Some(b"0000000000000000".to_vec()),
    ));
    let mut records = vec![twice];
    for value in [
        None,
        Some(&b""[..]),
        Some(b"User"),
        Some(b"\xff\xfe"),
        Some(&[b'a'; 100_000]),
    ] {
        records.push(with_header(user(1010, "other"), value));
    }
    write(&stage, &records);
    stage.run(&[]).assert(
        10,
        &json!({"planned": 6, "delivered": 0, "dead_lettered": 6}),
    );
    for dead_letter in records::all(stage.broker.bootstrap(), "FrontDoorTopic-dead-letter").unwrap()
    {
        assert_eq!(
            dead_letter.header("frontdoor.cause").as_deref(),
            Some("unknown-schema")
        );
    }
}

/// `AVRO_SCHEMAS` has the older versions: a directory.
#[test]
fn a_record_of_a_further_schema_is_resolved() {
    let stage = Stage::accepting();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("user.avsc"), WRITER).unwrap();
    let reader = WRITER.replace(
        r#"{"name": "name", "type": "string"},"#,
        r#"{"name": "name", "type": "string"}, {"name": "age", "type": "int", "default": 7},"#,
    );
    let written = fingerprint(WRITER);
    write(
        &stage,
        &[with_header(user(1010, "Paul"), Some(written.as_bytes()))],
    );
    let folder = folder.path().to_str().unwrap().to_owned();
    let run = run(&stage, &reader, &["--avro-schemas", &folder]);
    run.assert(0, &json!({"planned": 1, "delivered": 1}));
    let delivered = Schema::parse(&reader)
        .unwrap()
        .to_json(&bodies(&stage.a)[0]);
    assert_eq!(delivered.unwrap()["age"], 7);
}

#[test]
fn a_dry_run_reports_records_of_another_schema_and_does_not_route_them() {
    let stage = Stage::accepting();
    let other = fingerprint(WRITER);
    write(
        &stage,
        &[with_header(user(1010, "Paul"), Some(other.as_bytes()))],
    );
    let run = run(&stage, FIELD_IN_THE_MIDDLE, &["--dry-run"]);
    run.assert(
        10,
        &json!({"planned": 1, "dead_lettered": 1, "deferred": 0}),
    );
    assert_eq!(run.report["routes"][0]["matched"], 0, "{:#}", run.report);
    assert!(
        run.log.contains("unknown-schema") && run.log.contains(&other),
        "{}",
        run.log
    );
}

#[test]
fn a_tombstone_has_no_schema() {
    let stage = Stage::accepting();
    let mut tombstone = with_header(Vec::new(), Some(b"0000000000000000"));
    tombstone.value = None;
    write(&stage, &[tombstone]);
    stage
        .run(&[])
        .assert(0, &json!({"planned": 1, "skipped": 1, "dead_lettered": 0}));
}
