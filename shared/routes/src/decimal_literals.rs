//! Number literals that are compared with decimals. They become decimals of the digits that were written, because the number
//! 0.1 of CEL is a double, which has another value.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SourceInfo, operators};

use crate::decimal::{DECIMAL, Decimal};
use crate::predicate::Comparison;
use crate::problem::Problem;
use crate::types::{Kind, Type};

/// Converts the number literals among the operands of a comparison with a decimal, and of `decimal()`. `kinds` are the types
/// of the operands.
///
/// # Errors
/// A number has more than 38 digits.
pub(super) fn convert(
    call: &mut CallExpr,
    kinds: &mut [Type],
    source: &SourceInfo,
) -> Result<(), Problem> {
    if call.target.is_some() {
        return Ok(());
    }
    let is_decimal = |kind: Option<&Type>| {
        matches!(
            kind,
            Some(Type {
                kind: Kind::Decimal(_),
                ..
            })
        )
    };
    let is_comparison = Comparison::of(&call.func_name).is_some();
    match (call.func_name.as_str(), call.args.as_mut_slice()) {
        (DECIMAL, [argument]) => {
            if let Some(text) = number_text(argument, source) {
                *argument = string(argument.id, text);
                kinds[0] = Kind::Str.into();
            }
        }
        (_, [left, right]) if is_comparison => {
            if is_decimal(kinds.first()) && to_decimal(right, source)? {
                kinds[1] = Kind::Decimal(0).into();
            } else if is_decimal(kinds.get(1)) && to_decimal(left, source)? {
                kinds[0] = Kind::Decimal(0).into();
            }
        }
        _ => {}
    }
    Ok(())
}

/// Converts the number literals of a list, in which a decimal is looked up.
///
/// # Errors
/// A number has more than 38 digits.
pub(super) fn convert_list(list: &mut IdedExpr, source: &SourceInfo) -> Result<(), Problem> {
    let Expr::List(literals) = &mut list.expr else {
        return Ok(());
    };
    for literal in &mut literals.elements {
        to_decimal(literal, source)?;
    }
    Ok(())
}

/// Replaces a number literal with a call of `decimal()`. True if the expression is a call of `decimal()` afterwards.
fn to_decimal(expression: &mut IdedExpr, source: &SourceInfo) -> Result<bool, Problem> {
    let Some(text) = number_text(expression, source) else {
        return Ok(matches!(&expression.expr, Expr::Call(call) if call.func_name == DECIMAL));
    };
    if Decimal::parse(&text).is_none() {
        let message = format!("{text} has more than the 38 digits that a decimal can have");
        return Err(Problem::new(expression.id, message));
    }
    expression.expr = Expr::Call(CallExpr {
        func_name: DECIMAL.to_owned(),
        target: None,
        args: vec![string(expression.id, text)],
    });
    Ok(true)
}

fn string(id: u64, text: String) -> IdedExpr {
    IdedExpr {
        id,
        expr: Expr::Literal(LiteralValue::String(text.into())),
    }
}

/// The text of a number literal, possibly with a minus sign. `None` for other expressions.
fn number_text(expression: &IdedExpr, source: &SourceInfo) -> Option<String> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Int(number)) => Some(number.inner().to_string()),
        Expr::Literal(LiteralValue::UInt(number)) => Some(number.inner().to_string()),
        Expr::Literal(LiteralValue::Double(number)) => {
            // The position in bytes of the digits, without the sign.
            let (start, last) = source.offset_for(expression.id)?;
            let digits = source.source.get(start as usize..=last as usize)?;
            let sign = if number.inner().is_sign_negative() {
                "-"
            } else {
                ""
            };
            let text = format!("{sign}{digits}");
            (text.parse::<f64>().ok()? == *number.inner()).then_some(text)
        }
        Expr::Call(call) if call.func_name == operators::NEGATE => {
            let text = number_text(call.args.first()?, source)?;
            Some(match text.strip_prefix('-') {
                Some(positive) => positive.to_owned(),
                None => format!("-{text}"),
            })
        }
        _ => None,
    }
}
