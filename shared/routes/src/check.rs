//! Checks a condition against the schema, so that mistakes are found before the first record.
//!
//! A condition is CEL (<https://github.com/google/cel-spec>) with the standard macros, operators and functions, but without
//! optional values. `decimal()` is an addition. The record's fields are the variables, and `record` is the whole record, for
//! fields whose names CEL reserves. A field of a record that is null is null. `has(address.city)` is true if the field is
//! not null, as for CEL's messages.

use cel::IdedExpr;

use crate::contradiction;
use crate::infer::Inference;
use crate::operators;
use crate::problem::Problem;
use crate::syntax;
use crate::types::Types;

/// A condition that fits the schema.
#[derive(Debug)]
pub(super) struct Checked {
    /// The condition, in which a field of the record is a plain identifier (`address.city`).
    pub(super) expression: IdedExpr,
    /// The fields in the condition, without duplicates.
    pub(super) fields: Vec<String>,
    /// Why a part of the condition is never true, if one is.
    pub(super) contradiction: Option<String>,
    /// Parts that are valid but suspicious.
    pub(super) warnings: Vec<String>,
}

/// Parses and checks a condition.
///
/// # Errors
/// The condition is not CEL, names an unknown field, uses a value of the wrong type, or is not a boolean.
pub(super) fn check(condition: &str, types: &Types) -> Result<Checked, String> {
    syntax::with_parsed(condition, types, |mut expression, source| {
        let mut inference = Inference::new(types, source);
        let with_position = |problem: Problem| problem.with_position(source);
        let result = inference.infer(&mut expression).map_err(with_position)?;
        operators::require_boolean(&mut inference.warnings, &expression, &result, "a condition")
            .map_err(with_position)?;
        let contradiction = contradiction::check(&expression, types).err();
        Ok(Checked {
            contradiction: contradiction.map(with_position),
            expression,
            warnings: inference.warnings.into_messages(&inference.fields),
            fields: inference.fields,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"Order","fields":[
        {"name":"id","type":"int"},
        {"name":"name","type":"string"},
        {"name":"email","type":["null","string"]},
        {"name":"paid","type":"boolean"},
        {"name":"price","type":"double"},
        {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}},
        {"name":"tags","type":{"type":"map","values":"string"}},
        {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
            {"name":"sku","type":"string"},{"name":"discount","type":["null","double"]}]}}},
        {"name":"address","type":["null",{"type":"record","name":"Address","fields":[
            {"name":"city","type":"string"},{"name":"zip","type":["null","string"]}]}]}]}"#;

    fn checked(condition: &str) -> Result<Checked, String> {
        check(condition, &Types::of(&avro::Schema::parse(SCHEMA).unwrap()))
    }

    #[test]
    fn accepts_conditions_that_fit_the_schema_and_lists_their_fields() {
        for (condition, fields) in [
            ("id == 1010", "id"),
            ("id in [1, 2] && !paid || price < 2", "id paid price"),
            ("colour in ['RED'] && name.startsWith('a')", "colour name"),
            ("email != null && email.matches('@bank[.]com$')", "email"),
            ("tags.size() > 1 && tags['a'] == tags.b", "tags"),
            ("has(tags.a) && 'b' in tags", "tags"),
            (
                "address.city == 'x' && has(address.zip)",
                "address.city address.zip",
            ),
            (
                "address != null && address.city < 'n'",
                "address address.city",
            ),
            ("lines.exists(l, l.sku == 'x' && l.discount > 0.5)", "lines"),
            (
                "lines.filter(l, l.sku != name).map(l, size(l.sku))[0] == id",
                "lines name id",
            ),
            (
                "lines.all(id, id.sku != '') ? paid : id + 1 > 2",
                "lines paid id",
            ),
            ("lines.exists_one(l, l == lines[0])", "lines"),
            ("[99999999999].exists(id, id == 99999999999)", ""),
            ("string(id).endsWith('0')", "id"),
            ("true", ""),
        ] {
            let checked = checked(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
            assert_eq!(checked.fields.join(" "), fields, "{condition}");
        }
    }

    #[test]
    fn mistakes_are_reported_with_their_position() {
        for (condition, expected) in [
            (
                "idd == 1",
                "the record has no field idd; it has id, name, email, paid, price, colour, tags, lines, address (at character 1)",
            ),
            (
                "id == 1 && address.town == 'x'",
                "address has no field town; it has city, zip (at character",
            ),
            (
                "id == '1010'",
                "== compares id (an int) with a string, which are never equal",
            ),
            ("name > 5", "> cannot compare name (a string) with an int"),
            (
                "colour == 'GREEN'",
                "the enum has no symbol \"GREEN\"; it has RED, BLUE (at character 11)",
            ),
            ("colour in ['RED', 'GREEN']", "no symbol \"GREEN\""),
            ("id", "a condition requires a boolean, not an int"),
            ("name || paid", "|| requires a boolean, not a string"),
            (
                "id.startsWith('1')",
                "startsWith() does not accept id (an int) and a string",
            ),
            ("id.city == 'x'", "id (an int)"),
            ("name.matches('[')", "invalid pattern \"[\""),
            (
                "price % 2.0 == 0.0",
                "% does not accept price (a double) and a double",
            ),
            (
                "id + name == 'x'",
                "+ does not accept id (an int) and name (a string)",
            ),
            ("frobnicate(id)", "unknown function frobnicate()"),
            (
                "name in ['a', 'b'].map(x, size(x))",
                "in cannot find name (a string) in a list of another type",
            ),
            (
                "lines.exists(l, l.price > 1)",
                "no field price; it has sku, discount",
            ),
            ("Order{id: 1} == null", "messages are not supported"),
            ("record.idd == 1", "the record has no field idd"),
            ("has(record.idd)", "the record has no field idd"),
            (
                "record != null",
                "record is the whole record: write record.field",
            ),
            (
                "lines.exists(id, record.id == 1)",
                "the macro's variable id hides record.id: rename the variable",
            ),
            ("id / 0 == 1", "division by zero (at character 4)"),
            ("1 % -0 == id", "division by zero"),
            (
                "id == 99999999999",
                "id is never 99999999999: it is an int, from -2147483648 to 2147483647 (at character 7)",
            ),
            ("-2147483649 != record.id", "id is never -2147483649"),
            ("id in [1, 99999999999]", "id is never 99999999999"),
            ("name == 'é' && idd == 1", "(at character 16)"),
            ("id = 1010", "use == to compare"),
            ("id == ", "(at character"),
            ("", "(at character"),
        ] {
            let Err(error) = checked(condition) else {
                panic!("{condition} passed")
            };
            assert!(error.contains(expected), "{condition}: {error}");
        }
    }

    #[test]
    fn warns_of_nullable_fields_without_a_null_check() {
        let warnings = |condition: &str| checked(condition).unwrap().warnings;
        assert_eq!(warnings("email == 'x'"), [] as [&str; 0]);
        assert_eq!(
            warnings("email != null && email.contains('x')"),
            [] as [&str; 0]
        );
        assert_eq!(
            warnings("has(address.zip) && address.zip > 'a'"),
            [] as [&str; 0]
        );
        assert_eq!(
            warnings("address != null && address.city > 'a'"),
            [] as [&str; 0]
        );
        assert!(
            warnings("email.contains('x')")[0].starts_with("email may be null, and contains()")
        );
        assert!(warnings("address.city > 'a'")[0].starts_with("address.city may be null"));
        assert_eq!(
            warnings("99999999999 > id"),
            ["id has 32 bits, so that its comparison with 99999999999 is constant"]
        );
        assert!(warnings("id != null")[0].starts_with("id (an int) is never null"));
    }

    #[test]
    fn rejects_hostile_conditions_without_a_stack_overflow() {
        for condition in [
            "(".repeat(4_000),
            format!("{}id == 1{}", "(".repeat(1_900), ")".repeat(1_900)),
            "!".repeat(4_000),
            "[".repeat(4_000),
            format!("{}id{} == []", "[".repeat(1_900), "]".repeat(1_900)),
            format!("tags{} == 'x'", ".a".repeat(1_900)),
            format!("{} > 0", vec!["id"; 800].join("+")),
            format!("id{} == 1", ".a()".repeat(900)),
            format!("{}id{} == 1", "size(".repeat(600), ")".repeat(600)),
            "x".repeat(20_000),
        ] {
            assert!(checked(&condition).is_err(), "{condition}");
        }
        let long = vec!["id==1"; 400].join(" || ");
        assert!(checked(&long).is_ok());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

        /// A panic ends a release build.
        #[test]
        fn the_parser_never_panics(words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..12)) {
            for condition in [words.join(" "), words.concat()] {
                if let Err(error) = checked(&condition) {
                    proptest::prop_assert!(!error.contains("panicked"), "{}: {}", condition, error);
                }
            }
        }
    }

    const WORDS: [&str; 52] = [
        "id",
        "name",
        "tags",
        "lines",
        "address",
        "email",
        ".",
        "city",
        "sku",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "%",
        "in",
        "1",
        "0u",
        "1.5",
        "-9223372036854775808",
        "99999999999999999999",
        "1e999",
        "'x'",
        "'",
        "b'\\xff'",
        "'\\ud800'",
        "'\\u{1f600}'",
        "r'\\'",
        "null",
        "true",
        "has",
        "exists",
        "all",
        "map",
        "x",
        "\n",
        "é",
        "// c",
        "\0",
    ];
}
