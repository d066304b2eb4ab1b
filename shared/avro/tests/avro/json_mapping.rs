//! The JSON mapping of docs/FORMATS.md: every value survives, and logical types are text.

use avro::Schema;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::random::{self, Entropy};
use crate::schemas::schema;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_survives(
        schema in random::schema(),
        numbers in prop::collection::vec(any::<u64>(), 0..80),
    ) {
        let schema = Schema::parse(&schema.to_string()).unwrap();
        let datum = random::datum(&schema, &mut Entropy::new(numbers));
        let json = schema.to_json(&datum).unwrap();
        // Through text, as between programs.
        let text: Value = serde_json::from_str(&json.to_string()).unwrap();
        let again = schema.from_json(&text);
        prop_assert_eq!(again, Ok(datum.clone()), "{}", text);
        let avro_json = schema.to_avro_json(&datum).unwrap();
        // Outside unions, the characters of such bytes may be those of a text.
        if !["decimal", "duration", "uuid"].iter().any(|name| schema.json().contains(name)) {
            prop_assert_eq!(schema.from_json(&avro_json), Ok(datum), "{}", avro_json);
        }
    }
}

fn logical(kind: &str, name: &str) -> Schema {
    schema(&json!({"type": kind, "logicalType": name}).to_string())
}

fn decimal(precision: u32, scale: u32) -> Schema {
    schema(
        &json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
            .to_string(),
    )
}

#[test]
fn a_logical_type_is_text_and_accepts_its_underlying_value() {
    let cases = [
        ("int", "date", json!(20_783), "2026-11-26"),
        ("int", "time-millis", json!(45_045_678), "12:30:45.678"),
        (
            "long",
            "time-micros",
            json!(45_045_678_901_i64),
            "12:30:45.678901",
        ),
        (
            "long",
            "timestamp-millis",
            json!(1_795_696_245_678_i64),
            "2026-11-26T12:30:45.678Z",
        ),
        (
            "long",
            "timestamp-micros",
            json!(-1),
            "1969-12-31T23:59:59.999999Z",
        ),
        (
            "long",
            "timestamp-nanos",
            json!(1),
            "1970-01-01T00:00:00.000000001Z",
        ),
        (
            "long",
            "local-timestamp-millis",
            json!(0),
            "1970-01-01T00:00:00.000",
        ),
        (
            "long",
            "local-timestamp-micros",
            json!(0),
            "1970-01-01T00:00:00.000000",
        ),
        (
            "long",
            "local-timestamp-nanos",
            json!(i64::MIN),
            "1677-09-21T00:12:43.145224192",
        ),
    ];
    for (kind, name, number, text) in cases {
        let schema = logical(kind, name);
        let datum = schema.from_json(&number).unwrap();
        assert_eq!(schema.from_json(&json!(text)), Ok(datum.clone()), "{name}");
        assert_eq!(schema.to_json(&datum), Ok(json!(text)), "{name}");
        assert_eq!(schema.to_underlying_json(&datum), Ok(number), "{name}");
    }
}

#[test]
fn a_value_without_a_text_form_is_that_of_the_underlying_type() {
    let year_10000 = 253_402_300_800_000_i64;
    for (kind, name, value) in [
        ("int", "date", json!(i32::MAX)),
        ("int", "time-millis", json!(-1)),
        ("long", "time-micros", json!(86_400_000_000_i64)),
        ("long", "timestamp-millis", json!(year_10000)),
        ("long", "local-timestamp-micros", json!(i64::MAX)),
        ("long", "timestamp-millis", json!(i64::MIN)),
    ] {
        let schema = logical(kind, name);
        let datum = schema.from_json(&value).unwrap();
        assert_eq!(schema.to_json(&datum), Ok(value), "{name}");
    }
    // Not the shortest encoding, more digits than the precision, no number at all.
    for (bytes, expected) in [
        (&[0, 7][..], json!("\u{0}\u{7}")),
        (&[0x7f, 0xff], json!("\u{7f}ÿ")),
        (b"1234", json!({"bytes": "1234"})),
        (&[], json!("")),
    ] {
        let mut datum = vec![2 * bytes.len() as u8];
        datum.extend_from_slice(bytes);
        let schema = decimal(4, 2);
        assert_eq!(schema.to_json(&datum), Ok(expected.clone()));
        assert_eq!(schema.from_json(&expected), Ok(datum));
    }
}

