//! Predicates over one field. Evaluation does not allocate.

use std::cmp::Ordering;

use avro::Field;
use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use regex::Regex;

use crate::constants::{Constant, constant};
use crate::decimal::Decimal;
use crate::logical::{self, Encoding};

/// A predicate over one field.
#[derive(Clone, Debug)]
pub(super) enum Predicate {
    /// The field is true.
    IsTrue,
    /// The field is null, or it is not null.
    IsNull(bool),
    /// The field compares to a whole number.
    Int(Comparison, i64),
    /// The field compares to a floating-point number.
    Double(Comparison, f64),
    /// The field compares to a string.
    Str(Comparison, Box<str>),
    /// The field compares to a boolean.
    Bool(Comparison, bool),
    /// The field, a timestamp or a duration, compares to a number of nanoseconds.
    Nanos(Comparison, i128),
    /// The field compares to a decimal.
    Decimal(Comparison, Decimal),
    /// The field is one of these sorted numbers of nanoseconds.
    InNanos(Box<[i128]>),
    /// The field is one of these sorted decimals.
    InDecimals(Box<[Decimal]>),
    /// The field is one of these sorted numbers.
    InInts(Box<[i64]>),
    /// The field is one of these sorted strings.
    InStrs(Box<[Box<str>]>),
    /// The number of characters or bytes compares to a number.
    Size(Comparison, i64),
    /// The field starts with this string.
    StartsWith(Box<str>),
    /// The field ends with this string.
    EndsWith(Box<str>),
    /// The field contains this string.
    Contains(Box<str>),
    /// The field contains a match of this pattern.
    Matches(Box<Regex>),
}

/// `==`, `!=`, `<`, `<=`, `>` or `>=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison of CEL's operator name.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            operators::EQUALS => Some(Self::Equal),
            operators::NOT_EQUALS => Some(Self::NotEqual),
            operators::LESS => Some(Self::Less),
            operators::LESS_EQUALS => Some(Self::LessOrEqual),
            operators::GREATER => Some(Self::Greater),
            operators::GREATER_EQUALS => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    /// The comparison with exchanged operands.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    #[inline]
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering == Ordering::Equal,
            Self::NotEqual => ordering != Ordering::Equal,
            Self::Less => ordering == Ordering::Less,
            Self::LessOrEqual => ordering != Ordering::Greater,
            Self::Greater => ordering == Ordering::Greater,
            Self::GreaterOrEqual => ordering != Ordering::Less,
        }
    }

    /// The result for values without an order (null, NaN): they are unequal, and comparing their order is an error.
    #[inline]
    fn holds_unordered(self) -> Option<bool> {
        match self {
            Self::Equal => Some(false),
            Self::NotEqual => Some(true),
            _ => None,
        }
    }
}

