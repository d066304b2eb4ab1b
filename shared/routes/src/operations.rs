//! Which operators and functions a condition may use, on what, and what comes out. Pure.
//!
//! The rows are those of CEL's standard definitions
//! (<https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions>) that the
//! interpreter has.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

use super::infer::{Checker, Operand, Problem};
use super::shape::{Kind, Type};

/// The type of an operator's or a function's result.
///
/// # Errors
/// There is no such function, or not for these operands.
pub(super) fn result(
    checker: &mut Checker<'_>,
    id: u64,
    name: &str,
    member: bool,
    operands: &[Operand<'_>],
) -> Result<Type, Problem> {
    let whole = IdedExpr {
        id,
        expr: Expr::Unspecified,
    };
    match (name, operands) {
        (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
            equality(checker, left, right, sign(name))?;
            Ok(Kind::Bool.into())
        }
        (
            operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS,
            [left, right],
        ) => {
            if !alike(&left.1.kind, &right.1.kind)
                || !ordered(&left.1.kind)
                || !ordered(&right.1.kind)
            {
                return Err(Problem::new(
                    left.0,
                    format!(
                        "{} compares {} with {}",
                        sign(name),
                        described(left),
                        described(right)
                    ),
                ));
            }
            all_fragile(checker, operands, sign(name));
            Ok(Kind::Bool.into())
        }
        (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
            for (expression, kind) in operands {
                checker.boolean(expression, kind, sign(name))?;
            }
            Ok(Kind::Bool.into())
        }
        (operators::NOT_STRICTLY_FALSE, _) => Ok(Kind::Bool.into()),
        (operators::CONDITIONAL, [condition, yes, no]) => {
            checker.boolean(condition.0, &condition.1, sign(name))?;
            Ok(yes.1.clone().or(no.1.clone()))
        }
        (operators::IN, [element, container]) => {
            contained(checker, element, container)?;
            Ok(Kind::Bool.into())
        }
        (operators::INDEX, [container, index]) => {
            all_fragile(checker, operands, sign(name));
            element(container, index)
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
            all_fragile(checker, operands, sign(name));
            arithmetic(name, operands).ok_or_else(|| {
                Problem::new(
                    &whole,
                    format!("{} is not for {}", sign(name), these(operands)),
                )
            })
        }
        _ => function(checker, &whole, name, member, operands),
    }
}

fn equality(
    checker: &mut Checker<'_>,
    left: &Operand<'_>,
    right: &Operand<'_>,
    sign: &str,
) -> Result<(), Problem> {
    for (one, other) in [(left, right), (right, left)] {
        symbol(checker, &one.1, other.0)?;
        if one.1.kind == Kind::Null {
            checker.guard(other.0);
            if !other.1.nullable && other.1.kind != Kind::Any {
                checker.warn(format!(
                    "{} is never null, so comparing it with null says nothing",
                    described(other)
                ));
            }
            return Ok(());
        }
    }
    if alike(&left.1.kind, &right.1.kind) {
        return Ok(());
    }
    Err(Problem::new(
        left.0,
        format!(
            "{sign} compares {} with {}, which are never equal",
            described(left),
            described(right)
        ),
    ))
}

/// An enum is compared with a text: the text must be one of its symbols.
fn symbol(checker: &Checker<'_>, kind: &Type, other: &IdedExpr) -> Result<(), Problem> {
    let (Kind::Enum(index), Expr::Literal(LiteralValue::String(text))) = (&kind.kind, &other.expr)
    else {
        return Ok(());
    };
    let symbols = &checker.shapes.symbols[*index];
    if symbols.iter().any(|symbol| symbol == text.inner()) {
        return Ok(());
    }
    Err(Problem::new(
        other,
        format!(
            "the enum has no symbol {:?}; it has {}",
            text.inner(),
            symbols.join(", ")
        ),
    ))
}

fn contained(
    checker: &mut Checker<'_>,
    element: &Operand<'_>,
    container: &Operand<'_>,
) -> Result<(), Problem> {
    checker.fragile(container.0, &container.1, "in");
    match &container.1.kind {
        Kind::Any => Ok(()),
        Kind::Map(key, _) if alike(&key.kind, &element.1.kind) => {
            checker.fragile(element.0, &element.1, "in");
            Ok(())
        }
        Kind::List(item) => {
            if let Expr::List(list) = &container.0.expr {
                for literal in &list.elements {
                    symbol(checker, &element.1, literal)?;
                }
            }
            if item.kind == Kind::Null || element.1.kind == Kind::Null {
                return Ok(());
            }
            if alike(&item.kind, &element.1.kind) {
                return Ok(());
            }
            Err(Problem::new(
                element.0,
                format!(
                    "in looks for {} in a list of another type",
                    described(element)
                ),
            ))
        }
        _ => Err(Problem::new(
            element.0,
            format!(
                "in looks for {} in {}",
                described(element),
                described(container)
            ),
        )),
    }
}

fn element(container: &Operand<'_>, index: &Operand<'_>) -> Result<Type, Problem> {
    match &container.1.kind {
        Kind::Any => Ok(Kind::Any.into()),
        Kind::List(item) if number(&index.1.kind) => Ok((**item).clone()),
        Kind::Map(key, value) if alike(&key.kind, &index.1.kind) => Ok((**value).clone()),
        Kind::Record(_) => Err(Problem::new(
            container.0,
            "a record's field is written record.field",
        )),
        _ => Err(Problem::new(
            container.0,
            format!(
                "{} cannot be looked up by {}",
                described(container),
                described(index)
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
    checker: &mut Checker<'_>,
    whole: &IdedExpr,
    name: &str,
    member: bool,
    operands: &[Operand<'_>],
) -> Result<Type, Problem> {
    let text = |kind: &Kind| matches!(kind, Kind::Str | Kind::Enum(_) | Kind::Any);
    let (members, functions, arity, result) = match name {
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
                whole,
                format!(
                    "there is no function {name}(); there are size, startsWith, endsWith, contains, matches, has, \
                     all, exists, exists_one, map, filter, int, uint, double, string, bytes, bool and dyn"
                ),
            ));
        }
    };
    let fits = |kind: &Kind| match (name, kind) {
        (_, Kind::Any) | ("dyn", _) => true,
        ("size", kind) => text(kind) || matches!(kind, Kind::Bytes | Kind::List(_) | Kind::Map(..)),
        ("int" | "uint" | "double", kind) => number(kind) || text(kind),
        ("string", kind) => number(kind) || text(kind) || matches!(kind, Kind::Bool | Kind::Bytes),
        ("bytes", kind) => text(kind) || matches!(kind, Kind::Bytes),
        ("bool", kind) => text(kind) || matches!(kind, Kind::Bool),
        (_, kind) => text(kind),
    };
    let style = if member { members } else { functions };
    if !style || operands.len() != arity || !operands.iter().all(|(_, kind)| fits(&kind.kind)) {
        return Err(Problem::new(
            whole,
            format!("{name}() is not for {}", these(operands)),
        ));
    }
    all_fragile(checker, operands, &format!("{name}()"));
    if let ("matches", [_, (pattern, _)]) = (name, operands)
        && let Expr::Literal(LiteralValue::String(text)) = &pattern.expr
    {
        regex::Regex::new(text.inner()).map_err(|error| {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default().to_owned();
            Problem::new(pattern, format!("{:?} is no pattern: {last}", text.inner()))
        })?;
    }
    Ok(result.into())
}

fn all_fragile(checker: &mut Checker<'_>, operands: &[Operand<'_>], user: &str) {
    for (expression, kind) in operands {
        checker.fragile(expression, kind, user);
    }
}

fn alike(left: &Kind, right: &Kind) -> bool {
    let text = |kind: &Kind| matches!(kind, Kind::Str | Kind::Enum(_));
    left == right
        || matches!(left, Kind::Any)
        || matches!(right, Kind::Any)
        || (number(left) && number(right))
        || (text(left) && text(right))
        || matches!((left, right), (Kind::List(_), Kind::List(_)))
        || matches!(
            (left, right),
            (
                Kind::Map(..) | Kind::Record(_),
                Kind::Map(..) | Kind::Record(_)
            )
        )
}

fn ordered(kind: &Kind) -> bool {
    number(kind)
        || matches!(
            kind,
            Kind::Str | Kind::Enum(_) | Kind::Bytes | Kind::Bool | Kind::Any
        )
}

fn number(kind: &Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Uint | Kind::Double | Kind::Any)
}

fn these(operands: &[Operand<'_>]) -> String {
    let kinds: Vec<String> = operands.iter().map(described).collect();
    match kinds.is_empty() {
        true => "nothing".to_owned(),
        false => kinds.join(" and "),
    }
}

/// `id (an int)`, or the type alone of what has no name.
pub(super) fn described((expression, kind): &Operand<'_>) -> String {
    match &expression.expr {
        Expr::Ident(path) => format!("{path} ({kind})"),
        _ => kind.to_string(),
    }
}

/// An operator as it is written.
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
