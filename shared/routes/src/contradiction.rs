//! Finds conjunctions that are never true, because their conditions on one field contradict each other.

use avro::Field;
use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use crate::compiled;
use crate::predicate::{Comparison, Predicate};
use crate::problem::Problem;
use crate::types::{Kind, Types};

/// A condition on a field: the field, the predicate, and its required result.
type Requirement<'e> = (&'e str, Predicate, bool);

/// Checks each conjunction (`operand && operand && …`) of a condition whose fields are plain identifiers.
///
/// # Errors
/// A conjunction is never true. The search is not complete: no error does not mean that all can be true.
pub(super) fn check(expression: &IdedExpr, types: &Types) -> Result<(), Problem> {
    let mut requirements = Vec::new();
    let mut others = Vec::new();
    conjunction(expression, &mut requirements, &mut others);
    for (index, (path, ..)) in requirements.iter().enumerate() {
        let is_first = !requirements[..index]
            .iter()
            .any(|(other, ..)| other == path);
        let of_field = || requirements.iter().filter(|(other, ..)| other == path);
        let is_possible = |value: &Field<'_>| of_field().all(|one| is_met(one, value));
        if is_first
            && let Some(values) = candidates(of_field(), path, types)
            && !values.iter().any(is_possible)
        {
            let message = match of_field().count() {
                1 => format!("the condition on {path} is never true"),
                _ => format!("the conditions on {path} contradict each other"),
            };
            return Err(Problem::new(expression.id, message));
        }
    }
    others.into_iter().try_for_each(|part| check(part, types))
}

/// Whether `operand`, a condition on one field, is true for every record for which `expression` is true. False means unknown.
pub(super) fn implies(expression: &IdedExpr, operand: &IdedExpr, types: &Types) -> bool {
    let Some((path, predicate)) = compiled::predicate(operand) else {
        return false;
    };
    let (mut requirements, mut others) = (Vec::new(), Vec::new());
    conjunction(expression, &mut requirements, &mut others);
    requirements.retain(|(other, ..)| *other == path);
    let is_required = |value: &Field<'_>| requirements.iter().all(|one| is_met(one, value));
    let is_implied = |value: &Field<'_>| predicate.test(value) == Some(true);
    let negated = (path, predicate.clone(), false);
    candidates(requirements.iter().chain([&negated]), path, types).is_some_and(|values| {
        values
            .iter()
            .all(|value| !is_required(value) || is_implied(value))
    })
}

/// Splits a conjunction into conditions on single fields, and the conjunctions inside the other operands.
fn conjunction<'e>(
    expression: &'e IdedExpr,
    requirements: &mut Vec<Requirement<'e>>,
    others: &mut Vec<&'e IdedExpr>,
) {
    if let Some((path, predicate)) = compiled::predicate(expression) {
        return requirements.push((path, predicate, true));
    }
    let Expr::Call(call) = &expression.expr else {
        return;
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_AND, parts) => {
            (parts.iter()).for_each(|part| conjunction(part, requirements, others));
        }
        (operators::LOGICAL_NOT, [operand]) => match compiled::predicate(operand) {
            Some((path, predicate)) => requirements.push((path, predicate, false)),
            None => others.push(operand),
        },
        (operators::LOGICAL_OR | operators::CONDITIONAL, parts) => others.extend(parts),
        _ => {}
    }
}

/// The values of a field that decide: if none of them meets all requirements, no value does. `None` if there is no such list.
fn candidates<'e>(
    requirements: impl Iterator<Item = &'e Requirement<'e>>,
    path: &str,
    types: &'e Types,
) -> Option<Vec<Field<'e>>> {
    let kind = types.field_at(path)?;
    let mut values = match kind.kind {
        Kind::Enum(index) => {
            let symbols = types.symbols[index].iter();
            symbols.map(|symbol| Field::Str(symbol)).collect()
        }
        Kind::Int => vec![Field::Int(0)],
        Kind::Bool => vec![Field::Bool(true), Field::Bool(false)],
        _ => Vec::new(),
    };
    // Whether the requirements list all values, and whether `values` decides about each requirement.
    let (mut is_listed, mut is_decided) = (false, !values.is_empty());
    for (_, predicate, required) in requirements {
        let is_equality = |comparison: &Comparison| *required && *comparison == Comparison::Equal;
        match (&kind.kind, predicate) {
            (Kind::Bool | Kind::Enum(_), _) | (_, Predicate::IsNull(_)) => {}
            (Kind::Int, Predicate::Int(_, number)) => values.extend(neighbours(*number)),
            (Kind::Int, Predicate::InInts(numbers)) => {
                values.extend(numbers.iter().flat_map(|number| neighbours(*number)));
            }
            (Kind::Double, Predicate::Double(comparison, number)) if is_equality(comparison) => {
                is_listed = true;
                values.push(Field::Double(*number));
            }
            (kind, Predicate::Str(comparison, text))
                if kind.is_text() && is_equality(comparison) =>
            {
                is_listed = true;
                values.push(Field::Str(text));
            }
            (kind, Predicate::InStrs(texts)) if kind.is_text() && *required => {
                is_listed = true;
                values.extend(texts.iter().map(|text| Field::Str(text)));
            }
            _ => is_decided = false,
        }
    }
    if !is_decided && !is_listed {
        return None;
    }
    if types.is_int(path) {
        let fits = |value: &Field<'_>| matches!(value, Field::Int(n) if i32::try_from(*n).is_ok());
        values.retain(fits);
    }
    if kind.nullable {
        values.push(Field::Null);
    }
    Some(values)
}

