//! How to write a literal that is compared with a field of a logical type.

use cel::common::ast::{Expr, LiteralValue};
use chrono::SecondsFormat;

use crate::logical::{self, TimeUnit};
use crate::predicate::int;
use crate::problem::Operand;
use crate::types::Kind;

/// The end of a message about operands that cannot be compared: the form that can. Empty if neither has a logical type.
pub(super) fn hint(left: &Operand<'_>, right: &Operand<'_>) -> String {
    for (one, other) in [(left, right), (right, left)] {
        let literal = match &one.1.kind {
            Kind::Timestamp(unit) => timestamp(*unit, other),
            Kind::Duration(_) => "duration('1h30m')".to_owned(),
            Kind::Decimal(_) => "12.50 or decimal('12.50')".to_owned(),
            _ => continue,
        };
        return format!("; write {literal}");
    }
    String::new()
}

/// The timestamp that a number or text stands for, if it is a literal.
fn timestamp(unit: TimeUnit, other: &Operand<'_>) -> String {
    let text = match &other.0.expr {
        Expr::Literal(LiteralValue::String(text)) => {
            let is_timestamp = chrono::DateTime::parse_from_rfc3339(text.inner()).is_ok();
            is_timestamp.then(|| text.inner().to_owned())
        }
        _ => int(other.0)
            .and_then(|number| logical::timestamp(number, unit))
            .map(|time| {
                time.inner()
                    .to_utc()
                    .to_rfc3339_opts(SecondsFormat::AutoSi, true)
            }),
    };
    format!(
        "timestamp('{}')",
        text.as_deref().unwrap_or("2026-01-31T12:00:00Z")
    )
}
