//! A compiled placeholder.

use routes::{RecordValues, ValueExpression, ValueScope};

use crate::template::{Part, Template};

/// A literal part of a template, or a placeholder.
#[derive(Debug)]
pub(crate) enum Piece {
    Literal(String),
    Placeholder(Box<Placeholder>),
}

/// An expression for a scalar.
#[derive(Debug)]
pub(crate) struct Placeholder {
    text: String,
    expression: ValueExpression,
}

impl Piece {
    /// Compiles the parts of a template.
    ///
    /// # Errors
    /// An expression is invalid, or its values are not scalars.
    pub(crate) fn compile(template: &Template, scope: &ValueScope) -> Result<Vec<Self>, String> {
        let piece = |part: &Part| match part {
            Part::Literal(text) => Ok(Self::Literal(text.clone())),
            Part::Expression(text) => {
                let placeholder = Placeholder::compile(text, scope)?;
                Ok(Self::Placeholder(Box::new(placeholder)))
            }
        };
        template.0.iter().map(piece).collect()
    }

    /// The placeholder, if it is one.
    pub(crate) fn placeholder(&self) -> Option<&Placeholder> {
        match self {
            Self::Literal(_) => None,
            Self::Placeholder(placeholder) => Some(placeholder),
        }
    }
}

impl Placeholder {
    fn compile(text: &str, scope: &ValueScope) -> Result<Self, String> {
        let invalid = |error: routes::ValueError| format!("{{{text}}}: {error}");
        let expression = scope.compile_text(text).map_err(invalid)?;
        Ok(Self {
            text: text.to_owned(),
            expression,
        })
    }

    /// The value as text.
    ///
    /// # Errors
    /// It is null or has more than `max` bytes, or the expression has no value for this record.
    pub(crate) fn value(&self, values: &RecordValues<'_>, max: usize) -> Result<String, String> {
        let invalid = |reason: &str| format!("{{{}}}: {reason}", self.text);
        match self.expression.text(values) {
            Ok(Some(text)) if text.len() > max => {
                Err(invalid(&format!("the value has more than {max} bytes")))
            }
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(invalid("the value is null")),
            Err(error) => Err(invalid(&error.to_string())),
        }
    }

    /// Valid but suspicious parts.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let of_expression = self.expression.warnings().iter().cloned();
        let null = self.expression.may_be_null().then(|| {
            format!(
                "{{{}}} may be null, and then the record becomes a dead letter",
                self.text
            )
        });
        of_expression.chain(null).collect()
    }
}
