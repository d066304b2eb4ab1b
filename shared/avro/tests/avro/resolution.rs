//! Schema resolution: from which of the writer's types, branches and fields a datum is read.

use avro::container;
use avro::{DecodeError, Framing, Limits, Schema, decode};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use crate::schemas::schema;

const SYNC: [u8; 16] = *b"0123456789abcdef";

fn read(reader: &Schema, file: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let data = decode(reader, file, Framing::Container, &Limits::default())?;
    Ok(data.iter().map(<[u8]>::to_vec).collect())
}

/// Writes one datum with a schema and reads it with another.
fn resolve(writer: &Value, reader: &Value, datum: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let file = container::write(&writer.to_string(), SYNC, &[], &[datum]);
    Ok(read(&schema(&reader.to_string()), &file)?.remove(0))
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        // The parser rejects about half of the schemas with random aliases.
        max_global_rejects: u32::MAX,
        ..ProptestConfig::default()
    }
}

/// A record of `int` fields.
fn record(name: &str, fields: &[&str]) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|field| json!({"name": field, "type": "int"}))
        .collect();
    json!({"type": "record", "name": name, "fields": fields})
}

/// The same, with a default of 0 for the last field.
fn record_with_default(name: &str, fields: &[&str]) -> Value {
    let mut record = record(name, fields);
    record["fields"][fields.len() - 1]["default"] = json!(0);
    record
}

#[test]
fn a_union_branch_matches_by_full_name_first() {
    let reader = schema(include_str!(
        "files/resolution/union-same-unqualified-name.avsc"
    ));
    let file = include_bytes!("files/resolution/union-same-unqualified-name.avro");
    let found = read(&reader, file).unwrap();
    // The index of the branch, its fields, `extra`.
    assert_eq!(found, [vec![0, 2, 0], vec![2, 4, 6, 0]]);
    assert_eq!(
        reader.to_json(&found[1]).unwrap(),
        json!({"e": {"x": 2, "y": 3}, "extra": 0})
    );
}

#[test]
fn a_record_matches_the_readers_branch_of_its_full_name_first() {
    let reader = json!([
        record("v1.E", &["x"]),
        record_with_default("v2.E", &["x", "y"])
    ]);
    let found = resolve(&record("v2.E", &["x", "y"]), &reader, &[2, 4]);
    assert_eq!(found, Ok(vec![2, 2, 4]));
    // By the unqualified name, it is the first branch.
    let found = resolve(&record("v3.E", &["x", "y"]), &reader, &[2, 4]);
    assert_eq!(found, Ok(vec![0, 2]));
}

#[test]
fn a_branch_of_the_same_full_name_that_does_not_resolve_is_not_replaced_by_another() {
    let reader = json!([record("v1.E", &["x"]), record("v2.E", &["x", "y"])]);
    let error = resolve(&record("v2.E", &["x"]), &reader, &[2]).unwrap_err();
    let DecodeError::IncompatibleSchema { reason, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(
        reason,
        "y: the writer's schema has no such field, and the configured schema has no default for it"
    );
}

#[test]
fn branches_of_the_same_union_in_other_namespaces_match_by_position() {
    let writer = json!([record("a.E", &["x"]), record("b.E", &["x", "y"])]);
    let reader = json!([
        record("c.E", &["x"]),
        record_with_default("d.E", &["x", "y"])
    ]);
    assert_eq!(resolve(&writer, &reader, &[0, 2]), Ok(vec![0, 2]));
    assert_eq!(resolve(&writer, &reader, &[2, 2, 4]), Ok(vec![2, 2, 4]));
}

#[test]
fn enums_and_fixeds_in_a_union_match_by_full_name_first() {
    let suit =
        |name: &str, symbols: &[&str]| json!({"type": "enum", "name": name, "symbols": symbols});
    let writer = json!([suit("a.E", &["A"]), suit("b.E", &["A", "B"])]);
    let reader = json!([suit("b.E", &["A", "B"]), suit("a.E", &["A"])]);
    assert_eq!(resolve(&writer, &reader, &[0, 0]), Ok(vec![2, 0]));
    assert_eq!(resolve(&writer, &reader, &[2, 2]), Ok(vec![0, 2]));
    let hash = |name: &str, size: usize| json!({"type": "fixed", "name": name, "size": size});
    let writer = json!([hash("a.F", 1), hash("b.F", 1)]);
    let reader = json!([hash("b.F", 1), hash("a.F", 1)]);
    assert_eq!(resolve(&writer, &reader, &[0, 7]), Ok(vec![2, 7]));
    // The sizes must match, too. Then the unqualified name suffices.
    let reader = json!([hash("a.F", 2), hash("c.F", 1)]);
    assert_eq!(resolve(&writer, &reader, &[0, 7]), Ok(vec![2, 7]));
}

proptest! {
    #![proptest_config(config())]

    /// The order of the branches and other branches of the reader do not matter.
    #[test]
    fn a_branch_keeps_its_full_name_and_fields(
        written in subsequence(vec!["a", "b", "c", "d", "e"], 1..=5).prop_shuffle(),
        others in Just(vec!["a", "b", "c", "d", "e"]).prop_shuffle(),
        in_a_union in any::<bool>(),
        pick in any::<prop::sample::Index>(),
    ) {
        let branch = |space: &&str| record_with_default(&format!("{space}.E"), &["x", space]);
        let reader = Value::Array(others.iter().map(branch).collect());
        let index = pick.index(written.len());
        let space = written[index];
        let (writer, datum) = match in_a_union {
            true => (
                Value::Array(written.iter().map(branch).collect()),
                vec![2 * index as u8, 10, 20],
            ),
            false => (branch(&space), vec![10, 20]),
        };
        let found = resolve(&writer, &reader, &datum).unwrap();
        let expected = others.iter().position(|other| *other == space).unwrap();
        prop_assert_eq!(found, vec![2 * expected as u8, 10, 20]);
    }
}

/// A record `R` of `int` fields with aliases.
fn aliased(fields: &[(&str, &[&str])]) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|(name, aliases)| json!({"name": name, "type": "int", "aliases": aliases}))
        .collect();
    json!({"type": "record", "name": "R", "fields": fields})
}

