//! Property test: configured schemas are accepted and rejected as by the `apache-avro` crate.

use avro::Schema;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Few names, so that types are often defined twice, and some that are not valid.
fn name() -> impl Strategy<Value = &'static str> {
    select(vec!["A", "B", "C", "n.A", "n.B", "_", "a-b", "1", ""])
}

fn field_name() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c", "d", "e", "f", "g", "h", "_1", "a.b"])
}

fn reference() -> impl Strategy<Value = Value> {
    select(vec![
        "null", "boolean", "int", "long", "float", "double", "bytes", "string", "A", "n.A",
        "record", "x",
    ])
    .prop_map(Value::from)
}

fn primitive() -> impl Strategy<Value = Value> {
    select(vec![
        "null", "boolean", "int", "long", "double", "bytes", "string",
    ])
    .prop_map(Value::from)
}

fn named() -> impl Strategy<Value = Value> {
    prop_oneof![
        (name(), -1..4).prop_map(|(name, size)| json!({"type": "fixed", "name": name, "size": size})),
        (name(), prop::collection::vec(field_name(), 1..3))
            .prop_map(|(name, symbols)| json!({"type": "enum", "name": name, "symbols": symbols})),
        (name(), field_name()).prop_map(
            |(name, default)| json!({"type": "enum", "name": name, "symbols": ["a", "b"], "default": default})
        ),
    ]
}

fn kind() -> impl Strategy<Value = Value> {
    prop_oneof![4 => primitive(), 1 => reference(), 2 => named()].prop_recursive(
        3,
        12,
        4,
        |inner| {
            let fields = prop::collection::vec((field_name(), inner.clone()), 0..4);
            let namespace = prop::option::of(select(vec!["n", "m", "", "a b"]));
            prop_oneof![
                inner
                    .clone()
                    .prop_map(|items| json!({"type": "array", "items": items})),
                inner
                    .clone()
                    .prop_map(|values| json!({"type": "map", "values": values})),
                inner.clone().prop_map(|kind| json!({"type": kind})),
                prop::collection::vec(inner, 1..4).prop_map(Value::from),
                (name(), namespace, fields).prop_map(|(name, namespace, fields)| {
                    let fields: Vec<Value> = fields
                        .into_iter()
                        .map(|(name, kind)| json!({"name": name, "type": kind}))
                        .collect();
                    let mut record = json!({"type": "record", "name": name, "fields": fields});
                    if let Some(namespace) = namespace {
                        record["namespace"] = json!(namespace);
                    }
                    record
                }),
            ]
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn schemas_are_accepted_as_by_another_parser(schema in kind()) {
        let text = schema.to_string();
        let ours = Schema::parse(&text).map(|_| ()).map_err(|error| error.to_string());
        // The crate does not check these rules.
        let unchecked = ["is defined twice", "contains itself directly"];
        if ours.as_ref().is_err_and(|error| unchecked.iter().any(|rule| error.contains(rule))) {
            return Ok(());
        }
        let theirs = apache_avro::Schema::parse_str(&text).map(|_| ());
        // A name that its namespace does not have may be in the null namespace, as in Java, but not in the crate.
        let is_fallback = |error: &apache_avro::Error| error.to_string().contains("Unknown primitive type: ");
        if ours.is_ok() && theirs.as_ref().is_err_and(is_fallback) {
            return Ok(());
        }
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}: {:?} {:?}", text, ours, theirs);
    }
}
