//! The signatures of the supported functions.
//!
//! Source: CEL's list of standard definitions
//! (<https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions>), as far as the interpreter
//! implements it, and `decimal()`.

use cel::common::ast::{Expr, LiteralValue};

use crate::logical::TimeUnit;
use crate::problem::{Operand, Problem, describe_all};
use crate::types::{Kind, Type};
use crate::warnings::Warnings;

/// The type of the result of a function.
///
/// # Errors
/// The function does not exist or does not accept these operands.
pub(super) fn result_type(
    warnings: &mut Warnings,
    id: u64,
    name: &str,
    is_method: bool,
    operands: &[Operand<'_>],
) -> Result<Type, Problem> {
    if let Some(result) = time_method(name, is_method, operands) {
        warnings.add_uses(operands, &format!("{name}()"));
        return Ok(result.into());
    }
    let is_text = |kind: &Kind| kind.is_text() || *kind == Kind::Any;
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
        "timestamp" => (false, true, 1, Kind::Timestamp(TimeUnit::Nanos)),
        "duration" => (false, true, 1, Kind::Duration(TimeUnit::Nanos)),
        "decimal" => (false, true, 1, Kind::Decimal(0)),
        _ if TIME_METHODS.iter().any(|(known, _)| *known == name) => {
            return Err(Problem::new(
                id,
                format!("{name}() does not accept {}", describe_all(operands)),
            ));
        }
        _ => {
            return Err(Problem::new(
                id,
                format!(
                    "unknown function {name}(); supported are size, startsWith, endsWith, contains, matches, has, \
                     all, exists, exists_one, map, filter, int, uint, double, string, bytes, bool, dyn, timestamp, duration, \
                     decimal and {}",
                    TIME_METHODS.map(|(name, _)| name).join(", ")
                ),
            ));
        }
    };
    let fits = |kind: &Kind| match (name, kind) {
        (_, Kind::Any) | ("dyn", _) => true,
        ("size", kind) => {
            is_text(kind) || matches!(kind, Kind::Bytes | Kind::List(_) | Kind::Map(..))
        }
        ("int", Kind::Timestamp(_)) => true,
        ("int" | "uint" | "double", kind) => kind.is_number() || is_text(kind),
        ("string", Kind::Timestamp(_) | Kind::Duration(_)) => true,
        ("string", kind) => {
            kind.is_number() || is_text(kind) || matches!(kind, Kind::Bool | Kind::Bytes)
        }
        ("timestamp", kind) => is_text(kind) || matches!(kind, Kind::Int | Kind::Timestamp(_)),
        ("duration", kind) => is_text(kind) || matches!(kind, Kind::Duration(_)),
        ("decimal", kind) => {
            is_text(kind) || matches!(kind, Kind::Int | Kind::Uint | Kind::Decimal(_))
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
    warnings.add_uses(operands, &format!("{name}()"));
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

/// The functions that read a part of a timestamp, optionally in a time zone, and whether they accept a duration.
const TIME_METHODS: [(&str, bool); 10] = [
    ("getFullYear", false),
    ("getMonth", false),
    ("getDate", false),
    ("getDayOfMonth", false),
    ("getDayOfWeek", false),
    ("getDayOfYear", false),
    ("getHours", true),
    ("getMinutes", true),
    ("getSeconds", true),
    ("getMilliseconds", true),
];

/// The type of the result of one of [`TIME_METHODS`]. `None` for other functions and operands.
fn time_method(name: &str, is_method: bool, operands: &[Operand<'_>]) -> Option<Kind> {
    let (_, of_duration) = TIME_METHODS.iter().find(|(known, _)| *known == name)?;
    let fits = match operands {
        [(_, time)] => match time.kind {
            Kind::Timestamp(_) | Kind::Any => true,
            Kind::Duration(_) => *of_duration,
            _ => false,
        },
        [(_, time), (_, zone)] => {
            matches!(time.kind, Kind::Timestamp(_) | Kind::Any)
                && (zone.kind.is_text() || zone.kind == Kind::Any)
        }
        _ => false,
    };
    (is_method && fits).then_some(Kind::Int)
}
