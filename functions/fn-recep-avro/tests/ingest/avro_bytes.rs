//! Avro encoding for the tests, independent of the code under test.

use std::io::Write;

/// An int or a long: zigzag, then seven bits per byte, lowest first.
pub(crate) fn long(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    let mut out = Vec::new();
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

/// Bytes or a string.
pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    [long(value.len() as i64), value.to_vec()].concat()
}

/// A datum of `schemas/user.avsc`.
pub(crate) fn user(id: i64, name: &str, email: &str) -> Vec<u8> {
    [long(id), bytes(name.as_bytes()), bytes(email.as_bytes())].concat()
}

/// The tutorial's record for API type A.
pub(crate) fn paul() -> Vec<u8> {
    user(1010, "Paul that goes to API type A", "paul@bla.com")
}

const USER: &str = include_str!("../../../../schemas/user.avsc");

/// The codec of a container file.
#[derive(Clone, Copy)]
pub(crate) enum Codec {
    Null,
    Deflate,
}

/// A container file with one block for each list of data.
pub(crate) fn container(codec: Codec, blocks: &[&[Vec<u8>]]) -> Vec<u8> {
    container_of(USER, codec, blocks)
}

/// A container file of users whose record is in this namespace.
pub(crate) fn container_in_namespace(namespace: &str, users: &[Vec<u8>]) -> Vec<u8> {
    let name = format!(r#""name": "{namespace}.User""#);
    container_of(
        &USER.replace(r#""name": "User""#, &name),
        Codec::Null,
        &[users],
    )
}

fn container_of(schema: &str, codec: Codec, blocks: &[&[Vec<u8>]]) -> Vec<u8> {
    let name = match codec {
        Codec::Null => "null",
        Codec::Deflate => "deflate",
    };
    let sync = *b"sixteen bytes...";
    let mut out = b"Obj\x01".to_vec();
    out.extend(long(2));
    out.extend(bytes(b"avro.schema"));
    out.extend(bytes(schema.as_bytes()));
    out.extend(bytes(b"avro.codec"));
    out.extend(bytes(name.as_bytes()));
    out.extend(long(0));
    out.extend(sync);
    for data in blocks {
        let plain = data.concat();
        let block = match codec {
            Codec::Null => plain,
            Codec::Deflate => deflate(&plain),
        };
        out.extend(long(data.len() as i64));
        out.extend(bytes(&block));
        out.extend(sync);
    }
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
