//! Warnings about a condition: parts that are valid but suspicious.

use std::collections::HashSet;

use cel::IdedExpr;
use cel::common::ast::Expr;

use crate::problem::Operand;
use crate::types::Type;

/// Collects warnings while a condition is checked.
#[derive(Default)]
pub(super) struct Warnings {
    /// Fields that are compared with null.
    null_checked: HashSet<String>,
    /// Nullable fields, and the operator or function that fails on null.
    nullable_uses: Vec<(String, String)>,
    others: Vec<String>,
}

impl Warnings {
    /// Adds a use of an operand by an operator or function that fails on null.
    pub(super) fn add_use(&mut self, expression: &IdedExpr, kind: &Type, user: &str) {
        if let (true, Expr::Ident(path)) = (kind.nullable, &expression.expr) {
            self.nullable_uses.push((path.clone(), user.to_owned()));
        }
    }

    /// Adds a use of each operand.
    pub(super) fn add_uses(&mut self, operands: &[Operand<'_>], user: &str) {
        for (expression, kind) in operands {
            self.add_use(expression, kind, user);
        }
    }

    /// Adds a comparison of an operand with null.
    pub(super) fn add_null_check(&mut self, expression: &IdedExpr) {
        if let Expr::Ident(path) = &expression.expr {
            self.null_checked.insert(path.clone());
        }
    }

    /// Whether a field is compared with null.
    pub(super) fn has_null_check(&self) -> bool {
        !self.null_checked.is_empty()
    }

    /// Adds another warning.
    pub(super) fn add(&mut self, warning: String) {
        self.others.push(warning);
    }

    /// All warnings. `fields` are the record's fields that occur in the condition.
    pub(super) fn into_messages(self, fields: &[String]) -> Vec<String> {
        let mut messages = self.others;
        for (path, user) in &self.nullable_uses {
            let mut prefixes = path.match_indices('.').map(|(end, _)| &path[..end]);
            let is_checked = self.null_checked.contains(path)
                || prefixes.any(|part| self.null_checked.contains(part));
            let message = format!(
                "{path} may be null, and {user} fails on null, so that the record becomes a dead letter; check \
                 {path} != null first"
            );
            if fields.contains(path) && !is_checked && !messages.contains(&message) {
                messages.push(message);
            }
        }
        messages
    }
}
