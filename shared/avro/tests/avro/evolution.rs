//! Schema resolution compared with Apache Avro for Java: see `files/README.md`.

use std::collections::BTreeMap;

use avro::{Resolution, Schema};
use serde_json::Value;

/// The pairs of which the result differs from Java's, and why.
const DIFFERENCES: [(&str, &str); 11] = [
    ("array of arrays", BLOCK_SIZE),
    ("array of nothing to union", BLOCK_SIZE),
    (
        "array: incompatible items",
        "Java reads an empty array; here the schemas are incompatible",
    ),
    ("array: promotion", BLOCK_SIZE),
    (
        "bytes that are not UTF-8 to string",
        "Java returns a string that is not UTF-8",
    ),
    (
        "field: an alias that the writer has as another field",
        "Java rejects it, the specification does not define it",
    ),
    ("record to union: record by structure only", RECORD_NAME),
    ("record: an alias of the writer only", RECORD_NAME),
    ("record: another name", RECORD_NAME),
    ("record: nested with another name", RECORD_NAME),
    ("union: record by structure only", RECORD_NAME),
];

/// A fault of Java 1.12.2: the bytes of the writer's items are fewer.
const BLOCK_SIZE: &str = "Java compares a block's count with the size of the reader's items";

/// "Both schemas are records with the same (unqualified) name" (specification 1.12, "Schema Resolution").
const RECORD_NAME: &str = "Java does not compare the names of records";

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn resolve(writer: &Schema, reader: &Value, datum: &[u8]) -> Result<Vec<u8>, String> {
    let reader = Schema::parse(&reader.to_string()).map_err(|error| error.to_string())?;
    let resolution = Resolution::new(writer, &reader).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    match resolution.apply(datum, &mut out, 1_000) {
        Ok(()) => {
            assert_eq!(reader.validate(&out), Ok(()));
            assert!(!resolution.is_identity() || out == datum);
            Ok(out)
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn resolves_as_java_does() {
    let pairs: Vec<Value> =
        serde_json::from_str(include_str!("files/evolution/java.json")).unwrap();
    let mut differences = BTreeMap::new();
    let (mut read, mut rejected) = (0, 0);
    for pair in &pairs {
        let name = pair["name"].as_str().unwrap();
        let writer = Schema::parse_writer(&pair["writer"].to_string()).unwrap();
        let datum = hex(pair["datum"].as_str().unwrap());
        let ours = resolve(&writer, &pair["reader"], &datum);
        let theirs = pair.get("read").map(|read| hex(read.as_str().unwrap()));
        match &theirs {
            Some(_) => read += 1,
            None => rejected += 1,
        }
        if ours.as_ref().ok() != theirs.as_ref() {
            let error = pair.get("error").cloned();
            differences.insert(name, format!("{ours:02x?}, Java: {theirs:02x?} {error:?}"));
        }
    }
    let known: Vec<&str> = DIFFERENCES.iter().map(|(name, _)| *name).collect();
    let found: Vec<&str> = differences.keys().copied().collect();
    assert_eq!(found, known, "{differences:#?}");
    assert!(
        read > 100 && rejected > 80,
        "{read} read, {rejected} rejected"
    );
}
