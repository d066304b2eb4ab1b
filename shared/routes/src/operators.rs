//! The signatures of the supported operators.
//!
//! Source: CEL's list of standard definitions
//! (<https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions>), as far as the interpreter
//! implements it.

use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use crate::functions;
use crate::hints::hint;
use crate::literals::{check_symbol, is_zero};
use crate::problem::{Operand, Problem, describe, describe_all};
use crate::types::{Kind, Type, Types};
use crate::warnings::Warnings;

/// The type of the result of an operator or function.
///
/// # Errors
/// The function does not exist or does not accept these operands.
pub(super) fn result_type(
    types: &Types,
    warnings: &mut Warnings,
    id: u64,
    name: &str,
    is_method: bool,
    operands: &[Operand<'_>],
) -> Result<Type, Problem> {
    match (name, operands) {
        (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
            equality(types, warnings, left, right, sign(name))?;
            Ok(Kind::Bool.into())
        }
        (
            operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS,
            [left, right],
        ) => {
            if !is_comparable(&left.1.kind, &right.1.kind)
                || !is_ordered(&left.1.kind)
                || !is_ordered(&right.1.kind)
            {
                return Err(Problem::new(
                    left.0.id,
                    format!(
                        "{} cannot compare {} with {}{}",
                        sign(name),
                        describe(left),
                        describe(right),
                        hint(left, right)
                    ),
                ));
            }
            warnings.add_uses(operands, sign(name));
            Ok(Kind::Bool.into())
        }
        (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
            for (expression, kind) in operands {
                require_boolean(warnings, expression, kind, sign(name))?;
            }
            Ok(Kind::Bool.into())
        }
        (operators::NOT_STRICTLY_FALSE, _) => Ok(Kind::Bool.into()),
        (operators::CONDITIONAL, [condition, yes, no]) => {
            require_boolean(warnings, condition.0, &condition.1, sign(name))?;
            common(id, yes.1.clone(), no.1.clone())
        }
        (operators::IN, [element, container]) => {
            membership(types, warnings, element, container)?;
            Ok(Kind::Bool.into())
        }
        (operators::INDEX, [container, index]) => {
            warnings.add_uses(operands, sign(name));
            element(container, index)
        }
        (operators::DIVIDE | operators::MODULO, [_, (divisor, _)]) if is_zero(divisor) => {
            Err(Problem::new(id, "division by zero"))
        }
        (
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE,
            _,
        ) => {
            warnings.add_uses(operands, sign(name));
            arithmetic(name, operands).ok_or_else(|| {
                Problem::new(
                    id,
                    format!("{} does not accept {}", sign(name), describe_all(operands)),
                )
            })
        }
        _ => functions::result_type(warnings, id, name, is_method, operands),
    }
}

/// The type of values of both types.
///
/// # Errors
/// Only one is a timestamp, a duration or a decimal. A comparison of such a value could not be checked.
pub(super) fn common(id: u64, left: Type, right: Type) -> Result<Type, Problem> {
    let is_null = left.kind == Kind::Null || right.kind == Kind::Null;
    let is_logical = left.kind.is_logical() || right.kind.is_logical();
    let is_any = left.kind == Kind::Any || right.kind == Kind::Any;
    if is_logical && !is_null && !is_any && !left.kind.is_same_logical(&right.kind) {
        return Err(Problem::new(
            id,
            format!("{left} and {right} are not values of one type"),
        ));
    }
    Ok(left.or(right))
}

fn equality(
    types: &Types,
    warnings: &mut Warnings,
    left: &Operand<'_>,
    right: &Operand<'_>,
    sign: &str,
) -> Result<(), Problem> {
    for (one, other) in [(left, right), (right, left)] {
        check_symbol(types, &one.1, other.0)?;
        if one.1.kind == Kind::Null {
            warnings.add_null_check(other.0);
            if !other.1.nullable && other.1.kind != Kind::Any {
                warnings.add(format!(
                    "{} is never null, so that its comparison with null is constant",
                    describe(other)
                ));
            }
            return Ok(());
        }
    }
    if is_comparable(&left.1.kind, &right.1.kind) {
        return Ok(());
    }
    Err(Problem::new(
        left.0.id,
        format!(
            "{sign} compares {} with {}, which are never equal{}",
            describe(left),
            describe(right),
            hint(left, right)
        ),
    ))
}

fn membership(
    types: &Types,
    warnings: &mut Warnings,
    element: &Operand<'_>,
    container: &Operand<'_>,
) -> Result<(), Problem> {
    warnings.add_use(container.0, &container.1, "in");
    match &container.1.kind {
        Kind::Any => Ok(()),
        Kind::Map(key, _) if is_comparable(&key.kind, &element.1.kind) => {
            warnings.add_use(element.0, &element.1, "in");
            Ok(())
        }
        Kind::List(item) => {
            if let Expr::List(list) = &container.0.expr {
                for literal in &list.elements {
                    check_symbol(types, &element.1, literal)?;
                }
            }
            if item.kind == Kind::Null || element.1.kind == Kind::Null {
                return Ok(());
            }
            if is_comparable(&item.kind, &element.1.kind) {
                return Ok(());
            }
            Err(Problem::new(
                element.0.id,
                format!(
                    "in cannot find {} in a list of another type{}",
                    describe(element),
                    match &container.0.expr {
                        Expr::List(list) => (list.elements.first())
                            .map(|first| hint(element, &(first, (**item).clone())))
                            .unwrap_or_default(),
                        _ => String::new(),
                    }
                ),
            ))
        }
        _ => Err(Problem::new(
            element.0.id,
            format!(
                "in cannot find {} in {}",
                describe(element),
                describe(container)
            ),
        )),
    }
}

fn element(container: &Operand<'_>, index: &Operand<'_>) -> Result<Type, Problem> {
    match &container.1.kind {
        Kind::Any => Ok(Kind::Any.into()),
        Kind::List(item) if index.1.kind.is_number() => Ok((**item).clone()),
        Kind::Map(key, value) if is_comparable(&key.kind, &index.1.kind) => Ok((**value).clone()),
        Kind::Record(_) => Err(Problem::new(
            container.0.id,
            "a record has no index: write record.field",
        )),
        _ => Err(Problem::new(
            container.0.id,
            format!(
                "{} cannot be indexed by {}",
                describe(container),
                describe(index)
            ),
        )),
    }
}

fn arithmetic(name: &str, operands: &[Operand<'_>]) -> Option<Type> {
    let kind = match operands {
        [(_, one)] => one.kind.clone(),
        [(_, left), (_, right)] => match (&left.kind, &right.kind) {
            (Kind::Any, _) | (_, Kind::Any) => Kind::Any,
            (a, b) if a.is_text() && b.is_text() => Kind::Str,
            (Kind::Timestamp(unit), Kind::Duration(_)) => {
                let is_sum = matches!(name, operators::ADD | operators::SUBSTRACT);
                return is_sum.then(|| Kind::Timestamp(*unit).into());
            }
            (Kind::Duration(_), Kind::Timestamp(unit)) => {
                return (name == operators::ADD).then(|| Kind::Timestamp(*unit).into());
            }
            (Kind::Timestamp(unit), Kind::Timestamp(_)) => {
                return (name == operators::SUBSTRACT).then(|| Kind::Duration(*unit).into());
            }
            (Kind::Duration(unit), Kind::Duration(_)) => {
                let is_sum = matches!(name, operators::ADD | operators::SUBSTRACT);
                return is_sum.then(|| Kind::Duration(*unit).into());
            }
            (Kind::List(a), Kind::List(b)) => Kind::List(Box::new((**a).clone().or((**b).clone()))),
            (a, b) if a == b => a.clone(),
            _ => return None,
        },
        _ => return None,
    };
    let allowed = match (&kind, name) {
        (Kind::Any | Kind::Int, _) => true,
        (Kind::Uint, name) => name != operators::NEGATE,
        (Kind::Double, name) => name != operators::MODULO,
        (Kind::Str | Kind::Bytes | Kind::List(_), name) => name == operators::ADD,
        _ => false,
    };
    allowed.then(|| kind.into())
}

fn is_comparable(left: &Kind, right: &Kind) -> bool {
    left == right
        || left.is_same_logical(right)
        || matches!(left, Kind::Any)
        || matches!(right, Kind::Any)
        || (left.is_number() && right.is_number())
        || (left.is_text() && right.is_text())
        || matches!((left, right), (Kind::List(a), Kind::List(b)) if is_item_comparable(a, b))
        || matches!(
            (left, right),
            (
                Kind::Map(..) | Kind::Record(_),
                Kind::Map(..) | Kind::Record(_)
            )
        )
}

/// Items of other types are never equal, but only for those of logical types is this an error.
fn is_item_comparable(left: &Type, right: &Type) -> bool {
    let is_empty = *left == Type::NEVER || *right == Type::NEVER;
    let is_logical = left.kind.is_logical() || right.kind.is_logical();
    is_empty || !is_logical || is_comparable(&left.kind, &right.kind)
}

fn is_ordered(kind: &Kind) -> bool {
    kind.is_number()
        || kind.is_text()
        || kind.is_logical()
        || matches!(kind, Kind::Bytes | Kind::Bool | Kind::Any)
}

/// Checks that an operand is a boolean. `user` is the operator or macro, for the message.
///
/// # Errors
/// The operand is of another type.
pub(super) fn require_boolean(
    warnings: &mut Warnings,
    expression: &IdedExpr,
    kind: &Type,
    user: &str,
) -> Result<(), Problem> {
    if !matches!(kind.kind, Kind::Bool | Kind::Any) {
        return Err(Problem::new(
            expression.id,
            format!("{user} requires a boolean, not {kind}"),
        ));
    }
    warnings.add_use(expression, kind, user);
    Ok(())
}

/// The operator's sign in the source text.
fn sign(name: &str) -> &str {
    match name {
        operators::NEGATE => "-",
        operators::LOGICAL_NOT => "!",
        operators::CONDITIONAL => "?:",
        operators::INDEX => "[]",
        operators::IN => "in",
        name => name.trim_matches('_'),
    }
}
