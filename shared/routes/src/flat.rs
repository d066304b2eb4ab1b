//! The common conditions as a list of steps, each of which asks one field one question: nothing is allocated and
//! nothing is looked up by name. Pure.
//!
//! A step that cannot answer (`null < 5`) says so, and the interpreter decides, which alone knows how CEL deals with
//! errors. So the steps agree with the interpreter wherever they answer.

use avro::Field;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::question::{Comparison, Question};

/// A condition as steps.
#[derive(Debug)]
pub(super) struct Flat {
    steps: Vec<Step>,
    start: Next,
}

/// A field, what is asked of it, and where to go on.
#[derive(Debug)]
struct Step {
    slot: usize,
    question: Question,
    yes: Next,
    no: Next,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Match,
    NoMatch,
    /// An earlier step of the list: later operands are laid down first, so that no step leads in a circle.
    Step(usize),
}

impl Flat {
    /// The condition as steps, or `None` if it is not of the common shapes; `slot` says where a field will be found.
    pub(super) fn compile(
        expression: &IdedExpr,
        slot: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Self> {
        let mut builder = Builder {
            steps: Vec::new(),
            slot,
        };
        let start = builder.lay(expression, Next::Match, Next::NoMatch)?;
        Some(Self {
            steps: builder.steps,
            start,
        })
    }

    /// Whether a record with these fields matches; `None` if only the interpreter can tell.
    #[inline]
    pub(super) fn matches(&self, fields: &[Field<'_>]) -> Option<bool> {
        let mut next = self.start;
        loop {
            let step = match next {
                Next::Match => return Some(true),
                Next::NoMatch => return Some(false),
                Next::Step(index) => self.steps.get(index)?,
            };
            let answer = step.question.ask(fields.get(step.slot)?)?;
            next = if answer { step.yes } else { step.no };
        }
    }
}

struct Builder<'a> {
    steps: Vec<Step>,
    slot: &'a dyn Fn(&str) -> Option<usize>,
}

impl Builder<'_> {
    fn lay(&mut self, expression: &IdedExpr, yes: Next, no: Next) -> Option<Next> {
        if let Expr::Literal(LiteralValue::Boolean(constant)) = &expression.expr {
            return Some(if *constant.inner() { yes } else { no });
        }
        if let Expr::Call(call) = &expression.expr
            && call.target.is_none()
        {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_NOT, [operand]) => return self.lay(operand, no, yes),
                (operators::LOGICAL_AND, [left, right]) => {
                    let right = self.lay(right, yes, no)?;
                    return self.lay(left, right, no);
                }
                (operators::LOGICAL_OR, [left, right]) => {
                    let right = self.lay(right, yes, no)?;
                    return self.lay(left, yes, right);
                }
                (operators::CONDITIONAL, [condition, then, otherwise]) => {
                    let then = self.lay(then, yes, no)?;
                    let otherwise = self.lay(otherwise, yes, no)?;
                    return self.lay(condition, then, otherwise);
                }
                _ => {}
            }
        }
        let (path, question) = question(expression)?;
        let slot = (self.slot)(path)?;
        self.steps.push(Step {
            slot,
            question,
            yes,
            no,
        });
        Some(Next::Step(self.steps.len() - 1))
    }
}

/// The field that is asked, and what it is asked.
fn question(expression: &IdedExpr) -> Option<(&str, Question)> {
    let call = match &expression.expr {
        Expr::Ident(path) => return Some((path, Question::IsTrue)),
        Expr::Call(call) => call,
        _ => return None,
    };
    match (&call.target, call.args.as_slice()) {
        (Some(text), [argument]) => {
            Some((field(text)?, Question::of_text(&call.func_name, argument)?))
        }
        (None, [text, pattern]) if call.func_name == "matches" => {
            Some((field(text)?, Question::of_text("matches", pattern)?))
        }
        (None, [element, list]) if call.func_name == operators::IN => {
            Some((field(element)?, Question::is_in(list)?))
        }
        (None, [left, right]) => {
            let comparison = Comparison::of(&call.func_name)?;
            compared(left, comparison, right)
                .or_else(|| compared(right, comparison.turned_round(), left))
        }
        _ => None,
    }
}

fn compared<'e>(
    left: &'e IdedExpr,
    comparison: Comparison,
    right: &IdedExpr,
) -> Option<(&'e str, Question)> {
    match &left.expr {
        Expr::Ident(path) => Some((path, Question::compares(comparison, right)?)),
        Expr::Call(call) => Some((sized(call)?, Question::sizes(comparison, right)?)),
        _ => None,
    }
}

/// The field of `size(field)` or `field.size()`.
fn sized(call: &CallExpr) -> Option<&str> {
    match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
        ("size", Some(operand), []) => field(operand),
        ("size", None, [operand]) => field(operand),
        _ => None,
    }
}

fn field(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Ident(path) => Some(path),
        _ => None,
    }
}
