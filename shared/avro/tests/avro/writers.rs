//! Container files written by other libraries: see `files/README.md`.

use avro::container;
use avro::{DecodeError, Framing, Limits, Schema, decode};
use serde_json::{Value, json};

use crate::schemas::{USER, schema};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("files/writers/", $name, ".avro")).as_slice(),
        )
    };
}

const ORDERS: [(&str, &[u8]); 21] = [
    file!("null-avro-java-1.12.2"),
    file!("null-avro-python-1.12.2"),
    file!("null-fastavro-1.13.1"),
    file!("null-hamba-avro-go-2.31.0"),
    file!("deflate-avro-java-1.12.2"),
    file!("deflate-avro-python-1.12.2"),
    file!("deflate-fastavro-1.13.1"),
    file!("deflate-hamba-avro-go-2.31.0"),
    file!("snappy-avro-java-1.12.2"),
    file!("snappy-avro-python-1.12.2"),
    file!("snappy-fastavro-1.13.1"),
    file!("snappy-hamba-avro-go-2.31.0"),
    file!("zstandard-avro-java-1.12.2"),
    file!("zstandard-avro-python-1.12.2"),
    file!("zstandard-fastavro-1.13.1"),
    file!("zstandard-hamba-avro-go-2.31.0"),
    file!("bzip2-avro-java-1.12.2"),
    file!("bzip2-avro-python-1.12.2"),
    file!("bzip2-fastavro-1.13.1"),
    file!("xz-avro-java-1.12.2"),
    file!("xz-fastavro-1.13.1"),
];

const USERS: [(&str, &[u8]); 2] = [
    file!("zstandard-checksum-avro-java-1.12.0"),
    file!("zstandard-level-22-avro-java-1.12.0"),
];

fn read(schema: &Schema, file: &[u8]) -> Result<Value, DecodeError> {
    let data = decode(schema, file, Framing::of(file), &Limits::default())?;
    Ok(data.iter().map(|d| schema.to_json(d).unwrap()).collect())
}

fn orders() -> Value {
    serde_json::from_str(include_str!("files/orders.json")).unwrap()
}

#[test]
fn reads_every_codec_of_every_writer() {
    let configured = schema(include_str!("files/generate/order.avsc"));
    // Read with the writer's schema as well, because some writers change its text.
    for (name, file) in ORDERS {
        let header = container::header(file).unwrap();
        let written = Schema::parse_writer(header.schema).unwrap();
        assert_eq!(written.fingerprint(), configured.fingerprint(), "{name}");
        for schema in [&configured, &written] {
            assert_eq!(read(schema, file), Ok(orders()), "{name}");
        }
    }
    let users = json!([
        {"id": 1010, "name": "John", "email": "john@example.com"},
        {"id": 1020, "name": "Ann", "email": "ann@example.com"}
    ]);
    for (name, file) in USERS {
        assert_eq!(read(&schema(USER), file), Ok(users.clone()), "{name}");
    }
}

#[test]
fn resolves_the_records_of_every_writer() {
    let reader = schema(
        r#"{"type":"record","name":"Purchase","aliases":["shop.Order"],"fields":[
            {"name":"any","type":["string","null","double"]},
            {"name":"number","type":"double","aliases":["id"]},
            {"name":"source","type":"string","default":"web"}]}"#,
    );
    let expected = json!([
        {"any": -7.0, "number": 1010.0, "source": "web"},
        {"any": "z", "number": -1.0, "source": "web"}
    ]);
    for (name, file) in ORDERS {
        assert_eq!(read(&reader, file), Ok(expected.clone()), "{name}");
    }
}
