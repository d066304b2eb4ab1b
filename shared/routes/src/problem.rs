//! Problems in a condition, and how its parts are described.

use cel::IdedExpr;
use cel::common::ast::{Expr, SourceInfo};

use crate::types::Type;

/// What is wrong, and in which part of the expression.
pub(super) struct Problem {
    /// The id of the part.
    pub(super) id: u64,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(id: u64, message: impl Into<String>) -> Self {
        Self {
            id,
            message: message.into(),
        }
    }

    /// The message, with the position of the part in the source text.
    pub(super) fn with_position(self, source: &SourceInfo) -> String {
        let Some((start, _)) = source.offset_for(self.id) else {
            return self.message;
        };
        let before = source.source.get(..start as usize).unwrap_or_default();
        let position = before.chars().count() + 1;
        format!("{} (at character {position})", self.message)
    }
}

/// An expression and its type.
pub(super) type Operand<'a> = (&'a IdedExpr, Type);

/// `id (an int)` for a field, otherwise only the type.
pub(super) fn describe((expression, kind): &Operand<'_>) -> String {
    match &expression.expr {
        Expr::Ident(path) => format!("{} ({kind})", path.trim_start_matches('@')),
        _ => kind.to_string(),
    }
}

/// Describes all operands of an operator or function.
pub(super) fn describe_all(operands: &[Operand<'_>]) -> String {
    let kinds: Vec<String> = operands.iter().map(describe).collect();
    match kinds.is_empty() {
        true => "no arguments".to_owned(),
        false => kinds.join(" and "),
    }
}
