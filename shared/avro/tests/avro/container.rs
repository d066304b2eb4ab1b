//! Container files and the single-object encoding.

use apache_avro::types::Value as Avro;
use apache_avro::{Bzip2Settings, DeflateSettings, Writer, XzSettings, ZstandardSettings};
use avro::container::{self, Codec};
use avro::{DecodeError, Framing, Limits, Schema, decode, single_object};
use serde_json::{Value, json};

use crate::schemas::{USER, WIDE, schema, user, wide};

const SYNC: [u8; 16] = *b"0123456789abcdef";

fn people(count: i32) -> Vec<Value> {
    (0..count)
        .map(|id| json!({"id": id, "name": format!("name {id}"), "email": "x".repeat(id as usize % 50)}))
        .collect()
}

fn encode(schema: &Schema, values: &[Value]) -> Vec<Vec<u8>> {
    values
        .iter()
        .map(|value| schema.from_json(value).unwrap())
        .collect()
}

fn read(schema: &Schema, file: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let data = decode(schema, file, Framing::of(file), &Limits::default())?;
    Ok(data.iter().map(<[u8]>::to_vec).collect())
}

/// A file written by the `apache-avro` crate.
fn written_by_apache(schema: &str, codec: apache_avro::Codec, values: &[Value]) -> Vec<u8> {
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec).unwrap();
    for (index, value) in values.iter().enumerate() {
        let value = Avro::try_from(value.clone()).unwrap();
        let value = value.resolve(&schema).unwrap();
        writer.append_value(value).unwrap();
        if index % 40 == 39 {
            writer.flush().unwrap();
        }
    }
    writer.into_inner().unwrap()
}

#[test]
fn reads_files_of_another_writer_with_every_codec() {
    let schema = schema(USER);
    let people = people(100);
    for codec in [
        apache_avro::Codec::Null,
        apache_avro::Codec::Deflate(DeflateSettings::default()),
        apache_avro::Codec::Bzip2(Bzip2Settings::default()),
        apache_avro::Codec::Snappy,
        apache_avro::Codec::Xz(XzSettings::default()),
        apache_avro::Codec::Zstandard(ZstandardSettings::default()),
    ] {
        let file = written_by_apache(USER, codec, &people);
        assert_eq!(read(&schema, &file), Ok(encode(&schema, &people)));
    }
}

#[test]
fn another_reader_reads_files_with_every_codec() {
    let schema = schema(USER);
    let data = encode(&schema, &people(5_000));
    for codec in Codec::ALL {
        let file = container::write_compressed(codec, USER, SYNC, &[("k", b"v")], &data).unwrap();
        if codec == Codec::Null {
            assert!(file == container::write(USER, SYNC, &[("k", b"v")], &data));
        }
        let reader = apache_avro::Reader::new(&file[..]).unwrap();
        assert_eq!(reader.user_metadata()["k"], b"v");
        let ids: Vec<i32> = reader
            .map(|record| match record.unwrap() {
                Avro::Record(fields) => match fields[0].1 {
                    Avro::Int(id) => id,
                    _ => panic!(),
                },
                _ => panic!(),
            })
            .collect();
        assert!(ids.iter().copied().eq(0..5_000));
        let back = decode(&schema, &file, Framing::Container, &Limits::default()).unwrap();
        assert!(back.iter().eq(data.iter().map(Vec::as_slice)));
        assert_eq!(back.metadata("k"), Some(&b"v"[..]));
        assert_eq!(back.metadata("l"), None);
        assert_eq!(container::header(&file).unwrap().codec, codec);
    }
}

#[test]
fn reads_files_without_records() {
    let file = container::write(USER, SYNC, &[], &Vec::<Vec<u8>>::new());
    assert_eq!(read(&schema(USER), &file), Ok(vec![]));
}

#[test]
fn rejects_truncated_files_except_at_the_end_of_a_block() {
    for codec in Codec::ALL {
        let schema = schema(USER);
        let data = encode(&schema, &people(3));
        let one = container::write_compressed(codec, USER, SYNC, &[], &data).unwrap();
        let header = container::write(USER, SYNC, &[], &Vec::<Vec<u8>>::new()).len()
            + codec.name().len()
            - "null".len();
        let mut file = one.clone();
        file.extend_from_slice(&one[header..]);
        for cut in 0..file.len() {
            let found = decode(
                &schema,
                &file[..cut],
                Framing::Container,
                &Limits::default(),
            );
            if [header, one.len()].contains(&cut) {
                assert_eq!(found.unwrap().len(), if cut == header { 0 } else { 3 });
            } else {
                let error = found.expect_err("truncated").to_string();
                assert!(error.contains("at byte"), "{error}");
            }
        }
        file.push(0);
        assert!(read(&schema, &file).is_err());
    }
}

