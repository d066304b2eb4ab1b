//! The text form of a value with a logical type.

use super::decimal::{Decimal, MAX_DIGITS};
use super::{calendar, duration, uuid};
use crate::LogicalType;
use crate::binary::{Cursor, put_bytes, put_long};
use crate::graph::Node;

/// A value with a logical type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// An `int` or `long`.
    Number(i64),
    /// `bytes` or `fixed`.
    Bytes(Vec<u8>),
}

impl LogicalType {
    /// The text form of a number. `None` if it has none, so that the number itself is the JSON value.
    pub(crate) fn text_of_number(self, value: i64) -> Option<String> {
        match self {
            Self::Date => calendar::date(value),
            Self::TimeMillis => calendar::time(value, 3),
            Self::TimeMicros => calendar::time(value, 6),
            Self::TimestampMillis => calendar::date_time(value, 3).map(utc),
            Self::TimestampMicros => calendar::date_time(value, 6).map(utc),
            Self::TimestampNanos => calendar::date_time(value, 9).map(utc),
            Self::LocalTimestampMillis => calendar::date_time(value, 3),
            Self::LocalTimestampMicros => calendar::date_time(value, 6),
            Self::LocalTimestampNanos => calendar::date_time(value, 9),
            _ => None,
        }
    }

    /// The text form of bytes. `None` if it has none, or if it stands for other bytes: the same number in fewer bytes.
    pub(crate) fn text_of_bytes(self, bytes: &[u8], underlying: &Node) -> Option<String> {
        let text = match self {
            Self::Decimal { scale, .. } => Decimal::from_unscaled(bytes, i64::from(scale))?.text(),
            Self::BigDecimal => {
                let mut cursor = Cursor::new(bytes);
                let unscaled = cursor.bytes("bytes").ok()?;
                let scale = cursor.int("an int").ok()?;
                Decimal::from_unscaled(unscaled, i64::from(scale))?.text()
            }
            Self::Uuid => uuid::text(bytes)?,
            Self::Duration => duration::text(bytes)?,
            _ => return None,
        };
        let parsed = self.parse(&text, underlying);
        (parsed == Some(Text::Bytes(bytes.to_vec()))).then_some(text)
    }

    /// The value of a text form. `None` if the text is not one, or its value does not fit the type.
    pub(crate) fn parse(self, text: &str, underlying: &Node) -> Option<Text> {
        let number = match self {
            Self::Date => calendar::parse_date(text),
            Self::TimeMillis => calendar::parse_time(text, 3),
            Self::TimeMicros => calendar::parse_time(text, 6),
            Self::TimestampMillis => calendar::parse_date_time(text, 3, true),
            Self::TimestampMicros => calendar::parse_date_time(text, 6, true),
            Self::TimestampNanos => calendar::parse_date_time(text, 9, true),
            Self::LocalTimestampMillis => calendar::parse_date_time(text, 3, false),
            Self::LocalTimestampMicros => calendar::parse_date_time(text, 6, false),
            Self::LocalTimestampNanos => calendar::parse_date_time(text, 9, false),
            Self::Decimal { precision, scale } => {
                let max = MAX_DIGITS.min(precision as usize);
                let number = Decimal::parse(text)?.with_scale(i64::from(scale), max)?;
                return match underlying {
                    _ if number.precision() > max => None,
                    Node::Fixed(fixed) => number.unscaled_of_size(fixed.size),
                    _ => number.unscaled(),
                }
                .map(Text::Bytes);
            }
            Self::BigDecimal => {
                let number = Decimal::parse(text)?;
                let mut bytes = Vec::new();
                put_bytes(&mut bytes, &number.unscaled()?);
                put_long(&mut bytes, i64::from(i32::try_from(number.scale()).ok()?));
                return Some(Text::Bytes(bytes));
            }
            Self::Uuid => return uuid::parse(text).map(Text::Bytes),
            Self::Duration => return duration::parse(text).map(Text::Bytes),
        };
        number.map(Text::Number)
    }

    /// The text form for an error.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Decimal { precision, scale } => format!(
                "a decimal number of at most {precision} digits, {scale} of them after the decimal point, as text or number"
            ),
            Self::BigDecimal => "a decimal number, as text or number".to_owned(),
            Self::Uuid => "a UUID".to_owned(),
            Self::Date => {
                "a date such as 2026-11-26, or its number of days since 1970-01-01".to_owned()
            }
            Self::TimeMillis => {
                "a time such as 12:30:45.678, or its number of milliseconds".to_owned()
            }
            Self::TimeMicros => {
                "a time such as 12:30:45.678901, or its number of microseconds".to_owned()
            }
            Self::TimestampMillis | Self::TimestampMicros | Self::TimestampNanos => format!(
                "a timestamp such as 2026-11-26T12:30:45Z, or its number of {} since 1970",
                self.unit()
            ),
            Self::LocalTimestampMillis | Self::LocalTimestampMicros | Self::LocalTimestampNanos => {
                format!(
                    "a timestamp without offset such as 2026-11-26T12:30:45, or its number of {} since 1970",
                    self.unit()
                )
            }
            Self::Duration => "a duration such as P1M2DT3.004S".to_owned(),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::TimestampNanos | Self::LocalTimestampNanos => "nanoseconds",
            Self::TimestampMicros | Self::LocalTimestampMicros => "microseconds",
            _ => "milliseconds",
        }
    }
}

fn utc(mut text: String) -> String {
    text.push('Z');
    text
}

/// Whether a string has the form of a type's text, so that it is not read as the characters of `bytes` or `fixed`.
pub(crate) fn is_like_text(logical_type: LogicalType, text: &str) -> bool {
    match logical_type {
        LogicalType::Decimal { .. } | LogicalType::BigDecimal => Decimal::parse(text).is_some(),
        LogicalType::Uuid => uuid::parse(text).is_some(),
        LogicalType::Duration => duration::parse(text).is_some(),
        _ => false,
    }
}
