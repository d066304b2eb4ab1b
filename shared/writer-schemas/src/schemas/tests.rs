use super::*;

const READER: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"id","type":"int"},{"name":"name","type":"string","default":"none"}]}"#;
const OLDER: &str = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"int"}]}"#;
const OTHER: &str = r#"{"type":"record","name":"Other","fields":[{"name":"at","type":"string"}]}"#;

fn schemas(has_registry: bool) -> WriterSchemas {
    let older = Schema::parse_writer(OLDER).unwrap();
    WriterSchemas::new(&Schema::parse(READER).unwrap(), &[older], has_registry)
}

fn headers(list: &[(&str, &[u8])]) -> SchemaHeaders {
    let mut headers = SchemaHeaders::default();
    for (name, value) in list {
        headers.add(name.as_bytes(), Some(value));
    }
    headers
}

fn fingerprint(json: &str) -> Vec<u8> {
    runtime::text::hex(&Schema::parse(json).unwrap().fingerprint()).into_bytes()
}

/// The resolved datum, or what else was found.
fn found(
    schemas: &WriterSchemas,
    value: &[u8],
    headers: &SchemaHeaders,
) -> Result<Vec<u8>, String> {
    match schemas.find(value, headers) {
        Found::Known { schema, datum } => schema
            .resolve(datum, &mut Vec::new())
            .map(<[u8]>::to_vec)
            .map_err(|error| error.to_string()),
        Found::Missing(reference) => Err(format!("missing: {reference}")),
        Found::Unknown(reason) => Err(reason),
    }
}

const NONE: SchemaHeaders = SchemaHeaders {
    fingerprint: None,
    registered: None,
    is_avro_binary: false,
};

#[test]
fn a_value_without_a_name_of_its_schema_has_the_readers() {
    assert_eq!(
        found(&schemas(false), b"\x0e\x02a", &NONE).unwrap(),
        b"\x0e\x02a"
    );
    // It begins with a zero byte: id 0.
    assert_eq!(
        found(&schemas(false), b"\0\x06abc", &NONE).unwrap(),
        b"\0\x06abc"
    );
}

#[test]
fn a_framed_value_without_a_registry_is_unknown_with_a_hint() {
    let reason = found(&schemas(false), b"\0\0\0\0\x05\x0e\x02a", &NONE).unwrap_err();
    assert!(
        reason.contains("schema id (5): set SCHEMA_REGISTRY_URL"),
        "{reason}"
    );
    let id = headers(&[("__value_schema_id", b"\0\0\0\0\x05")]);
    let reason = found(&schemas(false), b"\x0e\x02a", &id).unwrap_err();
    assert!(reason.contains("id 5: set SCHEMA_REGISTRY_URL"), "{reason}");
}

#[test]
fn the_first_name_of_a_schema_counts() {
    let mut schemas = schemas(true);
    schemas.add(SchemaRef::Id(5), OLDER, &[]).unwrap();
    schemas.add(SchemaRef::Id(6), OTHER, &[]).unwrap();
    let resolved = b"\x0e\x08none".to_vec();
    let all = [
        ("__value_schema_id", b"\0\0\0\0\x06".as_slice()),
        ("avro-schema-fingerprint", &fingerprint(READER)),
    ];
    // The header of the registry precedes the frame, and the frame precedes the fingerprint.
    for value in [b"\x02a".as_slice(), b"\0\0\0\0\x05\x0e"] {
        let incompatible = found(&schemas, value, &headers(&all)).unwrap_err();
        assert!(incompatible.contains("Other"), "{incompatible}");
    }
    assert_eq!(
        found(&schemas, b"\0\0\0\0\x05\x0e", &headers(&all[1..])),
        Ok(resolved.clone())
    );
    // The single-object encoding precedes the header with the fingerprint.
    let older = avro::single_object(&Schema::parse(OLDER).unwrap(), b"\x0e");
    assert_eq!(
        found(&schemas, &older, &headers(&all[1..])),
        Ok(resolved.clone())
    );
    let header = headers(&[("avro-schema-fingerprint", &fingerprint(OLDER))]);
    assert_eq!(found(&schemas, b"\x0e", &header), Ok(resolved));
}

/// A record of the ingest function whose id is 0, or -98, begins like a framed value or a single object.
#[test]
fn the_headers_of_the_ingest_function_mean_a_raw_datum() {
    let schemas = schemas(true);
    let function = headers(&[
        ("content-type", b"avro/binary"),
        ("avro-schema-fingerprint", &fingerprint(READER)),
    ]);
    for value in [b"\0\x08abcd".as_slice(), b"\xc3\x01\x10abcdefgh"] {
        assert_eq!(found(&schemas, value, &function).unwrap(), value);
    }
    assert_eq!(
        found(&schemas, b"\0\x08abcd", &NONE).unwrap_err(),
        format!("missing: id {}", u32::from_be_bytes(*b"\x08abc"))
    );
}

