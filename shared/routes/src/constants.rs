//! The literals of logical types: `timestamp('2026-01-01T00:00:00Z')`, `duration('1h')`, `decimal('0.10')`.

use std::sync::LazyLock;

use cel::common::ast::{CallExpr, Expr, LiteralValue};
use cel::common::types::{CelDuration, CelTimestamp};
use cel::{Context, IdedExpr, Value};
use regex::Regex;

use crate::decimal::{DECIMAL, Decimal};
use crate::environment::environment;
use crate::problem::Problem;

/// The value of a literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Constant {
    /// A timestamp, as nanoseconds since 1970, or a duration in nanoseconds.
    Nanos(i128),
    Decimal(Decimal),
}

/// The value of a call of `timestamp`, `duration` or `decimal` with a string literal. `None` for other expressions.
pub(super) fn constant(expression: &IdedExpr) -> Option<Constant> {
    let Expr::Call(call) = &expression.expr else {
        return None;
    };
    text(call)?;
    evaluate(expression).ok()?
}

/// Checks the text of a literal.
///
/// # Errors
/// It is not a timestamp, a duration or a number.
pub(super) fn check(call: &CallExpr) -> Result<(), Problem> {
    let Some((argument, text)) = text(call) else {
        return Ok(());
    };
    let invalid = |reason: &str| {
        let form = match call.func_name.as_str() {
            "timestamp" => "2026-01-31T12:00:00Z",
            "duration" => "1h30m",
            _ => "12.50",
        };
        Problem::new(
            argument.id,
            format!(
                "invalid {} {text:?}: {reason}; the form is {form:?}",
                call.func_name
            ),
        )
    };
    // The interpreter ignores text after the last unit.
    static DURATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^-?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|ns))+)$").ok()
    });
    if call.func_name == "duration" && DURATION.as_ref().is_some_and(|form| !form.is_match(text)) {
        return Err(invalid("it has other text than numbers with units"));
    }
    let expression = IdedExpr {
        id: argument.id,
        expr: Expr::Call(call.clone()),
    };
    evaluate(&expression)
        .map(|_| ())
        .map_err(|error| match error {
            cel::ExecutionError::FunctionError { message, .. } => invalid(&message),
            other => invalid(&other.to_string()),
        })
}

fn text(call: &CallExpr) -> Option<(&IdedExpr, &str)> {
    let is_literal = matches!(call.func_name.as_str(), "timestamp" | "duration" | DECIMAL);
    match (&call.target, call.args.as_slice()) {
        (None, [argument]) if is_literal => match &argument.expr {
            Expr::Literal(LiteralValue::String(text)) => Some((argument, text.inner())),
            _ => None,
        },
        _ => None,
    }
}

/// `None` for a leap second, which has no number of its own.
fn evaluate(expression: &IdedExpr) -> Result<Option<Constant>, cel::ExecutionError> {
    let context = Context::with_env(environment());
    let value = Value::resolve_val(expression, &context)?;
    if let Some(timestamp) = value.downcast_ref::<CelTimestamp>() {
        let time = timestamp.inner();
        let nanos = i128::from(time.timestamp_subsec_nanos());
        let total = i128::from(time.timestamp()) * 1_000_000_000 + nanos;
        return Ok((nanos < 1_000_000_000).then_some(Constant::Nanos(total)));
    }
    if let Some(duration) = value.downcast_ref::<CelDuration>() {
        let nanos = duration.inner().num_nanoseconds();
        return Ok(nanos.map(|nanos| Constant::Nanos(i128::from(nanos))));
    }
    Ok(value
        .downcast_ref::<Decimal>()
        .copied()
        .map(Constant::Decimal))
}
