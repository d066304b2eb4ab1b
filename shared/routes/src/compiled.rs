//! Common conditions, compiled to a decision list of predicates. Evaluation neither allocates nor looks up names.
//!
//! A predicate without a result (`null < 5`) ends the evaluation without a result, and the interpreter evaluates the
//! condition, because only the interpreter implements CEL's handling of errors. All results equal the interpreter's.

use avro::Field;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use crate::logical::Encoding;
use crate::predicate::{Comparison, Predicate};

/// A compiled condition.
#[derive(Debug)]
pub(super) struct Compiled {
    steps: Vec<Step>,
    start: Target,
}

/// A predicate over the field in a slot, and where evaluation continues.
#[derive(Debug)]
struct Step {
    slot: usize,
    encoding: Encoding,
    predicate: Predicate,
    yes: Target,
    no: Target,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Match,
    NoMatch,
    /// An earlier step of the list. Later operands are compiled first, so that there are no loops.
    Step(usize),
}

impl Compiled {
    /// Compiles a condition. `None` if only the interpreter supports it. `slot` returns the slot of a field, and the
    /// encoding of its values.
    pub(super) fn compile(
        expression: &IdedExpr,
        slot: &dyn Fn(&str) -> Option<(usize, Encoding)>,
    ) -> Option<Self> {
        let mut builder = ConditionBuilder {
            steps: Vec::new(),
            slot,
        };
        let start = builder.emit(expression, Target::Match, Target::NoMatch)?;
        Some(Self {
            steps: builder.steps,
            start,
        })
    }

    /// Whether a record with these fields matches. `None` if the interpreter has to evaluate the condition.
    #[inline]
    pub(super) fn matches(&self, fields: &[Field<'_>]) -> Option<bool> {
        let mut next = self.start;
        loop {
            let step = match next {
                Target::Match => return Some(true),
                Target::NoMatch => return Some(false),
                Target::Step(index) => self.steps.get(index)?,
            };
            let field = fields.get(step.slot)?;
            let result = step.predicate.test_encoded(step.encoding, field)?;
            next = if result { step.yes } else { step.no };
        }
    }
}

impl Compiled {
    /// Whether a record with this value in the slot can match, whatever its other fields are. True also if it is unknown.
    pub(super) fn can_match(&self, slot: usize, value: &Field<'_>) -> bool {
        let mut is_reached = vec![false; self.steps.len()];
        let mut matches = false;
        let mut reach = |target: Target, is_reached: &mut [bool]| match target {
            Target::Match => matches = true,
            Target::NoMatch => {}
            Target::Step(index) => is_reached[index] = true,
        };
        reach(self.start, &mut is_reached);
        // Evaluation continues only with earlier steps of the list.
        for (index, step) in self.steps.iter().enumerate().rev() {
            if !is_reached[index] {
                continue;
            }
            let result = match step.slot == slot {
                true => step.predicate.test_encoded(step.encoding, value),
                false => None,
            };
            if result != Some(false) {
                reach(step.yes, &mut is_reached);
            }
            if result != Some(true) {
                reach(step.no, &mut is_reached);
            }
        }
        matches
    }

    /// The texts that the field in the slot is compared with for equality.
    pub(super) fn texts(&self, slot: usize) -> impl Iterator<Item = &str> {
        let of_slot = self.steps.iter().filter(move |step| step.slot == slot);
        of_slot
            .flat_map(|step| match &step.predicate {
                Predicate::Str(Comparison::Equal, text) => std::slice::from_ref(text),
                Predicate::InStrs(texts) => texts,
                _ => &[],
            })
            .map(|text| &**text)
    }
}

struct ConditionBuilder<'a> {
    steps: Vec<Step>,
    slot: &'a dyn Fn(&str) -> Option<(usize, Encoding)>,
}

impl ConditionBuilder<'_> {
    fn emit(&mut self, expression: &IdedExpr, yes: Target, no: Target) -> Option<Target> {
        if let Expr::Literal(LiteralValue::Boolean(constant)) = &expression.expr {
            return Some(if *constant.inner() { yes } else { no });
        }
        if let Expr::Call(call) = &expression.expr
            && call.target.is_none()
        {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_NOT, [operand]) => return self.emit(operand, no, yes),
                (operators::LOGICAL_AND, [left, right]) => {
                    let right = self.emit(right, yes, no)?;
                    return self.emit(left, right, no);
                }
                (operators::LOGICAL_OR, [left, right]) => {
                    let right = self.emit(right, yes, no)?;
                    return self.emit(left, yes, right);
                }
                (operators::CONDITIONAL, [condition, then, otherwise]) => {
                    let then = self.emit(then, yes, no)?;
                    let otherwise = self.emit(otherwise, yes, no)?;
                    return self.emit(condition, then, otherwise);
                }
                _ => {}
            }
        }
        let (path, predicate) = predicate(expression)?;
        let (slot, encoding) = (self.slot)(path)?;
        self.steps.push(Step {
            slot,
            encoding,
            predicate,
            yes,
            no,
        });
        Some(Target::Step(self.steps.len() - 1))
    }
}

/// The field and the predicate of an expression.
pub(super) fn predicate(expression: &IdedExpr) -> Option<(&str, Predicate)> {
    let call = match &expression.expr {
        Expr::Ident(path) => return Some((path, Predicate::IsTrue)),
        Expr::Call(call) => call,
        _ => return None,
    };
    match (&call.target, call.args.as_slice()) {
        (Some(target), [argument]) => Some((
            field(target)?,
            Predicate::string_function(&call.func_name, argument)?,
        )),
        (None, [text, pattern]) if call.func_name == "matches" => Some((
            field(text)?,
            Predicate::string_function("matches", pattern)?,
        )),
        (None, [element, list]) if call.func_name == operators::IN => {
            Some((field(element)?, Predicate::in_list(list)?))
        }
        (None, [left, right]) => {
            let comparison = Comparison::of(&call.func_name)?;
            comparison_predicate(left, comparison, right)
                .or_else(|| comparison_predicate(right, comparison.mirrored(), left))
        }
        _ => None,
    }
}

fn comparison_predicate<'e>(
    left: &'e IdedExpr,
    comparison: Comparison,
    right: &IdedExpr,
) -> Option<(&'e str, Predicate)> {
    match &left.expr {
        Expr::Ident(path) => Some((path, Predicate::comparison(comparison, right)?)),
        Expr::Call(call) => Some((size_argument(call)?, Predicate::size(comparison, right)?)),
        _ => None,
    }
}

/// The field of `size(field)` or `field.size()`.
fn size_argument(call: &CallExpr) -> Option<&str> {
    match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
        ("size", Some(operand), []) => field(operand),
        ("size", None, [operand]) => field(operand),
        _ => None,
    }
}

/// The field that an expression is.
fn field(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Ident(path) => Some(path),
        _ => None,
    }
}
