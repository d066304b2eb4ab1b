//! Reads a condition and checks it against the schema, so that a slip of the pen is found before the first record
//! and not by it. Pure: a condition and the types of the fields in, a checked expression out.
//!
//! A condition is CEL (<https://github.com/google/cel-spec>): the standard macros, operators and functions, without
//! timestamps, durations and optional values. The record's fields are its variables. A field of a record that is
//! null is null, and `has(record.field)` asks whether it is not, as CEL does for messages.

use cel::common::ast::{EntryExpr, Expr};
use cel::{Env, IdedExpr};

use super::infer::{Checker, Problem};
use super::shape::Shapes;

/// The longest condition, in bytes.
const LONGEST: usize = 4 << 10;

/// How deep an expression may be nested, so that the interpreter, which recurses, stays within the stack.
const DEEPEST: usize = 64;

/// Room for the parser, which recurses for each of [`LONGEST`] bytes at worst; only what is used takes memory.
const PARSER_STACK: usize = 256 << 20;

/// A condition that fits the schema.
#[derive(Debug)]
pub(super) struct Checked {
    /// The condition, in which a field of the record is a plain identifier (`address.city`).
    pub(super) expression: IdedExpr,
    /// The fields it names, each once.
    pub(super) fields: Vec<String>,
    /// What is allowed but hardly meant.
    pub(super) warnings: Vec<String>,
}

/// Reads a condition and checks it.
///
/// # Errors
/// It is no CEL, names a field that does not exist, uses a value as what it is not, or is not true or false.
pub(super) fn check(condition: &str, shapes: &Shapes) -> Result<Checked, String> {
    if condition.len() > LONGEST {
        return Err(format!(
            "it has {} bytes, and at most {LONGEST} are read",
            condition.len()
        ));
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, || parse_and_check(condition, shapes))
            .map_err(|error| format!("starting a thread to read it: {error}"))?
            .join()
            .unwrap_or_else(|_| Err("the CEL parser gave up on it".to_owned()))
    })
}

fn parse_and_check(condition: &str, shapes: &Shapes) -> Result<Checked, String> {
    let program = Env::stdlib()
        .with_optional_support(false)
        .compile(condition)
        .map_err(|errors| syntax(condition, &errors))?;
    if depth(program.expression()) > DEEPEST {
        return Err(format!("it is nested more than {DEEPEST} deep"));
    }
    let mut expression = program.expression().clone();
    let mut checker = Checker::new(shapes);
    let place = |problem: Problem| match program.source_info().offset_for(problem.id) {
        Some((start, _)) => format!("{} (at character {})", problem.text, start + 1),
        None => problem.text,
    };
    let result = checker.infer(&mut expression).map_err(place)?;
    checker
        .boolean(&expression, &result, "a condition")
        .map_err(place)?;
    Ok(Checked {
        expression,
        warnings: checker.all_warnings(),
        fields: checker.fields,
    })
}

fn depth(expression: &IdedExpr) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(depth).max().unwrap_or(0);
    1 + match &expression.expr {
        Expr::Call(call) => deepest(&mut call.target.as_deref().into_iter().chain(&call.args)),
        Expr::Select(select) => depth(&select.operand),
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => deepest(&mut map.entries.iter().flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(field) => vec![&field.value],
        })),
        Expr::Comprehension(parts) => deepest(
            &mut [
                &parts.iter_range,
                &parts.accu_init,
                &parts.loop_cond,
                &parts.loop_step,
                &parts.result,
            ]
            .into_iter(),
        ),
        Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => 0,
    }
}

fn syntax(condition: &str, errors: &cel::ParseErrors) -> String {
    let Some(first) = errors.errors.first() else {
        return "it is no CEL expression".to_owned();
    };
    let single_equals = condition.replace(['=', '!', '<', '>'], "=").contains("==");
    let hint = if condition.contains('=') && !single_equals {
        "; to compare, write =="
    } else {
        ""
    };
    format!("{} (at character {}){hint}", first.msg, first.pos.1)
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
        check(condition, &Shapes::of(SCHEMA).unwrap())
    }

    #[test]
    fn accepts_what_fits_the_schema_and_names_the_fields_it_needs() {
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
            ("string(id).endsWith('0')", "id"),
            ("true", ""),
        ] {
            let checked = checked(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
            assert_eq!(checked.fields.join(" "), fields, "{condition}");
        }
    }

    #[test]
    fn a_mistake_is_explained_where_it_is() {
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
            ("name > 5", "> compares name (a string) with an int"),
            (
                "colour == 'GREEN'",
                "the enum has no symbol \"GREEN\"; it has RED, BLUE (at character 11)",
            ),
            ("colour in ['RED', 'GREEN']", "no symbol \"GREEN\""),
            (
                "id",
                "a condition is made of true and false; this is an int",
            ),
            (
                "name || paid",
                "|| is made of true and false; this is a string",
            ),
            (
                "id.startsWith('1')",
                "startsWith() is not for id (an int) and a string",
            ),
            ("id.city == 'x'", "id (an int)"),
            ("name.matches('[')", "\"[\" is no pattern"),
            (
                "price % 2.0 == 0.0",
                "% is not for price (a double) and a double",
            ),
            (
                "id + name == 'x'",
                "+ is not for id (an int) and name (a string)",
            ),
            ("frobnicate(id)", "there is no function frobnicate()"),
            (
                "name in ['a', 'b'].map(x, size(x))",
                "in looks for name (a string) in a list of another type",
            ),
            (
                "lines.exists(l, l.price > 1)",
                "no field price; it has sku, discount",
            ),
            ("Order{id: 1} == null", "messages cannot be built here"),
            ("id = 1010", "to compare, write =="),
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
    fn what_may_be_null_is_asked_for_or_warned_about() {
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
        assert!(warnings("id != null")[0].starts_with("id (an int) is never null"));
    }

    #[test]
    fn hostile_conditions_are_refused_and_do_not_overflow_the_stack() {
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

        /// A release build ends at a panic, so the parser must not have one.
        #[test]
        fn no_condition_makes_the_parser_give_up(words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..12)) {
            for condition in [words.join(" "), words.concat()] {
                if let Err(error) = checked(&condition) {
                    proptest::prop_assert!(!error.contains("gave up"), "{}: {}", condition, error);
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