#[test]
fn flipped_bytes_never_change_the_number_of_records() {
    let schema = schema(USER);
    let data = encode(&schema, &people(4));
    for codec in Codec::ALL {
        let mut file = container::write_compressed(codec, USER, SYNC, &[], &data).unwrap();
        for at in 0..file.len() {
            for bits in [0x01, 0x80, 0xff] {
                file[at] ^= bits;
                let framing = Framing::Container;
                if let Ok(found) = decode(&schema, &file, framing, &Limits::default()) {
                    assert_eq!(found.len(), 4, "{codec:?}: byte {at} flipped by {bits}");
                    for datum in found.iter() {
                        assert_eq!(schema.validate(datum), Ok(()));
                    }
                    if codec == Codec::Snappy {
                        // Because of the checksum, only the text of the header may differ.
                        assert!(found.iter().eq(data.iter().map(Vec::as_slice)));
                    }
                }
                file[at] ^= bits;
            }
        }
    }
}

#[test]
fn faults_name_the_block_record_and_byte() {
    let user_schema = schema(USER);
    let mut data = encode(&user_schema, &people(3));
    data[1] = vec![2, 0xff];
    let file = container::write(USER, SYNC, &[], &data);
    assert_eq!(
        read(&user_schema, &file).unwrap_err().to_string(),
        "block 1, record 2: a string has the length -320 at byte 10, in field name"
    );
}

#[test]
fn faults_in_the_structure_name_the_missing_part() {
    let schema = schema(USER);
    let data = encode(&schema, &people(2));
    let file = container::write(USER, SYNC, &[], &data);
    let empty = container::write(USER, SYNC, &[], &Vec::<Vec<u8>>::new());
    let message = |file: &[u8]| {
        decode(&schema, file, Framing::Container, &Limits::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(b"Obj\x02"),
        "the bytes do not begin with a container file's magic at byte 0"
    );
    assert_eq!(
        message(b"Obj\x01"),
        "the file ends where a block count should be at byte 4"
    );
    let end = file.len() - 1;
    let mut wrong = file.clone();
    wrong[end] ^= 1;
    assert_eq!(
        message(&wrong),
        format!(
            "block 1: the block does not end with the file's sync marker at byte {}",
            end - 15
        )
    );
    let mut more = file.clone();
    more[empty.len()] = 2;
    assert_eq!(
        message(&more),
        format!(
            "block 1: {} bytes follow the block's 1 records at byte {}",
            data[1].len(),
            data[0].len()
        )
    );
    more[empty.len()] = 1;
    assert_eq!(
        message(&more),
        format!(
            "block 1: a block's count of records is -1 at byte {}",
            empty.len()
        )
    );
    let mut other = empty.clone();
    let at = other.windows(4).position(|w| w == b"null").unwrap();
    other[at..at + 4].copy_from_slice(b"lzma");
    assert_eq!(
        decode(&schema, &other, Framing::Container, &Limits::default()).unwrap_err(),
        DecodeError::UnsupportedCodec("lzma".to_owned())
    );
}

#[test]
fn checks_the_limits_before_allocating() {
    let schema = schema(USER);
    let long = vec![json!({"id": 1, "name": "a".repeat(100_000), "email": ""}); 50];
    let data = encode(&schema, &long);
    for codec in Codec::ALL {
        let file = container::write_compressed(codec, USER, SYNC, &[], &data).unwrap();
        let limits = Limits {
            max_decoded: 1_000_000,
            max_records: 100,
        };
        assert_eq!(
            decode(&schema, &file, Framing::Container, &limits).unwrap_err(),
            DecodeError::OverLimit {
                what: "bytes after decompression",
                limit: 1_000_000
            }
        );
        let limits = Limits {
            max_decoded: 10_000_000,
            max_records: 49,
        };
        assert_eq!(
            decode(&schema, &file, Framing::Container, &limits).unwrap_err(),
            DecodeError::OverLimit {
                what: "records",
                limit: 49
            }
        );
    }
    // Zero-length records are limited only by their number.
    let null = crate::schemas::schema("\"null\"");
    let mut file = container::write("\"null\"", SYNC, &[], &[b""]);
    let at = file.len() - 18;
    file.splice(
        at..=at,
        [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    );
    let found = decode(&null, &file, Framing::Container, &Limits::default());
    assert!(
        matches!(found, Err(DecodeError::OverLimit { .. })),
        "{found:?}"
    );
}

#[test]
fn does_not_copy_records_of_a_schema_with_the_same_canonical_form() {
    let writer = r#"{"name":"User","type":"record","doc":"other","aliases":["Person"],"fields":[
        {"name":"id","type":{"type":"int"},"default":3,"order":"ignore"},
        {"name":"name","type":{"type":"string","avro.java.string":"String"}},
        {"name":"email","type":"string"}]}"#;
    let schema = schema(USER);
    let data = encode(&schema, &people(3));
    let file = container::write(writer, SYNC, &[], &data);
    let found = decode(&schema, &file, Framing::Container, &Limits::default()).unwrap();
    assert!(found.iter().eq(data.iter().map(Vec::as_slice)));
    let inside = file.as_ptr_range();
    assert!(found.iter().all(|datum| inside.contains(&datum.as_ptr())));
}

