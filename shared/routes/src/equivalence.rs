//! Property tests: the results of compiled conditions equal the interpreter's, and contradictions never match.

use avro::{Field, Schema};
use proptest::prelude::*;

use crate::check::{Checked, check};
use crate::compiled::Compiled;
use crate::interpret::{Interpreter, Record};
use crate::types::Types;

const SCHEMA: &str = r#"{"type":"record","name":"Order","fields":[
    {"name":"id","type":"long"},
    {"name":"age","type":["null","long"]},
    {"name":"name","type":"string"},
    {"name":"email","type":["null","string"]},
    {"name":"paid","type":"boolean"},
    {"name":"late","type":["null","boolean"]},
    {"name":"price","type":"double"},
    {"name":"raw","type":"bytes"},
    {"name":"any","type":["null","long","string","double","boolean"]},
    {"name":"address","type":["null",{"type":"record","name":"A","fields":[
        {"name":"city","type":"string"}]}]}]}"#;

const NAMES: [&str; 10] = [
    "id",
    "age",
    "name",
    "email",
    "paid",
    "late",
    "price",
    "raw",
    "any",
    "address.city",
];

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3..4_i64,
        Just(i64::MIN),
        Just(i64::MAX),
        Just(1 << 53),
        Just((1 << 53) + 1)
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-3..4_i32).prop_map(f64::from),
        Just(0.5),
        Just(-0.0),
        Just(9_007_199_254_740_992.0),
        Just(1e300)
    ]
}

fn stored_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        double(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY)
    ]
}

fn text() -> impl Strategy<Value = String> {
    "[abé]{0,3}"
}

fn number_text() -> impl Strategy<Value = String> {
    // CEL has no other notation for the smallest int than its literal.
    prop_oneof![
        int().prop_map(|n| n.to_string()),
        double().prop_map(|n| format!("{n:?}"))
    ]
}

fn comparison() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="])
}

