//! Property tests: the results of compiled conditions equal the interpreter's, and contradictions never match.

mod generators;

use avro::{Field, Schema};
use proptest::prelude::*;

use crate::check::{Checked, check};
use crate::compiled::Compiled;
use crate::interpret::{Faults, Interpreter, Record};
use crate::logical::Encoding;
use crate::types::Types;
use crate::unreachable::covers;

use generators::{NAMES, Owned, SCHEMA, condition, leaf, record, small_leaf};

fn encodings(types: &Types) -> [Encoding; NAMES.len()] {
    NAMES.map(|name| types.field_at(name).unwrap().kind.encoding())
}

fn compile(condition: &str, types: &Types) -> Option<(Checked, Compiled)> {
    let checked = check(condition, types).ok()?;
    let slot = |path: &str| {
        let slot = NAMES.iter().position(|name| *name == path)?;
        Some((slot, encodings(types)[slot]))
    };
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
        let (names, encodings) = (NAMES.map(str::to_owned), encodings(&types));
        // The check rejects conditions that do not fit the schema, such as an invalid pattern.
        if let Some((checked, compiled)) = compile(&condition, &types) {
            for record in &records {
                let fields: Vec<Field<'_>> = record.iter().map(Owned::field).collect();
                let record = Record {
                    names: &names,
                    fields: &fields,
                    encodings: &encodings,
                    json: None,
                    types: &types,
                    faults: Faults::default(),
                };
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_covered_route_never_matches(earlier in small_leaf(), later in prop::collection::vec(small_leaf(), 1..3), records in prop::collection::vec(record(), 1..8)) {
        let types = Types::of(&Schema::parse(SCHEMA).unwrap());
        if let (Some((first, compiled)), Some((second, other))) =
            (compile(&earlier, &types), compile(&later.join(" && "), &types))
            && covers(&first.expression, &second.expression, &types)
        {
            for record in &records {
                let fields: Vec<Field<'_>> = record.iter().map(Owned::field).collect();
                if other.matches(&fields) == Some(true) {
                    prop_assert_eq!(compiled.matches(&fields), Some(true), "{}: {:?}: {:?}", earlier, later, fields);
                }
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
        (
            "at == timestamp('2026-01-01T00:00:00Z') && day <= timestamp('2026-01-01T12:00:00Z')",
            true,
        ),
        ("open == duration('1h') && seen == null", true),
        ("amount in [2.5, 2.550] && amount > 2 && total != 1", true),
        (
            "key == 'abababab-abab-abab-abab-abababababab' && key.endsWith('ab')",
            true,
        ),
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
            Field::Int(1_767_225_600_000),
            Field::Null,
            Field::Int(20_454),
            Field::Int(3_600_000_000),
            Field::Bytes(&[0x00, 0xff]),
            Field::Null,
            Field::Bytes(&[0xab; 16]),
        ];
        assert_eq!(compiled.matches(&fields), Some(expected), "{condition}");
    }
}