#[test]
fn field_aliases_rename_the_writers_fields_once() {
    let reader = schema(include_str!("files/resolution/field-alias-chain.avsc"));
    let file = include_bytes!("files/resolution/field-alias-chain.avro");
    let found = read(&reader, file).unwrap();
    assert_eq!(reader.to_json(&found[0]).unwrap(), json!({"b": 1, "c": 2}));
}

#[test]
fn a_field_renamed_by_an_alias_no_longer_has_its_own_name() {
    let writer = record("R", &["a"]);
    let mut reader = aliased(&[("a", &[]), ("b", &["a"])]);
    let error = resolve(&writer, &reader, &[2]).unwrap_err().to_string();
    assert!(
        error.ends_with("a: the writer's schema has no such field, and the configured schema has no default for it"),
        "{error}"
    );
    reader["fields"][0]["default"] = json!(7);
    assert_eq!(resolve(&writer, &reader, &[2]), Ok(vec![14, 2]));
}

#[test]
fn an_alias_does_not_rename_a_field_to_the_name_of_another() {
    let renamed_once = aliased(&[("b", &["a"])]);
    let renamed_twice = aliased(&[("b", &["a"]), ("c", &["b"])]);
    for (writer, reader, expected) in [
        (record("R", &["a", "b"]), &renamed_once, vec![4]),
        (record("R", &["b", "c", "d"]), &renamed_twice, vec![2, 4]),
        (record("R", &["a", "b", "c"]), &renamed_twice, vec![4, 6]),
    ] {
        let datum = &[2, 4, 6][..writer["fields"].as_array().unwrap().len()];
        assert_eq!(resolve(&writer, reader, datum), Ok(expected), "{writer}");
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

proptest! {
    #![proptest_config(config())]

    /// Each of the writer's fields is read at most once, and only by a field of its name or with its name as an alias.
    #[test]
    fn aliases_neither_duplicate_nor_mix_up_fields(
        written in subsequence(NAMES.to_vec(), 0..=6).prop_shuffle(),
        fields in subsequence(NAMES.to_vec(), 1..=6).prop_shuffle(),
        aliases in prop::collection::vec(subsequence(NAMES.to_vec(), 0..=3).prop_shuffle(), 6),
    ) {
        let aliased_fields: Vec<(&str, &[&str])> = (fields.iter().zip(&aliases))
            .map(|(name, aliases)| (*name, aliases.as_slice()))
            .collect();
        let mut reader = aliased(&aliased_fields);
        for field in reader["fields"].as_array_mut().unwrap() {
            field["default"] = json!(-1);
        }
        let reader_text = reader.to_string();
        // The parser rejects some of these schemas.
        prop_assume!(Schema::parse(&reader_text).is_ok());
        let datum: Vec<u8> = (1..=written.len()).map(|value| 2 * value as u8).collect();
        let found = resolve(&record("R", &written), &reader, &datum).unwrap();
        prop_assert_eq!(found.len(), fields.len());
        let mut sources: Vec<Option<&str>> = Vec::new();
        for value in found {
            sources.push(match value {
                1 => None,
                value => Some(written[usize::from(value / 2) - 1]),
            });
        }
        for (index, (source, (name, aliases))) in sources.iter().zip(&aliased_fields).enumerate() {
            match source {
                Some(source) => {
                    prop_assert!(source == name || aliases.contains(source));
                    prop_assert!(!sources[..index].contains(&Some(*source)));
                }
                None => {
                    let names = aliases.iter().chain([name]);
                    // All fields that could be read here are read elsewhere.
                    for name in names.filter(|name| written.contains(name)) {
                        prop_assert!(sources.contains(&Some(*name)));
                    }
                }
            }
        }
        for (source, (name, _)) in sources.iter().zip(&aliased_fields) {
            let is_alias = aliased_fields.iter().any(|(_, aliases)| aliases.contains(name));
            if written.contains(name) && !is_alias {
                prop_assert_eq!(source, &Some(*name));
            }
        }
    }

    /// A chain of renamings of any length shifts by one.
    #[test]
    fn a_chain_of_aliases_renames_each_field_once(length in 1..20_usize) {
        let names: Vec<String> = (0..=length).map(|n| format!("f{n}")).collect();
        let written: Vec<&str> = names[..length].iter().map(String::as_str).collect();
        let aliases: Vec<[&str; 1]> = written.iter().map(|name| [*name]).collect();
        let fields: Vec<(&str, &[&str])> = (names[1..].iter().zip(&aliases))
            .map(|(name, aliases)| (name.as_str(), aliases.as_slice()))
            .collect();
        let datum: Vec<u8> = (0..length).map(|value| 2 * value as u8).collect();
        let found = resolve(&record("R", &written), &aliased(&fields), &datum);
        prop_assert_eq!(found, Ok(datum));
    }
}

/// The encoding of a field that the writer does not have.
fn default_of(kind: &Value, default: &Value) -> Vec<u8> {
    let reader = json!({"type": "record", "name": "R", "fields": [
        {"name": "d", "type": kind, "default": default}]});
    let found = resolve(&record("R", &["a"]), &reader, &[2]).unwrap();
    // A field that is absent in a JSON value has the same encoding.
    assert_eq!(
        schema(&reader.to_string()).from_json(&json!({})),
        Ok(found.clone())
    );
    found
}

#[test]
fn the_default_of_a_union_has_the_first_matching_branch() {
    let reader = schema(include_str!("files/resolution/union-default.avsc"));
    let file = include_bytes!("files/resolution/union-default.avro");
    let found = read(&reader, file).unwrap();
    assert_eq!(found, [[&[2, 0], &1.0_f64.to_le_bytes()[..]].concat()]);

    let double = |branch: u8, value: f64| [&[branch], &value.to_le_bytes()[..]].concat();
    let float = [&[0], &1.0_f32.to_le_bytes()[..]].concat();
    assert_eq!(default_of(&json!(["float", "int"]), &json!(1)), float);
    assert_eq!(
        default_of(&json!(["null", "double"]), &json!(1)),
        double(2, 1.0)
    );
    assert_eq!(default_of(&json!(["int", "double"]), &json!(1)), [0, 2]);
    assert_eq!(
        default_of(&json!(["int", "double"]), &json!(1.5)),
        double(2, 1.5)
    );
    assert_eq!(
        default_of(&json!(["int", "long"]), &json!(1_i64 << 31))[0],
        2
    );
}

#[test]
fn the_default_of_a_union_inside_a_default_has_the_first_matching_branch() {
    let one = 1.0_f64.to_le_bytes();
    let array = json!({"type": "array", "items": ["double", "long"]});
    let expected = [&[2, 0], &one[..], &[0]].concat();
    assert_eq!(default_of(&array, &json!([1])), expected);
    let inner = json!({"type": "record", "name": "N", "fields": [
        {"name": "n", "type": ["double", "long"], "default": 1}]});
    let expected = [&[0], &one[..]].concat();
    assert_eq!(default_of(&inner, &json!({})), expected);
    assert_eq!(default_of(&inner, &json!({"n": 1})), expected);
}

#[test]
fn the_default_of_a_union_has_no_branch_name() {
    let union = json!(["long", {"type": "map", "values": "long"}]);
    let map = [&[2, 2, 8], &b"long"[..], &[2, 0]].concat();
    assert_eq!(default_of(&union, &json!({"long": 1})), map);
}

#[test]
fn a_string_is_the_default_of_a_string_before_a_double() {
    let text = [&[2, 6], &b"NaN"[..]].concat();
    assert_eq!(
        default_of(&json!(["double", "string"]), &json!("NaN")),
        text
    );
}

#[test]
fn a_json_value_after_a_default_is_not_encoded_as_a_default() {
    let reader = schema(
        r#"{"type":"record","name":"R","fields":[
        {"name":"d","type":["double","long"],"default":1},
        {"name":"e","type":["double","long"]}]}"#,
    );
    let found = reader.from_json(&json!({"e": 1})).unwrap();
    assert_eq!(found, [&[0], &1.0_f64.to_le_bytes()[..], &[2, 2]].concat());
}