fn leaf() -> impl Strategy<Value = String> {
    let numbers = prop::sample::select(vec!["id", "age", "price", "any"]);
    let texts = prop::sample::select(vec!["name", "email", "address.city", "any"]);
    let sized = prop::sample::select(vec!["name", "email", "raw", "any"]);
    let all = prop::sample::select(NAMES.to_vec());
    let flags = prop::sample::select(vec!["paid", "late", "any"]);
    let function = prop::sample::select(vec!["startsWith", "endsWith", "contains", "matches"]);
    prop_oneof![
        (numbers.clone(), comparison(), number_text()).prop_map(|(f, c, n)| format!("{f} {c} {n}")),
        (number_text(), comparison(), numbers.clone()).prop_map(|(n, c, f)| format!("{n} {c} {f}")),
        (texts.clone(), comparison(), text()).prop_map(|(f, c, t)| format!("{f} {c} '{t}'")),
        (texts.clone(), function, text()).prop_map(|(f, g, t)| format!("{f}.{g}('{t}')")),
        (sized.clone(), comparison(), -1..4_i64).prop_map(|(f, c, n)| format!("size({f}) {c} {n}")),
        (sized, comparison(), 0..4_i64).prop_map(|(f, c, n)| format!("{n} {c} {f}.size()")),
        (numbers, prop::collection::vec(int(), 0..4)).prop_map(|(f, n)| format!("{f} in {n:?}")),
        (texts, prop::collection::vec(text(), 0..4)).prop_map(|(f, t)| format!("{f} in {t:?}")),
        (all, prop::bool::ANY)
            .prop_map(|(f, n)| format!("{f} {} null", if n { "==" } else { "!=" })),
        (flags.clone(), comparison(), prop::bool::ANY).prop_map(|(f, c, b)| format!("{f} {c} {b}")),
        flags.prop_map(str::to_owned),
        prop::bool::ANY.prop_map(|b| b.to_string()),
        Just("has(address.city)".to_owned()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// An owned value of a field.
#[derive(Clone, Debug)]
enum Owned {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
}

impl Owned {
    fn field(&self) -> Field<'_> {
        match self {
            Self::Null => Field::Null,
            Self::Bool(value) => Field::Bool(*value),
            Self::Int(value) => Field::Int(*value),
            Self::Double(value) => Field::Double(*value),
            Self::Str(value) => Field::Str(value),
            Self::Bytes(value) => Field::Bytes(value),
        }
    }
}

/// The values of a record, in the order of [`NAMES`].
fn record() -> impl Strategy<Value = Vec<Owned>> {
    fn or_null(strategy: impl Strategy<Value = Owned> + 'static) -> BoxedStrategy<Owned> {
        prop_oneof![1 => Just(Owned::Null), 3 => strategy].boxed()
    }
    let bytes = || prop::collection::vec(any::<u8>(), 0..4).prop_map(Owned::Bytes);
    let any_of = prop_oneof![
        int().prop_map(Owned::Int),
        text().prop_map(Owned::Str),
        stored_double().prop_map(Owned::Double),
        any::<bool>().prop_map(Owned::Bool),
    ];
    (
        int().prop_map(Owned::Int),
        or_null(int().prop_map(Owned::Int)),
        text().prop_map(Owned::Str),
        or_null(text().prop_map(Owned::Str)),
        any::<bool>().prop_map(Owned::Bool),
        or_null(any::<bool>().prop_map(Owned::Bool)),
        stored_double().prop_map(Owned::Double),
        bytes(),
        or_null(any_of),
        or_null(text().prop_map(Owned::Str)),
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i, j)| vec![a, b, c, d, e, f, g, h, i, j])
}

fn compile(condition: &str, types: &Types) -> Option<(Checked, Compiled)> {
    let checked = check(condition, types).ok()?;
    let slot = |path: &str| NAMES.iter().position(|name| *name == path);
    let compiled = Compiled::compile(&checked.expression, &slot)
        .unwrap_or_else(|| panic!("{condition} cannot be compiled"));
    Some((checked, compiled))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn compiled_conditions_agree_with_the_interpreter(condition in condition(), records in prop::collection::vec(record(), 1..8)) {
        let types = Types::of(&Schema::parse(SCHEMA).unwrap());
        let interpreter = Interpreter::new();
        let names = NAMES.map(str::to_owned);
        // The check rejects conditions that do not fit the schema, such as an invalid pattern.
        if let Some((checked, compiled)) = compile(&condition, &types) {
            for record in &records {
                let fields: Vec<Field<'_>> = record.iter().map(Owned::field).collect();
                let record = Record { names: &names, fields: &fields, json: None, types: &types };
                if let Some(result) = compiled.matches(&fields) {
                    prop_assert_eq!(
                        Ok(result),
                        interpreter.matches(&checked.expression, &record),
                        "{}: {:?}", condition, fields
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn contradictions_never_match(leaves in prop::collection::vec(leaf(), 1..5), records in prop::collection::vec(record(), 1..8)) {
        let types = Types::of(&Schema::parse(SCHEMA).unwrap());
        let condition = leaves.join(" && ");
        if let Some((checked, compiled)) = compile(&condition, &types)
            && checked.contradiction.is_some()
        {
            for record in &records {
                let fields: Vec<Field<'_>> = record.iter().map(Owned::field).collect();
                prop_assert_ne!(compiled.matches(&fields), Some(true), "{}: {:?}", condition, fields);
            }
        }
    }
}

#[test]
fn compiled_conditions_have_a_result_without_nulls() {
    let types = Types::of(&Schema::parse(SCHEMA).unwrap());
    for (condition, expected) in [
        ("id == 1010", true),
        ("id in [3, 1010, 2] && name.endsWith('ul')", true),
        ("!(price < 2.5) || size(name) != 4", true),
        ("name.matches('^P.*x')", false),
        (
            "2 <= price && has(address.city) && address.city == 'Rome'",
            true,
        ),
        ("late == null ? paid : late", false),
        ("email == 'x' || email in ['y']", false),
    ] {
        let (_, compiled) = compile(condition, &types).unwrap();
        let fields = [
            Field::Int(1010),
            Field::Null,
            Field::Str("Paul"),
            Field::Null,
            Field::Bool(false),
            Field::Null,
            Field::Double(2.5),
            Field::Bytes(b""),
            Field::Null,
            Field::Str("Rome"),
        ];
        assert_eq!(compiled.matches(&fields), Some(expected), "{condition}");
    }
}