#[test]
fn resolves_records_of_another_schema() {
    let old = r#"{"type":"record","name":"old.User","fields":[
        {"name":"gone","type":["null",{"type":"map","values":{"type":"array","items":"string"}}]},
        {"name":"mail","type":"bytes"},
        {"name":"id","type":["null","int"]},
        {"name":"name","type":"string"},
        {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","PINK"]}},
        {"name":"points","type":{"type":"array","items":"int"}},
        {"name":"none","type":"null"},
        {"name":"scores","type":{"type":"map","values":"float"}}]}"#;
    let new = schema(
        r#"{"type":"record","name":"User","fields":[
        {"name":"id","type":"long"},
        {"name":"name","type":["null","string"],"default":null},
        {"name":"email","aliases":["mail"],"type":"string"},
        {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["BLUE","RED"],"default":"BLUE"}},
        {"name":"none","type":["string","null"]},
        {"name":"points","type":{"type":"array","items":"double"}},
        {"name":"scores","type":{"type":"map","values":"double"}},
        {"name":"country","type":"string","default":"PT"}]}"#,
    );
    let old_schema = schema(old);
    let values = [
        json!({"gone":{"map":{"a":["x","y"]}},"mail":"m","id":7,"name":"n","colour":"RED",
               "points":[1,2],"none":null,"scores":{"s":0.5}}),
        json!({"gone":null,"mail":"","id":8,"name":"","colour":"PINK","points":[],"none":null,"scores":{}}),
    ];
    for codec in Codec::ALL {
        let data = encode(&old_schema, &values);
        let file = container::write_compressed(codec, old, SYNC, &[], &data).unwrap();
        let found = read(&new, &file).unwrap();
        assert_eq!(
            new.to_json(&found[0]).unwrap(),
            json!({"id":7,"name":"n","email":"m","colour":"RED","none":null,"points":[1.0,2.0],
                   "scores":{"s":0.5},"country":"PT"})
        );
        assert_eq!(
            new.to_json(&found[1]).unwrap(),
            json!({"id":8,"name":"","email":"","colour":"BLUE","none":null,"points":[],
                   "scores":{},"country":"PT"})
        );
    }
    // The schemas are compatible, but one record is not.
    let mut incompatible = values[0].clone();
    incompatible["id"] = json!(null);
    let file = container::write(
        old,
        SYNC,
        &[],
        &encode(&old_schema, &[values[1].clone(), incompatible]),
    );
    assert_eq!(
        read(&new, &file).unwrap_err().to_string(),
        "block 1, record 2: the container's schema cannot be resolved to the configured schema: \
         null cannot be read as long"
    );
    // Records are validated with their own schema first.
    let mut data = encode(&old_schema, &values);
    data[1].pop();
    let file = container::write(old, SYNC, &[], &data);
    let error = read(&new, &file).unwrap_err();
    assert!(
        matches!(
            error,
            DecodeError::Malformed {
                record: Some(2),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn rejects_incompatible_schemas_with_the_reason() {
    let schema = schema(USER);
    let rejection = |writer: &str| {
        let file = container::write(writer, SYNC, &[], &Vec::<Vec<u8>>::new());
        match read(&schema, &file).unwrap_err() {
            DecodeError::IncompatibleSchema {
                block: None,
                record: None,
                reason,
            } => reason,
            other => panic!("{other}"),
        }
    };
    let user = |fields: &str| format!(r#"{{"type":"record","name":"User","fields":[{fields}]}}"#);
    assert_eq!(
        rejection(&user(
            r#"{"name":"id","type":"long"},{"name":"name","type":"string"},{"name":"email","type":"string"}"#
        )),
        "id: long cannot be read as int"
    );
    assert_eq!(
        rejection(&user(
            r#"{"name":"id","type":"int"},{"name":"name","type":"string"}"#
        )),
        "email: the writer's schema has no such field, and the configured schema has no default for it"
    );
    assert_eq!(
        rejection(&user("").replace("User", "Person")),
        "the record Person cannot be read as the record User without the alias \"Person\""
    );
    assert_eq!(
        rejection("\"int\""),
        "int cannot be read as the record User"
    );
    assert!(rejection("nonsense").starts_with("the schema is not JSON"));
    assert_eq!(
        rejection(&user(r#"{"name":"a","type":"Unknown"}"#)),
        "the type Unknown is not defined"
    );
}

#[test]
fn resolves_as_the_apache_avro_crate_does() {
    // The crate's value of a decimal is not its bytes.
    let writer = &WIDE.replace(r#""logicalType":"decimal","#, "");
    let reader = writer
        .replace(
            r#""name":"small","type":"int""#,
            r#""name":"small","type":["null","double"]"#,
        )
        .replace(
            r#""name":"large","type":"long""#,
            r#""name":"large","type":"float""#,
        )
        .replace(r#"{"name":"flag","type":"boolean"},"#, "")
        .replace(
            r#""name":"title","type":"string""#,
            r#""name":"title","type":"bytes""#,
        );
    assert_ne!(reader, *writer);
    let (ours, theirs) = (schema(writer), schema(&reader));
    let datum = ours.from_json(&wide()).unwrap();
    let file = container::write(writer, SYNC, &[], &[&datum]);
    let found = read(&theirs, &file).unwrap();
    let parse = |text: &str| apache_avro::Schema::parse_str(text).unwrap();
    let (writer, reader) = (parse(writer), parse(&reader));
    let value = apache_avro::reader::datum::GenericDatumReader::builder(&writer)
        .reader_schema(&reader)
        .build()
        .unwrap()
        .read_value(&mut &datum[..])
        .unwrap();
    let plain = apache_avro::reader::datum::GenericDatumReader::builder(&reader)
        .build()
        .unwrap()
        .read_value(&mut &found[0][..])
        .unwrap();
    assert_eq!(plain, value);
}

#[test]
fn identifies_single_objects_by_their_fingerprint() {
    let schema = schema(USER);
    let datum = schema.from_json(&user()).unwrap();
    let message = single_object(&schema, &datum);
    assert_eq!(Framing::of(&message), Framing::SingleObject);
    assert_eq!(read(&schema, &message), Ok(vec![datum.clone()]));

    let other = crate::schemas::schema(r#"{"type":"record","name":"Other","fields":[]}"#);
    let error = read(&other, &message).unwrap_err();
    assert!(matches!(error, DecodeError::UnknownFingerprint { .. }));
    let text = error.to_string();
    let hex: String = schema
        .fingerprint()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert!(text.contains(&hex), "{text}");

    for cut in 2..message.len() {
        let Err(DecodeError::Malformed { fault, .. }) = read(&schema, &message[..cut]) else {
            panic!("truncated at {cut}")
        };
        assert!(fault.offset <= cut);
    }
    let apache = apache_avro::Schema::parse_str(USER).unwrap();
    let mut reader = &message[..];
    apache_avro::GenericSingleObjectReader::builder()
        .schema(apache)
        .build()
        .unwrap()
        .read_value(&mut reader)
        .unwrap();
}

#[test]
fn detects_raw_datums_that_begin_like_a_magic() {
    let schema = schema(USER);
    let datum = schema
        .from_json(&json!({"id": -98, "name": "", "email": ""}))
        .unwrap();
    assert_eq!(Framing::of(&datum), Framing::SingleObject);
    assert_eq!(Framing::detect(&schema, &datum), Framing::Raw);
    let message = single_object(&schema, &datum);
    assert_eq!(Framing::detect(&schema, &message), Framing::SingleObject);
    let file = container::write(USER, SYNC, &[], &[&datum]);
    assert_eq!(Framing::detect(&schema, &file), Framing::Container);
    assert_eq!(Framing::detect(&schema, &file[..9]), Framing::Container);
    assert_eq!(Framing::detect(&schema, b"\xc3\x01"), Framing::SingleObject);
    assert_eq!(Framing::detect(&schema, b""), Framing::Raw);
}
