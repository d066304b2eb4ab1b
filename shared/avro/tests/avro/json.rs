//! Conversion between JSON and Avro.

use avro::Mismatch;
use serde_json::{Value, json};

use crate::schemas::{LIST, USER, WIDE, schema, user, wide};

#[test]
fn encodes_the_tutorials_record_as_in_the_tutorial() {
    let user_schema = schema(USER);
    let datum = user_schema.from_json(&user()).unwrap();
    let mut expected = vec![0xda, 0x9c, 0x01, 8];
    expected.extend_from_slice(b"John\x18john@bla.com");
    assert_eq!(datum, expected);
    assert_eq!(user_schema.to_json(&datum).unwrap(), user());
    assert_eq!(user_schema.name(), "User");
}

#[test]
fn values_of_every_type_survive_a_round_trip() {
    let schema = schema(WIDE);
    let datum = schema.from_json(&wide()).unwrap();
    assert_eq!(schema.to_json(&datum).unwrap(), wide());
    assert_eq!(schema.name(), "shop.Wide");
}

fn mismatch(schema_text: &str, value: &Value) -> String {
    let mismatch: Mismatch = schema(schema_text).from_json(value).unwrap_err();
    mismatch.to_string()
}

#[test]
fn a_mismatch_names_the_field_the_expected_and_the_found_value() {
    assert_eq!(
        mismatch(USER, &json!({"id":"x","name":"John","email":"e"})),
        "id: expected an int, a whole number of 32 bits, found the text \"x\""
    );
    assert_eq!(
        mismatch(USER, &json!({"id":3_000_000_000_i64,"name":"","email":""})),
        "id: expected an int, a whole number of 32 bits, found the number 3000000000"
    );
    assert_eq!(
        mismatch(USER, &json!({"id":1.0,"name":"","email":""})),
        "id: expected an int, a whole number of 32 bits, found the number 1.0"
    );
    assert_eq!(
        mismatch(USER, &json!({"id":1,"name":""})),
        "email: expected string, found nothing: the field is absent, and the schema has no default for it"
    );
    assert_eq!(
        mismatch(USER, &json!({"id":1,"name":"","email":"","age":3})),
        "age: expected one of the fields id, name, email, found a field the schema does not have"
    );
    assert_eq!(
        mismatch(USER, &json!([1])),
        "the value: expected the record User, an object, found an array of 1"
    );
    let mut value = wide();
    value["lines"][1]["tags"] = json!([1]);
    assert_eq!(
        mismatch(WIDE, &value),
        "lines[1].tags[0]: expected string, found the number 1"
    );
    let mut value = wide();
    value["labels"]["a \"b\""] = json!(false);
    assert_eq!(
        mismatch(WIDE, &value),
        "labels[\"a \\\"b\\\"\"]: expected a long, a whole number of 64 bits, found the boolean false"
    );
    let mut value = wide();
    value["address"]["city"] = json!(null);
    assert_eq!(
        mismatch(WIDE, &value),
        "address.city: expected string, found null"
    );
    let mut value = wide();
    value["any"] = json!(true);
    assert_eq!(
        mismatch(WIDE, &value),
        "any: expected null or long or string or shop.Colour, found the boolean true"
    );
    let mut value = wide();
    value["hash"] = json!("abc");
    assert_eq!(
        mismatch(WIDE, &value),
        "hash: expected the fixed shop.Hash, as text of 4 characters up to U+00FF, found text of 3 characters"
    );
    let mut value = wide();
    value["colour"] = json!("red");
    assert_eq!(
        mismatch(WIDE, &value),
        "colour: expected the enum shop.Colour: RED, GREEN, BLUE, found the text \"red\""
    );
}

#[test]
fn absent_fields_have_the_schemas_defaults() {
    let schema = schema(
        r#"{"type":"record","name":"D","fields":[
        {"name":"a","type":"int","default":7},
        {"name":"b","type":["null","string"],"default":null},
        {"name":"c","type":"bytes","default":"\u00ff"},
        {"name":"d","type":{"type":"record","name":"E","fields":[{"name":"e","type":"int","default":1}]},"default":{}},
        {"name":"f","type":{"type":"array","items":"int"},"default":[]}]}"#,
    );
    let datum = schema.from_json(&json!({})).unwrap();
    assert_eq!(
        schema.to_json(&datum).unwrap(),
        json!({"a":7,"b":null,"c":"\u{ff}","d":{"e":1},"f":[]})
    );
}

#[test]
fn a_union_has_the_first_matching_or_the_named_branch() {
    let schema = schema(
        r#"{"type":"record","name":"U","fields":[{"name":"u","type":
        ["null","double","int",{"type":"enum","name":"C","symbols":["A"]},"string",
         {"type":"map","values":"int"}]}]}"#,
    );
    let first = |value: Value| schema.from_json(&json!({ "u": value })).unwrap()[0] / 2;
    assert_eq!(first(json!(null)), 0);
    assert_eq!(first(json!(1.5)), 1);
    assert_eq!(
        first(json!(1)),
        2,
        "a whole number is an int before a double"
    );
    assert_eq!(first(json!({"double": 1})), 1);
    assert_eq!(first(json!("A")), 3);
    assert_eq!(first(json!({"string": "A"})), 4);
    assert_eq!(first(json!("B")), 4);
    assert_eq!(first(json!({"k": 1})), 5);
    assert_eq!(first(json!({"map": {"k": 1}})), 5);
    assert_eq!(first(json!({"int": 1, "more": 2})), 5);
    assert_eq!(first(json!("NaN")), 1);
}

#[test]
fn floats_that_json_cannot_represent_are_strings() {
    let schema = schema(r#"{"type":"array","items":"double"}"#);
    let value = json!(["NaN", "Infinity", "-Infinity", -0.5]);
    let datum = schema.from_json(&value).unwrap();
    assert_eq!(schema.to_json(&datum).unwrap(), value);
    let float = crate::schemas::schema("\"float\"");
    assert!(float.from_json(&json!(1e300)).is_err());
    let tenth = float.from_json(&json!(0.1)).unwrap();
    assert_eq!(float.to_json(&tenth).unwrap().to_string(), "0.1");
}

#[test]
fn rejects_deep_nesting() {
    let schema = schema(LIST);
    let mut value = json!({"value": 0});
    for at in 1..300 {
        value = json!({"value": at, "next": value});
    }
    let mismatch = schema.from_json(&value).unwrap_err();
    assert!(mismatch.expected.contains("at most"), "{mismatch}");
}
