//! Literals that a field cannot have.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use crate::predicate::{Comparison, int};
use crate::problem::Problem;
use crate::types::{Kind, Type, Types};
use crate::warnings::Warnings;

/// Checks that a string literal that is compared for equality with an enum is one of its symbols, and with a UUID stored as
/// bytes is the text of one.
///
/// # Errors
/// It is not.
pub(super) fn check_symbol(types: &Types, kind: &Type, other: &IdedExpr) -> Result<(), Problem> {
    let Expr::Literal(LiteralValue::String(text)) = &other.expr else {
        return Ok(());
    };
    let index = match &kind.kind {
        Kind::Enum(index) => *index,
        Kind::Uuid if !is_uuid(text.inner()) => {
            return Err(Problem::new(
                other.id,
                format!(
                    "{:?} is not a UUID in lower case, such as f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                    text.inner()
                ),
            ));
        }
        _ => return Ok(()),
    };
    let symbols = &types.symbols[index];
    if symbols.iter().any(|symbol| symbol == text.inner()) {
        return Ok(());
    }
    Err(Problem::new(
        other.id,
        format!(
            "the enum has no symbol {:?}; it has {}",
            text.inner(),
            symbols.join(", ")
        ),
    ))
}

/// Checks the numbers that fields of type `int` are compared with. `is_local` is true for the variables of macros.
///
/// # Errors
/// A field is compared for equality with a number that does not have 32 bits.
pub(super) fn check_ints(
    types: &Types,
    warnings: &mut Warnings,
    is_local: impl Fn(&str) -> bool,
    call: &CallExpr,
) -> Result<(), Problem> {
    let [left, right] = call.args.as_slice() else {
        return Ok(());
    };
    let number_outside = |field: &IdedExpr, literal: &IdedExpr| match &field.expr {
        Expr::Ident(path) if types.is_int(path) && !is_local(path) => int(literal)
            .filter(|number| i32::try_from(*number).is_err())
            .map(|number| (path.clone(), number)),
        _ => None,
    };
    let pairs: Vec<(&IdedExpr, &IdedExpr)> = match (call.func_name.as_str(), &right.expr) {
        (operators::IN, Expr::List(list)) => list.elements.iter().map(|one| (left, one)).collect(),
        (operators::IN, _) => return Ok(()),
        _ if Comparison::of(&call.func_name).is_some() => vec![(left, right), (right, left)],
        _ => return Ok(()),
    };
    for (field, literal) in pairs {
        let Some((path, number)) = number_outside(field, literal) else {
            continue;
        };
        match call.func_name.as_str() {
            operators::IN | operators::EQUALS | operators::NOT_EQUALS => {
                let message = format!(
                    "{path} is never {number}: it is an int, from -2147483648 to 2147483647"
                );
                return Err(Problem::new(literal.id, message));
            }
            _ => warnings.add(format!(
                "{path} has 32 bits, so that its comparison with {number} is constant"
            )),
        }
    }
    Ok(())
}

/// Whether a UUID stored as bytes can have this text.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Whether an expression is the integer 0.
pub(super) fn is_zero(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Literal(LiteralValue::UInt(number)) => *number.inner() == 0,
        _ => int(expression) == Some(0),
    }
}
