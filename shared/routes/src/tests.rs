//! Tests of the public API: conditions, records, decisions.

use serde_json::json;

use super::*;

const ORDER: &str = r#"{"type":"record","name":"Order","fields":[
    {"name":"id","type":"int"},
    {"name":"email","type":["null","string"]},
    {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}},
    {"name":"raw","type":"bytes"},
    {"name":"tags","type":{"type":"map","values":"string"}},
    {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
        {"name":"sku","type":"string"},{"name":"weight","type":"double"},
        {"name":"stamp","type":["null","bytes"]}]}}},
    {"name":"address","type":["null",{"type":"record","name":"Address","fields":[
        {"name":"city","type":"string"},{"name":"zips","type":{"type":"array","items":"int"}}]}]}]}"#;

fn definition(name: &str, when: &str) -> RouteDefinition {
    RouteDefinition {
        name: name.to_owned(),
        when: when.to_owned(),
    }
}

fn routes(conditions: &[&str]) -> Result<Routes, RouteError> {
    let definitions = conditions.iter().enumerate();
    let definitions = definitions.map(|(index, when)| definition(&index.to_string(), when));
    Routes::compile(definitions.collect(), &Schema::parse(ORDER).unwrap())
}

fn order() -> serde_json::Value {
    json!({"id": 1010, "email": null, "colour": "RED", "raw": "\u{0}\u{ff}", "tags": {"a": "b"},
        "lines": [{"sku": "x", "weight": 2.0, "stamp": null}, {"sku": "y", "weight": 0.5, "stamp": "\u{ff}"}],
        "address": {"city": "Rome", "zips": [1, 2]}})
}

fn decide(conditions: &[&str], record: &serde_json::Value) -> Result<Option<usize>, EvalError> {
    let datum = Schema::parse(ORDER).unwrap().from_json(record).unwrap();
    routes(conditions)
        .unwrap()
        .decide(&datum, &mut Scratch::default())
}

#[test]
fn returns_the_first_matching_route() {
    let conditions = ["id == 1020", "id == 1010", "id > 0"];
    assert_eq!(decide(&conditions, &order()), Ok(Some(1)));
    let mut other = order();
    other["id"] = json!(7);
    assert_eq!(decide(&conditions, &other), Ok(Some(2)));
    other["id"] = json!(-7);
    assert_eq!(decide(&conditions, &other), Ok(None));
}

#[test]
fn conditions_support_every_kind_of_field() {
    for condition in [
        "email == null && colour == 'RED' && raw == b'\\x00\\xff'",
        "tags['a'] == 'b' && has(tags.a) && !has(tags.z) && tags.size() == 1",
        "lines.exists(l, l.sku == 'y' && l.weight < 1.0 && l.stamp == b'\\xff')",
        "lines[0].weight == 2.0 && lines[0].stamp == null && !has(lines[0].stamp)",
        "address.city.startsWith('Ro') && 2 in address.zips && address != null",
        "lines.map(l, l.sku) == ['x', 'y'] && size(lines) * 505 == id",
    ] {
        assert_eq!(decide(&[condition], &order()), Ok(Some(0)), "{condition}");
    }
}

/// The words that CEL reserves.
#[test]
fn fields_with_reserved_names_are_fields_of_the_record() {
    let words = "as break const continue else for function if import let loop package namespace return var void while \
        in true false null record";
    for word in words.split(' ') {
        let text = json!({"type": "record", "name": "R", "fields": [
            {"name": "id", "type": "int"},
            {"name": word, "type": {"type": "record", "name": "S", "fields": [{"name": word, "type": "string"}]}}]});
        let schema = Schema::parse(&text.to_string()).unwrap();
        let datum = schema
            .from_json(&json!({"id": 7, word: {word: "x"}}))
            .unwrap();
        for condition in [
            format!("record.`{word}`.`{word}` == 'x'"),
            format!("has(record.`{word}`.`{word}`) && record.id == 7"),
            format!("[1].exists(i, i < record.id && record.`{word}`.`{word}` == 'x')"),
        ] {
            let routes = Routes::compile(vec![definition("A", &condition)], &schema).unwrap();
            let decision = routes.decide(&datum, &mut Scratch::default());
            assert_eq!(decision, Ok(Some(0)), "{condition}");
        }
        if ["true", "false", "null", "record"].contains(&word) {
            continue;
        }
        let bare = vec![definition("A", &format!("{word} == 'x'"))];
        let error = Routes::compile(bare, &schema).unwrap_err().to_string();
        assert!(
            error.contains(&format!("the field {word} is record.")),
            "{error}"
        );
    }
}

