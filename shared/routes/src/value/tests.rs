use avro::Schema;
use serde_json::json;

use super::*;

const SCHEMA: &str = r#"{"type":"record","name":"Order","fields":[
    {"name":"id","type":"long"},
    {"name":"name","type":"string"},
    {"name":"email","type":["null","string"]},
    {"name":"paid","type":"boolean"},
    {"name":"price","type":"double"},
    {"name":"kafka","type":"string"},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"day","type":{"type":"int","logicalType":"date"}},
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"key","type":{"type":"fixed","name":"Key","size":16,"logicalType":"uuid"}},
    {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}},
    {"name":"tags","type":{"type":"map","values":"string"}},
    {"name":"mixed","type":["int","string"]},
    {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
        {"name":"sku","type":"string"},{"name":"due","type":{"type":"long","logicalType":"timestamp-millis"}}]}}},
    {"name":"address","type":["null",{"type":"record","name":"Address","fields":[
        {"name":"city","type":"string"}]}]}]}"#;

const TIMESTAMP: i64 = 1_700_000_000_120;

fn schema() -> Schema {
    Schema::parse(SCHEMA).unwrap()
}

fn record() -> Json {
    json!({
        "id": 7, "name": "Paul", "email": null, "paid": true, "price": 0.5, "kafka": "field",
        "at": "2023-11-14T22:13:20.120Z", "day": "2026-11-27", "amount": "12.50",
        "key": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "colour": "BLUE", "tags": {"b": "2", "a": "1"}, "mixed": 3,
        "lines": [{"sku": "x", "due": "2023-11-14T22:13:20.000Z"}], "address": {"city": "Lisbon"},
    })
}

fn kafka(key: &[u8]) -> KafkaFields<'_> {
    KafkaFields {
        key: Some(key),
        topic: "orders",
        partition: 3,
        offset: 42,
        timestamp: Some(TIMESTAMP),
        idempotency_key: "c/t/3/42",
    }
}