/// A comparison changes its result only at its literal.
fn neighbours<'e>(number: i64) -> [Field<'e>; 3] {
    [number.saturating_sub(1), number, number.saturating_add(1)].map(Field::Int)
}

fn is_met((_, predicate, required): &Requirement<'_>, value: &Field<'_>) -> bool {
    match predicate.test(value) {
        Some(result) => result == *required,
        // A conjunction with an error is an error or false. Other values without a result are decided by the interpreter.
        None => !matches!(value, Field::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"id","type":"int"},
        {"name":"total","type":"long"},
        {"name":"age","type":["null","int"]},
        {"name":"name","type":"string"},
        {"name":"paid","type":"boolean"},
        {"name":"price","type":"double"},
        {"name":"any","type":["long","string"]},
        {"name":"colour","type":{"type":"enum","name":"C","symbols":["RED","BLUE"]}},
        {"name":"at","type":["null",{"type":"record","name":"A","fields":[{"name":"zip","type":"int"}]}]}]}"#;

    fn contradiction(condition: &str) -> Option<String> {
        let types = Types::of(&avro::Schema::parse(SCHEMA).unwrap());
        crate::check::check(condition, &types)
            .unwrap()
            .contradiction
    }

    #[test]
    fn finds_contradictions() {
        for condition in [
            "id == 1 && id == 2",
            "id == 1 && name == 'x' && id != 1",
            "id > 5 && id < 6",
            "id > 2147483647",
            "id in [1, 2] && id in [3]",
            "id in []",
            "total < 5 && total >= 5",
            "total > 9223372036854775807",
            "age == null && age == 1",
            "age > 4 && age < 5",
            "name == 'a' && name == 'b'",
            "name == 'a' && name.startsWith('b')",
            "name in ['a', 'b'] && !(name in ['a', 'b', 'c'])",
            "colour == 'RED' && colour == 'BLUE'",
            "colour != 'RED' && colour != 'BLUE'",
            "colour.startsWith('R') && !(colour in ['RED'])",
            "paid && !paid",
            "paid == false && paid",
            "price == 1.5 && price > 2.0",
            "at.zip == 1 && at.zip == 2",
            "name == 'x' || id == 1 && id == 2",
            "!(id == 1 && id == 2 || paid)",
            "paid ? id == 1 && id == 2 : true",
        ] {
            assert!(contradiction(condition).is_some(), "{condition}");
        }
        assert_eq!(
            contradiction("id == 1 && id == 2").as_deref(),
            Some("the conditions on id contradict each other (at character 9)")
        );
        assert_eq!(
            contradiction("id in []").as_deref(),
            Some("the condition on id is never true (at character 4)")
        );
    }

    #[test]
    fn conditions_that_can_be_true_are_no_contradiction() {
        for condition in [
            "id == 1 || id == 2",
            "id > 5 && id < 7",
            "id > 5 && id != 6 && id != 7",
            "id > 5.5 && id < 6.5",
            "id >= 2147483647",
            "!(id in [])",
            "age == null && age != 1",
            "age != 5 && age != 6",
            "age != null",
            "name != 'a' && name != 'b'",
            "name.startsWith('a') && name.endsWith('b')",
            "paid && id == 1",
            "!paid",
            "price == 1.5 && price < 2.0",
            "price > 1.0 && price < 1.5",
            "price == 9007199254740993 && price == 9007199254740992",
            "any == 1 && any == 'x'",
            "colour != 'RED'",
            "size(name) > 3 && size(name) < 5",
            "id == total && id == 1",
            "true",
        ] {
            assert_eq!(contradiction(condition), None, "{condition}");
        }
    }
}
