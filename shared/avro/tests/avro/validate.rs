//! Validation of datums, and projections.

use avro::{Fault, Field};
use serde_json::json;

use crate::schemas::{LIST, USER, WIDE, schema, user, wide};

fn fault(offset: usize, path: &str, reason: &str) -> Fault {
    Fault {
        offset,
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

#[test]
fn rejects_every_prefix_and_trailing_bytes() {
    for (text, value) in [
        (USER, user()),
        (WIDE, wide()),
        (LIST, json!({"value": 1, "next": {"value": 2}})),
    ] {
        let schema = schema(text);
        let projection = schema.projection(&[]).unwrap();
        let mut datum = schema.from_json(&value).unwrap();
        assert_eq!(schema.validate(&datum), Ok(()));
        for cut in 0..datum.len() {
            let fault = schema.validate(&datum[..cut]).unwrap_err();
            assert!(fault.offset <= cut, "{fault}");
            assert_eq!(
                projection.read(&datum[..cut], &mut Vec::new()),
                Err(fault.clone())
            );
            assert!(schema.to_json(&datum[..cut]).is_err());
        }
        datum.push(0);
        let end = datum.len() - 1;
        assert_eq!(
            schema.validate(&datum),
            Err(fault(end, "", "1 byte follows the datum"))
        );
    }
}

#[test]
fn faults_name_the_byte_and_the_field() {
    let user_schema = schema(USER);
    let datum = user_schema.from_json(&user()).unwrap();
    assert_eq!(
        user_schema.validate(&datum[..10]),
        Err(fault(
            8,
            "email",
            "the datum ends inside a string of 12 bytes"
        ))
    );
    assert_eq!(
        user_schema.validate(&[]),
        Err(fault(0, "id", "the datum ends where an int should be"))
    );
    let mut broken = datum.clone();
    broken[5] = 0xff;
    assert_eq!(
        user_schema.validate(&broken),
        Err(fault(5, "name", "text is not UTF-8"))
    );

    let wide_schema = schema(WIDE);
    let datum = wide_schema.from_json(&wide()).unwrap();
    let at = |needle: &[u8]| {
        datum
            .windows(needle.len())
            .position(|w| w == needle)
            .unwrap()
    };
    let damaged = |at: usize, byte: u8| {
        let mut datum = datum.clone();
        datum[at] = byte;
        wide_schema.validate(&datum).unwrap_err()
    };
    assert_eq!(
        damaged(at(b"\x02y") + 1, 0x80),
        fault(at(b"\x02y") + 1, "lines[0].tags[1]", "text is not UTF-8")
    );
    assert_eq!(damaged(at(b"Porto"), 0xff).path, "address.city");
    assert_eq!(damaged(at(b"\x06two") + 1, 0xff).path, "labels[1]");
    assert_eq!(
        damaged(0, 2),
        fault(0, "flag", "a boolean is 0 or 1, not 2")
    );
    let colour = at(b"abcd") + 4;
    assert_eq!(
        damaged(colour, 6),
        fault(
            colour,
            "colour",
            "the enum has 3 symbols, none with index 3"
        )
    );
    assert_eq!(
        damaged(colour, 1),
        fault(
            colour,
            "colour",
            "the enum has 3 symbols, none with index -1"
        )
    );
    assert_eq!(
        damaged(colour + 1, 4),
        fault(
            colour + 1,
            "address",
            "the union has 2 branches, none with index 2"
        )
    );

    let list = schema(LIST);
    let datum = list
        .from_json(&json!({"value": 1, "next": {"value": 2, "next": {"value": 3}}}))
        .unwrap();
    assert_eq!(
        list.validate(&datum[..datum.len() - 1]).unwrap_err().path,
        "next.next.next"
    );
}

#[test]
fn reads_fields_in_the_order_of_their_names() {
    let schema = schema(WIDE);
    let datum = schema.from_json(&wide()).unwrap();
    let names = [
        "labels",
        "address.city",
        "flag",
        "small",
        "large",
        "ratio",
        "exact",
        "blob",
        "title",
        "nothing",
        "hash",
        "colour",
        "billing.city",
        "address.second",
        "any",
        "address.city",
        "when",
        "address",
    ];
    let projection = schema.projection(&names).unwrap();
    let mut fields = vec![Field::Bool(true); 40];
    projection.read(&datum, &mut fields).unwrap();
    let Field::Complex(labels) = fields[0] else {
        panic!("{:?}", fields[0])
    };
    let map = crate::schemas::schema(r#"{"type":"map","values":"long"}"#);
    assert_eq!(map.to_json(labels).unwrap(), wide()["labels"]);
    let Field::Complex(address) = fields[17] else {
        panic!("{:?}", fields[17])
    };
    assert!(address.starts_with(b"\x0cMain 1\x0aPorto"));
    assert!(address.ends_with(b"wxyz"));
    assert_eq!(
        fields[1..17],
        [
            Field::Str("Porto"),
            Field::Bool(true),
            Field::Int(-7),
            Field::Int(1_234_567_890_123),
            Field::Double(f64::from(0.1_f32)),
            Field::Double(2.5),
            Field::Bytes(b"\x00\xffx"),
            Field::Str("grün"),
            Field::Null,
            Field::Bytes(b"abcd"),
            Field::Str("BLUE"),
            Field::Null,
            Field::Bytes(b"wxyz"),
            Field::Str("RED"),
            Field::Str("Porto"),
            Field::Int(1_700_000_000_000),
        ]
    );
}

#[test]
fn a_projection_validates_the_other_fields() {
    let schema = schema(USER);
    let projection = schema.projection(&["id"]).unwrap();
    let mut datum = schema.from_json(&user()).unwrap();
    let mut fields = Vec::new();
    assert_eq!(projection.read(&datum, &mut fields), Ok(()));
    assert_eq!(fields, [Field::Int(10029)]);
    let last = datum.len() - 1;
    datum[last] = 0xff;
    assert_eq!(
        projection.read(&datum, &mut Vec::new()).unwrap_err().path,
        "email"
    );
}

#[test]
fn a_projection_reads_fields_of_recursive_types() {
    let schema = schema(LIST);
    let projection = schema
        .projection(&["value", "next.value", "next.next.value", "next.next.next"])
        .unwrap();
    let datum = schema
        .from_json(&json!({"value": 1, "next": {"value": 2}}))
        .unwrap();
    let mut fields = Vec::new();
    projection.read(&datum, &mut fields).unwrap();
    assert_eq!(
        fields,
        [Field::Int(1), Field::Int(2), Field::Null, Field::Null]
    );
}

#[test]
fn an_unknown_field_is_an_error_that_lists_the_fields() {
    let user = schema(USER);
    let message = |schema: &avro::Schema, name| schema.projection(&[name]).unwrap_err().to_string();
    assert_eq!(
        message(&user, "age"),
        "the schema User has no field age: it has id, name, email"
    );
    assert_eq!(
        message(&user, "name.first"),
        "the schema User has no field name.first: name is not a record"
    );
    let wide = schema(WIDE);
    assert_eq!(
        message(&wide, "address.zip"),
        "the schema shop.Wide has no field address.zip: address has street, city, second"
    );
    assert!(message(&wide, "lines.sku").contains("lines is not a record"));
    assert!(message(&wide, "").contains("it has flag"));
}