fn compile(text: &str) -> ValueExpression {
    let scope = ValueScope::of_records(&schema());
    scope
        .compile(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The value for [`record`] with these fields replaced.
fn value_of(text: &str, changes: &Json) -> Result<Json, ValueError> {
    let scope = ValueScope::of_records(&schema());
    let mut record = record();
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    let datum = schema().from_json(&record).unwrap();
    let values = scope.values(&datum, kafka(b"k1"));
    compile(text).evaluate(&values)
}

fn value(text: &str) -> String {
    value_of(text, &json!({})).unwrap().to_string()
}

#[test]
fn a_field_has_its_documented_json_form() {
    let record = record();
    for (name, expected) in record.as_object().unwrap() {
        let text = match name.as_str() {
            "kafka" => "record.kafka",
            name => name,
        };
        assert_eq!(value(text), expected.to_string(), "{name}");
    }
    assert_eq!(value("record"), record.to_string());
    assert_eq!(value("lines[0].due"), r#""2023-11-14T22:13:20.000Z""#);
    assert_eq!(value("tags.a"), r#""1""#);
    assert_eq!(value("address.city"), r#""Lisbon""#);
    let null = value_of("address.city", &json!({"address": null}));
    assert_eq!(null, Ok(Json::Null));
}

#[test]
fn the_entries_of_an_object_stay_in_the_order_of_the_source() {
    let text = r#"{"z": id, "a": [name, "x"], "m": {"y": email, "b": 1.5}, "c": paid ? {"q": 1, "p": 2} : {"q": 3}}"#;
    let expected = r#"{"z":7,"a":["Paul","x"],"m":{"y":null,"b":1.5},"c":{"q":1,"p":2}}"#;
    for _ in 0..20 {
        assert_eq!(value(text), expected);
    }
    assert_eq!(value(r#"{name: id}"#), r#"{"Paul":7}"#);
}

#[test]
fn a_calculated_map_has_sorted_keys() {
    for _ in 0..20 {
        assert_eq!(
            value(r#"lines.map(l, {"z": l.sku, "a": 1, "due": l.due})"#),
            r#"[{"a":1,"due":"2023-11-14T22:13:20Z","z":"x"}]"#
        );
    }
}

#[test]
fn calculated_values_are_json() {
    for (text, expected) in [
        ("id + 1", "8"),
        ("name + '-' + string(id)", r#""Paul-7""#),
        ("email == null ? 'none' : email", r#""none""#),
        ("has(address.city) && paid", "true"),
        ("at + duration('1s')", r#""2023-11-14T22:13:21.120Z""#),
        ("at - at + duration('90m')", r#""5400s""#),
        ("decimal('1.50')", r#""1.5""#),
        ("price / 0.0", r#""Infinity""#),
        ("b'\\xff'", "\"\u{ff}\""),
        ("7u", "7"),
        ("size(record.lines)", "1"),
        ("[record].map(r, r.name)", r#"["Paul"]"#),
        ("dyn(at)", r#""2023-11-14T22:13:20.120Z""#),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn kafka_is_what_kafka_stores() {
    for (text, expected) in [
        ("kafka.key", r#""k1""#),
        ("kafka.topic", r#""orders""#),
        ("kafka.partition", "3"),
        ("kafka.offset + 1", "43"),
        ("kafka.timestamp", r#""2023-11-14T22:13:20.120Z""#),
        ("kafka.timestamp.getFullYear()", "2023"),
        ("kafka.idempotency_key", r#""c/t/3/42""#),
        ("kafka.key == 'k1' && record.kafka == 'field'", "true"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    let scope = ValueScope::of_tombstones();
    let key = scope.compile("kafka.key").unwrap();
    assert_eq!(
        key.evaluate(&scope.values(&[], kafka(b"k"))),
        Ok("k".into())
    );
    let error = key
        .evaluate(&scope.values(&[], kafka(b"\xff")))
        .unwrap_err();
    assert_eq!(error.to_string(), "the record's key is not UTF-8");
    let calculated = scope.compile("kafka.key + 'x'").unwrap();
    let error = calculated.evaluate(&scope.values(&[], kafka(b"\xff")));
    assert_eq!(
        error.unwrap_err().to_string(),
        "the record's key is not UTF-8"
    );
}

#[test]
fn mistakes_are_reported_with_their_position() {
    let scope = ValueScope::of_records(&schema());
    for (text, expected) in [
        ("{'a': idd}", "the record has no field idd"),
        ("{'a': idd}", "(at character 7)"),
        ("{\n 'a': idd}", "(at character 9)"),
        ("{\n 'a' idd}", "(at character 8)"),
        (
            "{1: id}",
            "the key of an object is a string, not an int (at character 2)",
        ),
        (
            "{email: id}",
            "the key of an object is a string, not a string or null",
        ),
        ("{'a': 1, 'a': id}", "the key \"a\" occurs twice"),
        (
            "name + id",
            "+ does not accept name (a string) and id (an int)",
        ),
        (
            "kafka",
            "expected kafka with one of its members: key, topic",
        ),
        ("kafka.value", "a field kafka of the record is record.kafka"),
        ("kafka.key.x", "expected kafka with one of its members"),
        ("kafka.offset + 'x'", "kafka.offset (an int)"),
        ("", "(at character"),
    ] {
        let error = scope.compile(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = ValueScope::of_tombstones().compile("id").unwrap_err();
    assert!(
        error.to_string().starts_with("a tombstone has no fields"),
        "{error}"
    );
}

#[test]
fn only_scalars_can_be_text() {
    let scope = ValueScope::of_records(&schema());
    for text in [
        "id", "name", "email", "paid", "at", "day", "amount", "key", "colour", "tags.a", "7u",
    ] {
        assert!(scope.compile_text(text).is_ok(), "{text}");
    }
    for text in [
        "price", "tags", "lines", "record", "mixed", "address", "null", "[id]", "at - at",
    ] {
        assert!(scope.compile_text(text).is_err(), "{text}");
    }
    let mut record = record();
    let text_of = |record: &Json, text: &str| {
        let datum = schema().from_json(record).unwrap();
        let expression = scope.compile_text(text).unwrap();
        expression.text(&scope.values(&datum, kafka(b"k")))
    };
    for (text, expected) in [
        ("id", Some("7")),
        ("paid", Some("true")),
        ("amount", Some("12.50")),
        ("day", Some("2026-11-27")),
        ("email", None),
    ] {
        let found = text_of(&record, text).unwrap();
        assert_eq!(found.as_deref(), expected, "{text}");
    }
    // More digits than the precision: the JSON is "12345".
    record["amount"] = json!({"bytes": "12345"});
    let found = text_of(&record, "amount").unwrap();
    assert_eq!(found.as_deref(), Some("2112956140.05"));
    record["at"] = i64::MAX.into();
    assert!(text_of(&record, "at").is_err());
}

#[test]
fn a_value_that_may_be_null_is_known() {
    for (text, expected) in [
        ("email", true),
        ("address.city", true),
        ("id", false),
        ("kafka.key", false),
        ("email != null ? email : 'x'", false),
    ] {
        assert_eq!(compile(text).may_be_null(), expected, "{text}");
    }
    assert!(compile("email + 'x'").warnings()[0].starts_with("email may be null"));
}

#[test]
fn the_reason_of_an_error_is_short() {
    let name = "é".repeat(100_000);
    for text in [
        "tags[name]",
        "int(name)",
        "{name: 1, record.name: 2}",
        "timestamp(name)",
    ] {
        let error = value_of(text, &json!({"name": name})).unwrap_err();
        assert!(error.to_string().len() < 1_100, "{text}");
    }
}

#[test]
fn an_expression_without_a_value_for_a_record_is_an_error() {
    for (text, expected) in [
        ("tags.z", "there is no key \"z\""),
        ("lines[1].sku", "there is no item 1"),
        ("{name: 1, 'Paul': 2}", "a key occurs twice"),
        ("1 / (id - 7)", "by zero"),
        ("int(name)", "int"),
    ] {
        let error = value_of(text, &json!({})).unwrap_err().to_string();
        assert!(error.to_lowercase().contains(expected), "{text}: {error}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// A panic ends a release build.
    #[test]
    fn no_expression_panics(words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..14)) {
        let scope = ValueScope::of_records(&schema());
        let datum = schema().from_json(&record()).unwrap();
        for text in [words.join(" "), words.concat()] {
            match scope.compile(&text) {
                Ok(expression) => drop(expression.evaluate(&scope.values(&datum, kafka(b"k")))),
                Err(error) => proptest::prop_assert!(!error.to_string().contains("panicked"), "{}", text),
            }
        }
    }
}

const WORDS: [&str; 34] = [
    "id", "name", "tags", "lines", "address", "email", "amount", "record", "kafka", ".key",
    ".offset", ".x", "{", "}", "[", "]", "(", ")", ",", ":", "?", "'a'", "0", "-1", "+", "==",
    "has", "dyn", ".map", "x", "null", "b'\\xff'", "1.5", "size",
];

fn millis(text: &str, changes: &Json) -> Result<Option<i64>, String> {
    let schema = schema();
    let scope = ValueScope::of_datums(&schema);
    let expression = scope
        .compile_timestamp(text)
        .map_err(|error| error.to_string())?;
    let mut record = record();
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    let datum = schema.from_json(&record).unwrap();
    let values = scope.datum_values(&datum);
    expression
        .timestamp_millis(&values)
        .map_err(|error| error.to_string())
}

#[test]
fn a_timestamp_is_milliseconds_of_a_timestamp_or_an_int() {
    let none = json!({});
    for (text, expected) in [
        ("at", Some(TIMESTAMP)),
        ("id", Some(7)),
        ("id * 1000", Some(7000)),
        ("day", Some(1_795_737_600_000)),
        ("at - duration('0.1205s')", Some(TIMESTAMP - 121)),
        ("email == null ? null : at", None),
        ("timestamp('1969-12-31T23:59:59.999Z')", Some(-1)),
    ] {
        assert_eq!(millis(text, &none), Ok(expected), "{text}");
    }
    let far = millis("at", &json!({"at": 400_000_000_000_000_000_i64})).unwrap_err();
    assert!(far.contains("outside"), "{far}");
    for text in [
        "name",
        "price",
        "kafka.timestamp",
        "nosuch",
        "mixed",
        "null",
    ] {
        millis(text, &none).unwrap_err();
    }
    let error = millis("id + nosuch", &none).unwrap_err();
    assert!(error.ends_with("(at character 6)"), "{error}");
}

#[test]
fn an_expression_over_datums_has_the_variables_of_conditions() {
    let scope = ValueScope::of_datums(&schema());
    let text = |text: &str| {
        let datum = schema().from_json(&record()).unwrap();
        let compiled = scope
            .compile_text(text)
            .map_err(|error| error.to_string())?;
        let value = compiled.text(&scope.datum_values(&datum));
        value.map_err(|error| error.to_string())
    };
    assert_eq!(text("kafka"), Ok(Some("field".to_owned())));
    assert_eq!(
        text("name + '/' + string(id)"),
        Ok(Some("Paul/7".to_owned()))
    );
    assert_eq!(text("record.email"), Ok(None));
    for wrong in ["kafka.offset", "record", "price", "lines"] {
        text(wrong).unwrap_err();
    }
}
