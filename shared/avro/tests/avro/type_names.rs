//! Names and aliases of types, in writers' and in configured schemas.

use avro::{DecodeError, Framing, Limits, Schema, container, decode};
use serde_json::{Value, json};

use crate::schemas::{USER, schema};

const SYNC: [u8; 16] = *b"0123456789abcdef";

fn read(reader: &Schema, file: &[u8]) -> Result<Vec<Value>, DecodeError> {
    let data = decode(reader, file, Framing::Container, &Limits::default())?;
    Ok(data.iter().map(|d| reader.to_json(d).unwrap()).collect())
}

/// Writes one datum with a schema and reads it with another.
fn resolve(writer: &Value, reader: &Value, datum: &[u8]) -> Result<Value, String> {
    let file = container::write(&writer.to_string(), SYNC, &[], &[datum]);
    let records = read(&schema(&reader.to_string()), &file);
    records
        .map(|mut records| records.remove(0))
        .map_err(|error| error.to_string())
}

/// A record with one `int` field, and aliases of the record.
fn record(name: &str, field: &str, aliases: &[&str]) -> Value {
    json!({"type": "record", "name": name, "aliases": aliases, "fields": [{"name": field, "type": "int"}]})
}

macro_rules! pair {
    ($name:literal) => {
        (
            include_str!(concat!("files/resolution/", $name, ".avsc")),
            include_bytes!(concat!("files/resolution/", $name, ".avro")).as_slice(),
        )
    };
}

#[test]
fn reads_types_by_their_aliases() {
    for (reader, file) in [pair!("record-alias"), pair!("spark-alias")] {
        let users = read(&schema(reader), file).unwrap();
        assert_eq!(users.len(), 5);
        assert!(users.iter().all(|user| user["email"] == "e@x.y"));
        let error = read(&schema(USER), file).unwrap_err().to_string();
        assert!(
            error.contains("cannot be read as the record User"),
            "{error}"
        );
    }
    let (reader, file) = pair!("enum-alias");
    assert_eq!(read(&schema(reader), file).unwrap()[0], json!({"e": "B"}));
}

#[test]
fn aliases_of_fixeds_and_of_nested_types_apply() {
    let fixed = |name: &str| json!({"type": "fixed", "name": name, "size": 1});
    let mut renamed = fixed("New");
    renamed["aliases"] = json!(["Old"]);
    let list = |item: Value| json!({"type": "array", "items": ["null", item]});
    let found = resolve(&list(fixed("Old")), &list(renamed), &[2, 2, b'x', 0]);
    assert_eq!(found, Ok(json!(["x"])));
}

#[test]
fn an_alias_names_types_of_other_namespaces() {
    for (writer, alias) in [
        ("shop.Person", "Person"),
        ("other.Person", "other.Person"),
        ("Person", ".Person"),
        ("Person", "Person"),
        ("other.Person", "Person"),
    ] {
        let reader = record("shop.User", "a", &[alias]);
        let found = resolve(&record(writer, "a", &[]), &reader, &[2]);
        assert_eq!(found, Ok(json!({"a": 1})), "{writer} by {alias}");
    }
}

#[test]
fn a_types_own_name_has_precedence_over_an_alias_in_another_namespace() {
    let index = |writer: &str| {
        let reader = json!([
            record("shop.User", "a", &["Person"]),
            record("shop.Person", "a", &[])
        ]);
        let file = container::write(&record(writer, "a", &[]).to_string(), SYNC, &[], &[[2]]);
        let reader = schema(&reader.to_string());
        let data = decode(&reader, &file, Framing::Container, &Limits::default()).unwrap();
        data.iter().next().map(|datum| datum[0] / 2)
    };
    assert_eq!(index("other.Person"), Some(1));
    // The full name of the alias is the name of another type. The specification renames it, as Java does.
    assert_eq!(index("shop.Person"), Some(0));
}

#[test]
fn aliases_rename_the_writers_types_once() {
    // B was A, and C was B.
    let field = |name: &str, kind: Value| json!({"name": name, "type": kind});
    let writer = json!({"type": "record", "name": "R", "fields": [
        field("first", json!(["null", record("A", "a", &[]), record("B", "a", &[])]))]});
    let reader = json!({"type": "record", "name": "R", "fields": [
        field("first", json!(["null", record("B", "a", &["A"]), record("C", "a", &["B"])]))]});
    for branch in [2, 4] {
        let file = container::write(&writer.to_string(), SYNC, &[], &[[branch, 2]]);
        let reader = schema(&reader.to_string());
        let data = decode(&reader, &file, Framing::Container, &Limits::default()).unwrap();
        assert_eq!(data.iter().next(), Some(&[branch, 2][..]));
    }
}