#[test]
fn a_decimal_is_text_or_a_number_and_is_never_rounded() {
    let schema = decimal(9, 2);
    let unscaled = |value: &Value| schema.from_json(value).map(|datum| datum[1..].to_vec());
    for value in [
        json!("12.34"),
        json!(12.34),
        json!("+12.3400"),
        json!("1234e-2"),
        json!({"bytes": "\u{4}Ò"}),
    ] {
        assert_eq!(unscaled(&value), Ok(vec![0x04, 0xd2]), "{value}");
    }
    assert_eq!(unscaled(&json!(-3)), Ok(vec![0xfe, 0xd4]));
    for value in [
        json!("12.345"),
        json!(12.345),
        json!("12345678.90"),
        json!(12_345_678),
        json!(1e300),
        json!("1e30"),
        json!(true),
        json!([]),
        json!({"bytes": 1}),
        json!({"bytes": "1", "more": "2"}),
        json!({"string": "1"}),
        json!(null),
    ] {
        assert!(unscaled(&value).is_err(), "{value}");
    }
    let error = schema.from_json(&json!("12.345")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the value: expected a decimal number of at most 9 digits, 2 of them after the decimal point, as text or number, found the text \"12.345\""
    );
    // A double does not have so many digits.
    let large = decimal(38, 0);
    assert!(large.from_json(&json!(1e22)).is_err());
    assert!(large.from_json(&json!("10000000000000000000000")).is_ok());
    assert!(large.from_json(&json!(u64::MAX)).is_ok());
    let digits = "9".repeat(1_000_000);
    assert!(decimal(2_000_000, 0).from_json(&json!(digits)).is_err());
}

#[test]
fn times_are_never_rounded() {
    let schema = logical("long", "timestamp-millis");
    let millis = |text: &str| schema.from_json(&json!(text)).is_ok();
    assert!(millis("2026-11-26T12:30:45.678000Z"));
    assert!(millis("2026-11-26T13:30:45+01:00"));
    for text in [
        "2026-11-26T12:30:45.6789Z",
        "2026-11-26T12:30:45",
        "2026-11-26",
        "12",
        "",
    ] {
        assert!(!millis(text), "{text}");
    }
    let error = schema.from_json(&json!("2026-11-26")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the value: expected a timestamp such as 2026-11-26T12:30:45Z, or its number of milliseconds since 1970, found the text \"2026-11-26\""
    );
    assert!(
        logical("int", "date")
            .from_json(&json!(i64::from(i32::MAX) + 1))
            .is_err()
    );
}

#[test]
fn uuids_and_durations_are_text_or_bytes() {
    let fixed = |size: usize, name: &str| {
        schema(
            &json!({"type": "fixed", "name": "n.F", "size": size, "logicalType": name}).to_string(),
        )
    };
    let uuid = fixed(16, "uuid");
    let text = json!("30313233-3435-3637-3839-616263646566");
    for value in [
        &text,
        &json!("0123456789abcdef"),
        &json!({"n.F": "0123456789abcdef"}),
    ] {
        let datum = uuid.from_json(value).unwrap();
        assert_eq!(datum, b"0123456789abcdef");
        assert_eq!(uuid.to_json(&datum), Ok(text.clone()));
    }
    let duration = fixed(12, "duration");
    let datum = duration.from_json(&json!("P1M2DT3.004S")).unwrap();
    assert_eq!(datum, [1, 0, 0, 0, 2, 0, 0, 0, 0xbc, 0x0b, 0, 0]);
    assert_eq!(duration.to_json(&datum), Ok(json!("P1M2DT3.004S")));
    // The text of a UUID in a string is not changed.
    let plain = logical("string", "uuid");
    let datum = plain.from_json(&json!("F0")).unwrap();
    assert_eq!(plain.to_json(&datum), Ok(json!("F0")));
}