/// A union that has its first branch begins with a zero byte.
#[test]
fn a_datum_whose_schema_is_in_a_header_may_begin_like_a_framed_value() {
    let mut schemas = schemas(true);
    schemas.add(SchemaRef::Id(5), OLDER, &[]).unwrap();
    schemas.add(SchemaRef::Id(7), READER, &[]).unwrap();
    let registered = headers(&[("__value_schema_id", b"\0\0\0\0\x07")]);
    let fingerprinted = headers(&[("avro-schema-fingerprint", &fingerprint(READER))]);
    let value = b"\0\x08abcd";
    for headers in [registered, fingerprinted] {
        assert_eq!(found(&schemas, value, &headers).unwrap(), value);
    }
    // As with Confluent's deserializers, the frame counts if the header has no value.
    let mut empty = SchemaHeaders::default();
    empty.add(b"__value_schema_id", None);
    let framed = confluent::frame(5, b"\x0e");
    assert_eq!(found(&schemas, &framed, &empty).unwrap(), b"\x0e\x08none");
    assert!(found(&schemas, b"\x0e\x02a", &empty).is_err());
}

#[test]
fn a_raw_datum_may_begin_like_a_single_object() {
    // The id is -98.
    let value = b"\xc3\x01\x10abcdefgh";
    assert_eq!(found(&schemas(false), value, &NONE).unwrap(), value);
    let reason = found(
        &schemas(false),
        b"\xc3\x01\x00\x01\x02\x03\x04\x05\x06\x07\x0e",
        &NONE,
    );
    let reason = reason.unwrap_err();
    assert!(
        reason.starts_with("no schema with fingerprint 0001020304050607 is known"),
        "{reason}"
    );
}

#[test]
fn an_unknown_or_malformed_fingerprint_is_not_decoded() {
    let schemas = schemas(false);
    for value in [fingerprint(OTHER), b"User".to_vec(), vec![b'a'; 1 << 20]] {
        let header = headers(&[("avro-schema-fingerprint", &value)]);
        let reason = found(&schemas, b"\x0e\x02a", &header).unwrap_err();
        assert!(reason.len() < 200, "{reason}");
    }
    let mut empty = SchemaHeaders::default();
    empty.add(b"avro-schema-fingerprint", None);
    assert!(found(&schemas, b"\x0e\x02a", &empty).is_err());
    let header = headers(&[("__value_schema_id", b"\x02")]);
    assert!(found(&schemas, b"\x0e\x02a", &header).is_err());
}

#[test]
fn an_unknown_id_is_missing_until_the_registry_has_answered() {
    let mut schemas = schemas(true);
    let value = b"\0\0\0\0\x07\x0e";
    assert_eq!(found(&schemas, value, &NONE).unwrap_err(), "missing: id 7");
    schemas.add_unknown(SchemaRef::Id(7), "404".to_owned());
    assert_eq!(found(&schemas, value, &NONE).unwrap_err(), "404");
    schemas.forget_unknown();
    assert_eq!(found(&schemas, value, &NONE).unwrap_err(), "missing: id 7");
    schemas.add(SchemaRef::Id(7), "{", &[]).unwrap_err();
    let reason = found(&schemas, value, &NONE).unwrap_err();
    assert!(
        reason.starts_with("the schema with id 7 is not valid"),
        "{reason}"
    );
}

#[test]
fn a_datum_is_validated_with_the_writers_schema() {
    let mut schemas = schemas(true);
    schemas.add(SchemaRef::Id(5), OLDER, &[]).unwrap();
    for value in [&b"\0\0\0\0\x05"[..], b"\0\0\0\0\x05\x0e\x0e"] {
        assert!(found(&schemas, value, &NONE).is_err());
    }
}

#[test]
fn the_scope_depends_on_the_set_of_schemas() {
    let reader = Schema::parse(READER).unwrap();
    let [older, other] = [OLDER, OTHER].map(|json| Schema::parse_writer(json).unwrap());
    let scope = |others: &[Schema], registry| WriterSchemas::new(&reader, others, registry).scope();
    assert_eq!(
        scope(&[older.clone(), other.clone()], false),
        scope(&[other.clone(), older.clone(), other], false)
    );
    assert_ne!(
        scope(std::slice::from_ref(&older), false),
        scope(&[], false)
    );
    assert_ne!(
        scope(std::slice::from_ref(&older), true),
        scope(&[older], false)
    );
}

/// The ids come from records, which may name any number of them.
#[test]
fn the_number_of_registered_schemas_is_bounded() {
    let mut schemas = schemas(true);
    for id in 0..2 * MAX_REGISTERED as u32 {
        schemas.add(SchemaRef::Id(id), OLDER, &[]).unwrap();
        let value = confluent::frame(id, &[0x0e]);
        assert!(
            found(&schemas, &value, &NONE).is_ok(),
            "the newest one is kept"
        );
    }
    assert!(schemas.registered.len() <= MAX_REGISTERED);
}