impl Predicate {
    /// `field <comparison> literal`.
    pub(super) fn comparison(comparison: Comparison, literal: &IdedExpr) -> Option<Self> {
        if let Some(number) = int(literal) {
            return Some(Self::Int(comparison, number));
        }
        if let Some(number) = double(literal) {
            return Some(Self::Double(comparison, number));
        }
        match constant(literal) {
            Some(Constant::Nanos(nanos)) => return Some(Self::Nanos(comparison, nanos)),
            Some(Constant::Decimal(decimal)) => return Some(Self::Decimal(comparison, decimal)),
            None => {}
        }
        match &literal.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                Some(Self::Str(comparison, text.inner().into()))
            }
            Expr::Literal(LiteralValue::Boolean(boolean)) => {
                Some(Self::Bool(comparison, *boolean.inner()))
            }
            Expr::Literal(LiteralValue::Null) => match comparison {
                Comparison::Equal => Some(Self::IsNull(true)),
                Comparison::NotEqual => Some(Self::IsNull(false)),
                _ => None,
            },
            _ => None,
        }
    }

    /// `size(field) <comparison> literal`.
    pub(super) fn size(comparison: Comparison, literal: &IdedExpr) -> Option<Self> {
        Some(Self::Size(comparison, int(literal)?))
    }

    /// `field in [literals of one type]`.
    pub(super) fn in_list(list: &IdedExpr) -> Option<Self> {
        let Expr::List(list) = &list.expr else {
            return None;
        };
        if let Some(mut numbers) = list.elements.iter().map(int).collect::<Option<Vec<i64>>>() {
            numbers.sort_unstable();
            return Some(Self::InInts(numbers.into()));
        }
        if list
            .elements
            .iter()
            .any(|element| constant(element).is_some())
        {
            return Self::in_constants(&list.elements);
        }
        let text = |element: &IdedExpr| match &element.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(Box::from(text.inner())),
            _ => None,
        };
        let mut texts: Vec<Box<str>> = list.elements.iter().map(text).collect::<Option<_>>()?;
        texts.sort_unstable();
        Some(Self::InStrs(texts.into()))
    }

    /// `field in [timestamps]`, `field in [durations]` or `field in [decimals]`.
    fn in_constants(elements: &[IdedExpr]) -> Option<Self> {
        let (mut nanos, mut decimals) = (Vec::new(), Vec::new());
        for element in elements {
            match constant(element)? {
                Constant::Nanos(number) => nanos.push(number),
                Constant::Decimal(decimal) => decimals.push(decimal),
            }
        }
        nanos.sort_unstable();
        decimals.sort_unstable();
        match (nanos.is_empty(), decimals.is_empty()) {
            (false, true) => Some(Self::InNanos(nanos.into())),
            (true, false) => Some(Self::InDecimals(decimals.into())),
            _ => None,
        }
    }

    /// `field.function(literal)`.
    pub(super) fn string_function(function: &str, literal: &IdedExpr) -> Option<Self> {
        let Expr::Literal(LiteralValue::String(text)) = &literal.expr else {
            return None;
        };
        let text = text.inner();
        match function {
            "startsWith" => Some(Self::StartsWith(text.into())),
            "endsWith" => Some(Self::EndsWith(text.into())),
            "contains" => Some(Self::Contains(text.into())),
            "matches" => Some(Self::Matches(Box::new(Regex::new(text).ok()?))),
            _ => None,
        }
    }

    /// Evaluates the predicate for a field of a logical type. `None` also if the value has no counterpart in CEL.
    #[inline]
    pub(super) fn test_encoded(&self, encoding: Encoding, field: &Field<'_>) -> Option<bool> {
        match (encoding, field) {
            (Encoding::Plain, _) | (_, Field::Null) => self.test(field),
            (Encoding::Timestamp(unit), Field::Int(number)) => {
                self.test_nanos(logical::timestamp_nanos(*number, unit)?)
            }
            (Encoding::TimeOfDay(unit), Field::Int(number)) => {
                self.test_nanos(logical::duration_nanos(*number, unit)?.into())
            }
            (Encoding::Decimal(scale), Field::Bytes(bytes)) => {
                self.test_decimal(&Decimal::from_bytes(bytes, scale)?)
            }
            (Encoding::Uuid, Field::Bytes(bytes)) => {
                self.test(&Field::Str(logical::uuid(bytes)?.as_str()))
            }
            _ => None,
        }
    }

    fn test_nanos(&self, nanos: i128) -> Option<bool> {
        match self {
            Self::Nanos(comparison, literal) => Some(comparison.holds(nanos.cmp(literal))),
            Self::InNanos(list) => Some(list.binary_search(&nanos).is_ok()),
            Self::IsNull(expected) => Some(!expected),
            _ => None,
        }
    }

    fn test_decimal(&self, decimal: &Decimal) -> Option<bool> {
        match self {
            Self::Decimal(comparison, literal) => Some(comparison.holds(decimal.cmp(literal))),
            Self::InDecimals(list) => Some(list.binary_search(decimal).is_ok()),
            Self::IsNull(expected) => Some(!expected),
            _ => None,
        }
    }

    /// Evaluates the predicate. `None` if CEL would fail, or for a combination of types that only the interpreter handles.
    #[inline]
    pub(super) fn test(&self, field: &Field<'_>) -> Option<bool> {
        match (self, field) {
            (Self::Int(comparison, literal), Field::Int(value)) => {
                Some(comparison.holds(value.cmp(literal)))
            }
            (Self::Str(comparison, literal), Field::Str(value)) => {
                Some(comparison.holds((*value).cmp(literal)))
            }
            (Self::IsTrue, Field::Bool(value)) => Some(*value),
            (Self::IsNull(expected), field) => Some(matches!(field, Field::Null) == *expected),
            (Self::Double(comparison, literal), Field::Double(value)) => {
                compare_numbers(*comparison, *value, *literal)
            }
            (Self::Double(comparison, literal), Field::Int(value)) => {
                compare_numbers(*comparison, *value as f64, *literal)
            }
            (Self::Int(comparison, literal), Field::Double(value)) => {
                compare_numbers(*comparison, *value, *literal as f64)
            }
            (Self::Bool(comparison, literal), Field::Bool(value)) => {
                Some(comparison.holds(value.cmp(literal)))
            }
            (
                Self::Int(comparison, _)
                | Self::Double(comparison, _)
                | Self::Str(comparison, _)
                | Self::Bool(comparison, _)
                | Self::Nanos(comparison, _)
                | Self::Decimal(comparison, _),
                Field::Null,
            ) => comparison.holds_unordered(),
            (Self::InInts(numbers), Field::Int(value)) => {
                Some(numbers.binary_search(value).is_ok())
            }
            (Self::InStrs(texts), Field::Str(value)) => Some(
                texts
                    .binary_search_by(|text| text.as_ref().cmp(value))
                    .is_ok(),
            ),
            (
                Self::InInts(_) | Self::InStrs(_) | Self::InNanos(_) | Self::InDecimals(_),
                Field::Null,
            ) => Some(false),
            (Self::StartsWith(text), Field::Str(value)) => Some(value.starts_with(&**text)),
            (Self::EndsWith(text), Field::Str(value)) => Some(value.ends_with(&**text)),
            (Self::Contains(text), Field::Str(value)) => Some(value.contains(&**text)),
            (Self::Matches(pattern), Field::Str(value)) => Some(pattern.is_match(value)),
            (Self::Size(comparison, literal), Field::Str(value)) => {
                compare_sizes(*comparison, value.chars().count(), *literal)
            }
            (Self::Size(comparison, literal), Field::Bytes(value)) => {
                compare_sizes(*comparison, value.len(), *literal)
            }
            _ => None,
        }
    }
}

fn compare_numbers(comparison: Comparison, value: f64, literal: f64) -> Option<bool> {
    match value.partial_cmp(&literal) {
        Some(ordering) => Some(comparison.holds(ordering)),
        None => comparison.holds_unordered(),
    }
}

fn compare_sizes(comparison: Comparison, size: usize, literal: i64) -> Option<bool> {
    Some(comparison.holds(i64::try_from(size).ok()?.cmp(&literal)))
}

/// A whole number, possibly with a minus sign.
pub(super) fn int(expression: &IdedExpr) -> Option<i64> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Int(number)) => Some(*number.inner()),
        Expr::Call(call) if call.func_name == operators::NEGATE => {
            int(call.args.first()?)?.checked_neg()
        }
        _ => None,
    }
}

/// A floating-point number, possibly with a minus sign.
fn double(expression: &IdedExpr) -> Option<f64> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Double(number)) => Some(*number.inner()),
        Expr::Call(call) if call.func_name == operators::NEGATE => {
            Some(-double(call.args.first()?)?)
        }
        _ => None,
    }
}