#[test]
fn fields_of_the_record_are_compiled_as_plain_fields() {
    let plain = routes(&["id == 1010 && has(address.city)"]).unwrap();
    let named = routes(&["record.id == 1010 && has(record.address.city)"]).unwrap();
    assert!(plain.routes[0].compiled.is_some() && named.routes[0].compiled.is_some());
    assert_eq!(named.fields, plain.fields);
    let error = routes(&["id == 1", "record.id == 1"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("it never matches"), "{error}");
    for condition in ["has(record.email)", "record.email == 'x'"] {
        assert_eq!(decide(&[condition], &order()), Ok(None), "{condition}");
    }
    assert_eq!(
        decide(&["lines.exists(record, record.sku == 'y')"], &order()),
        Ok(Some(0))
    );
}

#[test]
fn fields_of_null_records_are_null() {
    let mut order = order();
    order["address"] = json!(null);
    for (condition, expected) in [
        ("address == null", Some(0)),
        ("address.city == null", Some(0)),
        ("address.city == 'Rome'", None),
        ("has(address.city)", None),
        ("address.zips == null && !has(address.zips)", Some(0)),
    ] {
        assert_eq!(decide(&[condition], &order), Ok(expected), "{condition}");
    }
}

#[test]
fn the_interpreter_gets_numbers_that_json_cannot_represent() {
    let schema = Schema::parse(
        r#"{"type":"record","name":"R","fields":[{"name":"n","type":{"type":"array","items":"double"}}]}"#,
    )
    .unwrap();
    let routes =
        Routes::compile(vec![definition("A", "n.exists(x, x < -1e300)")], &schema).unwrap();
    let mut datum = vec![4];
    datum.extend(f64::NEG_INFINITY.to_le_bytes());
    datum.extend(1.0_f64.to_le_bytes());
    datum.push(0);
    assert_eq!(routes.decide(&datum, &mut Scratch::default()), Ok(Some(0)));
}

#[test]
fn never_routes_invalid_datums() {
    let routes = routes(&["true"]).unwrap();
    let schema = Schema::parse(ORDER).unwrap();
    let datum = schema.from_json(&order()).unwrap();
    let mut scratch = Scratch::default();
    assert_eq!(routes.decide(&datum, &mut scratch), Ok(Some(0)));
    for length in 0..datum.len() {
        let decision = routes.decide(&datum[..length], &mut scratch);
        assert!(
            matches!(decision, Err(EvalError::InvalidDatum(_))),
            "{length}"
        );
    }
    let longer = [datum.as_slice(), &[0]].concat();
    let decision = routes.decide(&longer, &mut scratch);
    assert!(matches!(decision, Err(EvalError::InvalidDatum(_))));
}

#[test]
fn a_condition_without_a_value_is_an_error() {
    for (condition, reason) in [
        ("email > 'a'", "no matching overload"),
        ("1 / (id - 1010) > 0", "ivision by zero"),
        ("id + 9223372036854775807 > 0", "verflow"),
        ("tags['z'] == 'b'", "No such key: z"),
        ("lines[7].sku == 'x'", "ut of bounds"),
        ("lines[0].stamp.size() > 0", "no matching overload"),
    ] {
        match decide(&["id == 1", condition, "true"], &order()) {
            Err(error @ EvalError::Condition { route: 1, .. }) => {
                let text = error.to_string();
                assert!(text.contains(reason), "{condition}: {text}");
                assert!(
                    text.starts_with("evaluating the condition of route 1: "),
                    "{text}"
                );
            }
            other => panic!("{condition}: {other:?}"),
        }
    }
    // It is not evaluated after a match.
    assert_eq!(
        decide(&["id == 1010", "tags['z'] == 'b'"], &order()),
        Ok(Some(0))
    );
}

/// Avro specification 1.12: unknown and invalid logical types are ignored, and an error is a record.
#[test]
fn accepts_every_schema_that_the_validator_accepts() {
    for (field, value) in [
        (json!({"type": "string", "logicalType": null}), json!("x")),
        (json!({"type": "string", "logicalType": 7}), json!("x")),
        (
            json!({"type": "string", "logicalType": "unknown"}),
            json!("x"),
        ),
        (json!({"type": "string", "logicalType": "date"}), json!("x")),
        (json!({"type": "int", "logicalType": "uuid"}), json!(1)),
        (
            json!({"type": "enum", "name": "E", "symbols": ["A"], "logicalType": "uuid"}),
            json!("A"),
        ),
        (
            json!({"type": "bytes", "logicalType": "decimal", "precision": -1, "scale": 9}),
            json!("x"),
        ),
        (
            json!({"type": "fixed", "name": "F", "size": 2, "logicalType": "duration"}),
            json!("xy"),
        ),
        (
            json!({"type": "error", "name": "Failed", "fields": [{"name": "code", "type": "int"}]}),
            json!({"code": 1}),
        ),
    ] {
        for kind in ["record", "error"] {
            let text = json!({"type": kind, "name": "R", "fields": [
                {"name": "id", "type": "int"}, {"name": "field", "type": field}]});
            let schema = Schema::parse(&text.to_string()).unwrap();
            let datum = schema.from_json(&json!({"id": 1, "field": value})).unwrap();
            assert_eq!(schema.validate(&datum), Ok(()));
            let conditions = vec![definition("A", "id == 2"), definition("B", "field != null")];
            let routes = Routes::compile(conditions, &schema).unwrap();
            let decision = routes.decide(&datum, &mut Scratch::default());
            assert_eq!(decision, Ok(Some(1)), "{text}");
        }
    }
}

#[test]
fn rejects_invalid_routes() {
    for (conditions, expected) in [
        (
            vec!["idd == 1"],
            r#"route "0": idd == 1: the record has no field idd"#,
        ),
        (
            vec!["id == 1", "id==1"],
            r#"route "1": it never matches, because route "0" before it"#,
        ),
        (
            vec!["id == 1", "email == 'x' && id == 1"],
            r#"route "1": it never matches"#,
        ),
        (vec!["true", "id == 1"], r#"route "1": it never matches"#),
        (
            vec!["1 + 1 == 2", "id == 1"],
            r#"route "1": it never matches"#,
        ),
        (
            vec!["1 > 2"],
            r#"route "0": it never matches, because its condition is false"#,
        ),
        (
            vec!["id == 1 && id == 2"],
            r#"route "0": id == 1 && id == 2: the conditions on id contradict each other (at character 9)"#,
        ),
    ] {
        let error = routes(&conditions).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{conditions:?}: {error}");
    }
    let twice = vec![definition("A", "id == 1"), definition("A", "id == 2")];
    let error = Routes::compile(twice, &Schema::parse(ORDER).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"route "A": another route has this name"#
    );
}

#[test]
fn warns_of_suspicious_conditions() {
    let routes = routes(&["email.contains('x')", "true"]).unwrap();
    assert_eq!(routes.warnings().len(), 2);
    assert!(routes.warnings()[0].starts_with(r#"route "0": email may be null"#));
    assert_eq!(routes.warnings()[1], r#"route "1" matches every record"#);
}

#[test]
fn the_fingerprint_depends_only_on_schema_names_conditions_and_order() {
    let schema = Schema::parse(ORDER).unwrap();
    let fingerprint = |definitions: Vec<RouteDefinition>| {
        Routes::compile(definitions, &schema).unwrap().fingerprint()
    };
    let (a, b) = (definition("A", "id == 1"), definition("B", "id == 2"));
    let first = fingerprint(vec![a.clone(), b.clone()]);
    assert_eq!(first, fingerprint(vec![a.clone(), b.clone()]));
    assert_ne!(first, fingerprint(vec![b.clone(), a.clone()]));
    assert_ne!(
        first,
        fingerprint(vec![definition("A2", "id == 1"), b.clone()])
    );
    assert_ne!(first, fingerprint(vec![definition("A", "id == 3"), b]));
    let user = Schema::parse(include_str!("../../../schemas/user.avsc")).unwrap();
    let built_in = vec![definition("A", "id == 1010"), definition("B", "id == 1020")];
    let built_in = Routes::compile(built_in, &user).unwrap();
    // Computed with an independent implementation of CRC-64-AVRO and FNV-1a.
    assert_eq!(built_in.fingerprint(), 0x925efbbfa48dcfb7);
}

#[test]
fn scratch_memory_is_reused() {
    let routes = routes(&["id == 1", "address.city == 'x'"]).unwrap();
    let datum = Schema::parse(ORDER).unwrap().from_json(&order()).unwrap();
    let mut scratch = Scratch::default();
    routes.decide(&datum, &mut scratch).unwrap();
    let memory = (scratch.0.as_ptr(), scratch.0.capacity());
    assert!(memory.1 >= 2);
    routes.decide(&datum, &mut scratch).unwrap();
    assert_eq!((scratch.0.as_ptr(), scratch.0.capacity()), memory);
}

#[test]
fn all_errors_and_warnings_are_found_at_once() {
    let definitions = vec![
        definition("good", "id == 1"),
        definition("field", "idd == 1"),
        definition("good", "id == 2"),
        definition("field", "id == 3"),
        definition("type", "id == 'x'"),
        definition("all", "true"),
        definition("never", "id == 4"),
    ];
    let failure = Routes::compile_all(definitions, &Schema::parse(ORDER).unwrap()).unwrap_err();
    let found: Vec<_> = failure
        .errors
        .iter()
        .map(|error| {
            let text = error.to_string();
            (
                error.route.unwrap(),
                text.split(": ").next().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [
        (1, "field"),
        (2, "good"),
        (3, "field"),
        (4, "type"),
        (6, "never"),
    ];
    assert_eq!(
        found,
        expected.map(|(route, name)| (route, format!("route {name:?}")))
    );
    assert_eq!(failure.warnings, ["route \"all\" matches every record"]);
}
