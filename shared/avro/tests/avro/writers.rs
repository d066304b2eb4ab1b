//! Container files written by other libraries: see `files/README.md`.

use avro::{Framing, Limits, decode};

use crate::schemas::{USER, schema};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("files/writers/", $name, ".avro")).as_slice(),
        )
    };
}

const FILES: [(&str, &[u8]); 11] = [
    file!("deflate-avro-java-1.12.0"),
    file!("deflate-avro-python-1.12.2"),
    file!("deflate-fastavro-1.13.1"),
    file!("snappy-avro-java-1.12.0"),
    file!("snappy-avro-python-1.12.2"),
    file!("snappy-fastavro-1.13.1"),
    file!("zstandard-avro-java-1.12.0"),
    file!("zstandard-avro-python-1.12.2"),
    file!("zstandard-checksum-avro-java-1.12.0"),
    file!("zstandard-fastavro-1.13.1"),
    file!("zstandard-level-22-avro-java-1.12.0"),
];

#[test]
fn reads_the_files_of_java_and_python_writers() {
    let schema = schema(USER);
    let records = [
        serde_json::json!({"id": 1010, "name": "John", "email": "john@example.com"}),
        serde_json::json!({"id": 1020, "name": "Ann", "email": "ann@example.com"}),
    ];
    let mut failed = Vec::new();
    for (name, file) in FILES {
        match decode(&schema, file, Framing::of(file), &Limits::default()) {
            Ok(data) => {
                let found: Vec<_> = data.iter().map(|d| schema.to_json(d).unwrap()).collect();
                assert_eq!(found, records, "{name}");
            }
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