#[test]
fn an_aliased_type_matches_the_branch_of_its_new_name() {
    let reader = json!([
        record("Other", "a", &[]),
        record("v2.New", "a", &["v1.Old"])
    ]);
    let file = container::write(&record("v1.Old", "a", &[]).to_string(), SYNC, &[], &[[2]]);
    let reader = schema(&reader.to_string());
    let data = decode(&reader, &file, Framing::Container, &Limits::default()).unwrap();
    assert_eq!(data.iter().next(), Some(&[2, 2][..]));
}

#[test]
fn a_writers_names_may_have_any_characters() {
    for file in [
        include_bytes!("files/resolution/dash-in-namespace.avro").as_slice(),
        include_bytes!("files/resolution/dollar-in-namespace.avro").as_slice(),
    ] {
        assert_eq!(read(&schema(USER), file).unwrap().len(), 5);
    }
    let suit = json!({"type": "enum", "name": "a-b.Suit", "symbols": ["A", "x y"]});
    let writer = json!({"type": "record", "name": "R$1", "fields": [
        {"name": "source.ts-ms", "type": "int"}, {"name": "suit", "type": suit}]});
    let reader = json!({"type": "record", "name": "R", "aliases": ["R$1"], "fields": [
        {"name": "ts", "type": "long", "aliases": ["source.ts-ms"]},
        {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["B", "A"], "default": "B"}}]});
    assert_eq!(
        resolve(&writer, &reader, &[2, 2]),
        Ok(json!({"ts": 1, "suit": "B"}))
    );
}

#[test]
fn a_writers_names_do_not_forge_the_configured_schema() {
    // Without escapes, both canonical forms would be equal.
    let name = r#"A","type":"record","fields":[{"name":"a","type":"int"}]}"#;
    let forged = Schema::parse_writer(&record(name, "a", &[]).to_string()).unwrap();
    let form: Value = serde_json::from_str(forged.canonical_form()).unwrap();
    assert_eq!(form["name"], name);
}

#[test]
fn names_in_a_configured_schema_follow_the_specification() {
    let symbol = json!({"type": "enum", "name": "E", "symbols": [""]});
    for (text, name, of, found) in [
        (
            record("a-b.R", "a", &[]),
            "a-b.R",
            "type",
            "'-' is not allowed, ",
        ),
        (record("R$", "a", &[]), "R$", "type", "'$' is not allowed, "),
        (
            record("R", "größe", &[]),
            "größe",
            "field",
            "'ö' is not allowed, ",
        ),
        (record("R", "1a", &[]), "1a", "field", ""),
        (symbol, "", "symbol", ""),
    ] {
        let error = Schema::parse(&text.to_string()).unwrap_err().to_string();
        let expected = format!(
            "{name:?} cannot be the name of a {of}: {found}a name has ASCII letters, digits and _, and does not begin with a digit"
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn an_alias_may_be_the_name_of_another_field() {
    let swapped = schema(
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","aliases":["b"]},{"name":"b","type":"int"}]}"#,
    );
    let datum = swapped.from_json(&json!({"a": 1, "b": 2})).unwrap();
    assert_eq!(datum, [2, 4]);
}

#[test]
fn a_name_may_be_that_of_a_type_in_the_null_namespace() {
    let text = r#"{"type":"record","name":"R","fields":[
        {"name":"outer","type":{"type":"fixed","name":"F","size":1}},
        {"name":"inner","type":{"type":"record","name":"n.I","fields":[{"name":"f","type":"F"}]}}]}"#;
    assert_eq!(schema(text).validate(b"xy"), Ok(()));
}

#[test]
fn skips_a_byte_order_mark() {
    let marked = schema(&format!("\u{feff}{USER}"));
    assert_eq!(marked.json(), USER);
    assert_eq!(
        Schema::parse_writer(&format!("\u{feff}{USER}"))
            .unwrap()
            .json(),
        USER
    );
}
