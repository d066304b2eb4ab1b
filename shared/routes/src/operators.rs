//! The signatures of the supported operators and functions.
//!
//! Source: CEL's list of standard definitions
//! (<https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions>), as far as the interpreter
//! implements it.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

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
                        "{} cannot compare {} with {}",
                        sign(name),
                        describe(left),
                        describe(right)
                    ),
                ));
            }
            add_uses(warnings, operands, sign(name));
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
            Ok(yes.1.clone().or(no.1.clone()))
        }
        (operators::IN, [element, container]) => {
            membership(types, warnings, element, container)?;
            Ok(Kind::Bool.into())
        }
        (operators::INDEX, [container, index]) => {
            add_uses(warnings, operands, sign(name));
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
            add_uses(warnings, operands, sign(name));
            arithmetic(name, operands).ok_or_else(|| {
                Problem::new(
                    id,
                    format!("{} does not accept {}", sign(name), describe_all(operands)),
                )
            })
        }
        _ => function(warnings, id, name, is_method, operands),
    }
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
            "{sign} compares {} with {}, which are never equal",
            describe(left),
            describe(right)
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
                    "in cannot find {} in a list of another type",
                    describe(element)
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
        Kind::List(item) if is_number(&index.1.kind) => Ok((**item).clone()),
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
            (Kind::Enum(_) | Kind::Str, Kind::Enum(_) | Kind::Str) => Kind::Str,
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

fn function(
    warnings: &mut Warnings,
    id: u64,
    name: &str,
    is_method: bool,
    operands: &[Operand<'_>],
) -> Result<Type, Problem> {
    let is_text = |kind: &Kind| matches!(kind, Kind::Str | Kind::Enum(_) | Kind::Any);
    let (is_any_method, is_any_function, arity, result) = match name {
        "size" => (true, true, 1, Kind::Int),
        "startsWith" | "endsWith" | "contains" => (true, false, 2, Kind::Bool),
        "matches" => (true, true, 2, Kind::Bool),
        "int" => (false, true, 1, Kind::Int),
        "uint" => (false, true, 1, Kind::Uint),
        "double" => (false, true, 1, Kind::Double),
        "string" => (false, true, 1, Kind::Str),
        "bytes" => (false, true, 1, Kind::Bytes),
        "bool" => (false, true, 1, Kind::Bool),
        "dyn" => (false, true, 1, Kind::Any),
        _ => {
            return Err(Problem::new(
                id,
                format!(
                    "unknown function {name}(); supported are size, startsWith, endsWith, contains, matches, has, \
                     all, exists, exists_one, map, filter, int, uint, double, string, bytes, bool and dyn"
                ),
            ));
        }
    };
    let fits = |kind: &Kind| match (name, kind) {
        (_, Kind::Any) | ("dyn", _) => true,
        ("size", kind) => {
            is_text(kind) || matches!(kind, Kind::Bytes | Kind::List(_) | Kind::Map(..))
        }
        ("int" | "uint" | "double", kind) => is_number(kind) || is_text(kind),
        ("string", kind) => {
            is_number(kind) || is_text(kind) || matches!(kind, Kind::Bool | Kind::Bytes)
        }
        ("bytes", kind) => is_text(kind) || matches!(kind, Kind::Bytes),
        ("bool", kind) => is_text(kind) || matches!(kind, Kind::Bool),
        (_, kind) => is_text(kind),
    };
    let is_supported = if is_method {
        is_any_method
    } else {
        is_any_function
    };
    if !is_supported
        || operands.len() != arity
        || !operands.iter().all(|(_, kind)| fits(&kind.kind))
    {
        return Err(Problem::new(
            id,
            format!("{name}() does not accept {}", describe_all(operands)),
        ));
    }
    add_uses(warnings, operands, &format!("{name}()"));
    if let ("matches", [_, (pattern, _)]) = (name, operands)
        && let Expr::Literal(LiteralValue::String(text)) = &pattern.expr
    {
        regex::Regex::new(text.inner()).map_err(|error| {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default().to_owned();
            Problem::new(
                pattern.id,
                format!("invalid pattern {:?}: {last}", text.inner()),
            )
        })?;
    }
    Ok(result.into())
}

fn add_uses(warnings: &mut Warnings, operands: &[Operand<'_>], user: &str) {
    for (expression, kind) in operands {
        warnings.add_use(expression, kind, user);
    }
}

fn is_comparable(left: &Kind, right: &Kind) -> bool {
    let is_text = |kind: &Kind| matches!(kind, Kind::Str | Kind::Enum(_));
    left == right
        || matches!(left, Kind::Any)
        || matches!(right, Kind::Any)
        || (is_number(left) && is_number(right))
        || (is_text(left) && is_text(right))
        || matches!((left, right), (Kind::List(_), Kind::List(_)))
        || matches!(
            (left, right),
            (
                Kind::Map(..) | Kind::Record(_),
                Kind::Map(..) | Kind::Record(_)
            )
        )
}

fn is_ordered(kind: &Kind) -> bool {
    is_number(kind)
        || matches!(
            kind,
            Kind::Str | Kind::Enum(_) | Kind::Bytes | Kind::Bool | Kind::Any
        )
}

fn is_number(kind: &Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Uint | Kind::Double | Kind::Any)
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