#[test]
fn a_union_has_a_name_only_where_it_would_be_read_as_another_branch() {
    let when = json!({"type": "long", "logicalType": "timestamp-millis"});
    let union = schema(
        &json!(["null", "int", when, "string", "double", {"type": "map", "values": "int"}])
            .to_string(),
    );
    let text = json!("1970-01-01T00:00:00.000Z");
    for (datum, expected) in [
        (vec![0], json!(null)),
        (vec![2, 2], json!(1)),
        (vec![4, 0], text.clone()),
        (
            [&[6, 48][..], b"1970-01-01T00:00:00.000Z"].concat(),
            json!({"string": text}),
        ),
        (vec![6, 2, b'x'], json!("x")),
        (
            vec![8, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
            json!({"double": "NaN"}),
        ),
        (vec![10, 2, 2, b'k', 2, 0], json!({"k": 1})),
        (
            [&[10, 2, 6][..], b"int", &[2, 0]].concat(),
            json!({"map": {"int": 1}}),
        ),
    ] {
        assert_eq!(union.to_json(&datum), Ok(expected.clone()));
        assert_eq!(union.from_json(&expected), Ok(datum));
    }
}

#[test]
fn the_avro_encoding_has_names_and_underlying_values() {
    let schema = schema(
        r#"{"type":"record","name":"n.R","fields":[
            {"name":"a","type":["null","n.R"]},
            {"name":"b","type":["null",{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}]},
            {"name":"c","type":{"type":"int","logicalType":"date"}}]}"#,
    );
    let avro_json =
        json!({"a": {"n.R": {"a": null, "b": {"bytes": "1"}, "c": 1}}, "b": null, "c": 0});
    let datum = schema.from_json(&avro_json).unwrap();
    assert_eq!(datum, [2, 0, 2, 2, b'1', 2, 0, 0]);
    assert_eq!(schema.to_avro_json(&datum), Ok(avro_json));
    assert_eq!(
        schema.to_json(&datum),
        Ok(json!({"a": {"a": null, "b": "0.49", "c": "1970-01-02"}, "b": null, "c": "1970-01-01"}))
    );
}

#[test]
fn a_default_has_the_value_of_the_underlying_type() {
    let record = |default: Value| {
        let kind = json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2});
        let field = json!({"name": "a", "type": kind, "default": default});
        Schema::parse(&json!({"type": "record", "name": "R", "fields": [field]}).to_string())
    };
    let schema = record(json!("1")).unwrap();
    assert_eq!(schema.from_json(&json!({})), Ok(vec![2, b'1']));
    assert!(record(json!(1)).is_err());
}

#[test]
fn large_numbers_are_exact() {
    let long = schema("\"long\"");
    for value in [i64::MIN, i64::MAX, (1 << 53) + 1] {
        let datum = long.from_json(&json!(value)).unwrap();
        assert_eq!(long.to_json(&datum).unwrap().to_string(), value.to_string());
    }
    for text in ["9223372036854775808", "1e3", "1.0", "1e400"] {
        let value: Result<Value, _> = serde_json::from_str(text);
        assert!(
            value.map_or(true, |value| long.from_json(&value).is_err()),
            "{text}"
        );
    }
}

#[test]
fn the_search_for_ambiguous_unions_takes_limited_time() {
    // Each level is encoded again to find out whether it needs a name.
    let list = schema(
        r#"{"type":"record","name":"L","fields":[
            {"name":"next","type":["null","L",{"type":"map","values":"int"}]},
            {"name":"blob","type":{"type":"array","items":"int"}}]}"#,
    );
    let mut value = json!({"next": null, "blob": vec![1; 20_000]});
    for _ in 0..40 {
        value = json!({"next": value, "blob": []});
    }
    let datum = list.from_json(&value).unwrap();
    let json = list.to_json(&datum).unwrap();
    assert_eq!(list.from_json(&json), Ok(datum));
}
#[test]
fn a_map_whose_only_key_is_the_name_of_a_branch_has_a_name() {
    let union =
        schema(r#"[{"type":"map","values":{"type":"bytes","logicalType":"big-decimal"}},"null"]"#);
    let datum = [0, 2, 6, b'm', b'a', b'p', 2, b'0', 0];
    let json = json!({"map": {"map": {"bytes": "0"}}});
    assert_eq!(union.to_json(&datum), Ok(json.clone()));
    assert_eq!(union.from_json(&json), Ok(datum.to_vec()));
}
