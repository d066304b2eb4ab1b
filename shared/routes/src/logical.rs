//! The values of Avro's logical types in conditions.
//!
//! Timestamps and dates are CEL timestamps, a time of day is a CEL duration since midnight, a decimal is a [`Decimal`](crate::decimal::Decimal), and a
//! UUID is its text. Source: Avro specification 1.12, "Logical Types".

use avro::{Field, LogicalType};
use cel::common::types::{CelDuration, CelTimestamp};
use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

/// The unit of a stored number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Days,
    Millis,
    Micros,
    Nanos,
}

/// What a stored value stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// The value itself.
    Plain,
    /// The time since 1970-01-01T00:00:00Z.
    Timestamp(TimeUnit),
    /// The time since midnight.
    TimeOfDay(TimeUnit),
    /// A decimal of this scale.
    Decimal(u32),
    /// A UUID as 16 bytes.
    Uuid,
}

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z, the limits of CEL's timestamps, in nanoseconds since 1970.
const TIMESTAMPS: std::ops::RangeInclusive<i128> =
    -62_135_596_800_000_000_000..=253_402_300_799_999_999_999;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

impl Encoding {
    /// The encoding of a logical type whose underlying type is `fixed` (`is_fixed`) or another one.
    pub(super) fn of(logical: LogicalType, is_fixed: bool) -> Self {
        match logical {
            LogicalType::Date => Self::Timestamp(TimeUnit::Days),
            LogicalType::TimestampMillis | LogicalType::LocalTimestampMillis => {
                Self::Timestamp(TimeUnit::Millis)
            }
            LogicalType::TimestampMicros | LogicalType::LocalTimestampMicros => {
                Self::Timestamp(TimeUnit::Micros)
            }
            LogicalType::TimestampNanos | LogicalType::LocalTimestampNanos => {
                Self::Timestamp(TimeUnit::Nanos)
            }
            LogicalType::TimeMillis => Self::TimeOfDay(TimeUnit::Millis),
            LogicalType::TimeMicros => Self::TimeOfDay(TimeUnit::Micros),
            LogicalType::Decimal { scale, .. } => Self::Decimal(scale),
            LogicalType::Uuid if is_fixed => Self::Uuid,
            LogicalType::Uuid | LogicalType::BigDecimal | LogicalType::Duration => Self::Plain,
        }
    }

    /// Bytes that distinguish the encodings, and never change.
    pub(super) fn id(self) -> [u8; 6] {
        let (id, unit, scale) = match self {
            Self::Plain => (0, 0, 0),
            Self::Timestamp(unit) => (1, unit.id(), 0),
            Self::TimeOfDay(unit) => (2, unit.id(), 0),
            Self::Decimal(scale) => (3, 0, scale),
            Self::Uuid => (4, 0, 0),
        };
        let [a, b, c, d] = scale.to_le_bytes();
        [id, unit, a, b, c, d]
    }

    /// Why a value has no counterpart in CEL.
    pub(super) fn describe_fault(self, field: &Field<'_>) -> String {
        match (self, field) {
            (Self::Timestamp(unit), Field::Int(number)) => {
                format!(
                    "the timestamp {number} ({}) is outside the years 1 to 9999",
                    unit.name()
                )
            }
            (Self::TimeOfDay(unit), Field::Int(number)) => {
                format!("the time {number} ({}) exceeds 292 years", unit.name())
            }
            (Self::Decimal(_), _) => "the decimal has more than 38 digits".to_owned(),
            _ => "the value does not fit its logical type".to_owned(),
        }
    }
}

impl TimeUnit {
    fn nanos(self) -> i128 {
        match self {
            Self::Days => 86_400 * NANOS_PER_SECOND,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }

    fn id(self) -> u8 {
        match self {
            Self::Days => 0,
            Self::Millis => 1,
            Self::Micros => 2,
            Self::Nanos => 3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        }
    }
}

/// The nanoseconds since 1970 of a stored timestamp. `None` outside CEL's range.
#[inline]
pub(super) fn timestamp_nanos(number: i64, unit: TimeUnit) -> Option<i128> {
    let nanos = i128::from(number) * unit.nanos();
    TIMESTAMPS.contains(&nanos).then_some(nanos)
}

/// The nanoseconds of a stored time of day. `None` outside CEL's range of durations, which is 64 bits.
#[inline]
pub(super) fn duration_nanos(number: i64, unit: TimeUnit) -> Option<i64> {
    i64::try_from(i128::from(number) * unit.nanos()).ok()
}

/// The value of a timestamp in the interpreter. `None` outside CEL's range.
pub(super) fn timestamp(number: i64, unit: TimeUnit) -> Option<CelTimestamp> {
    let nanos = timestamp_nanos(number, unit)?;
    let seconds = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?;
    let rest = u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?;
    Some(
        DateTime::from_timestamp(seconds, rest)?
            .fixed_offset()
            .into(),
    )
}

/// The value of a time of day in the interpreter. `None` outside CEL's range.
pub(super) fn duration(number: i64, unit: TimeUnit) -> Option<CelDuration> {
    Some(TimeDelta::nanoseconds(duration_nanos(number, unit)?).into())
}

/// The text of a UUID: `f81d4fae-7dec-11d0-a765-00a0c91e6bf6` (RFC 9562, section 4). `None` if it does not have 16 bytes.
pub(super) fn uuid(bytes: &[u8]) -> Option<UuidText> {
    let mut text = [0; 36];
    Uuid::from_slice(bytes)
        .ok()?
        .hyphenated()
        .encode_lower(&mut text);
    Some(UuidText(text))
}

/// The text of a UUID, without an allocation.
pub(super) struct UuidText([u8; 36]);

impl UuidText {
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_span_the_years_1_to_9999() {
        for (number, unit, text) in [
            (0, TimeUnit::Days, "1970-01-01T00:00:00+00:00"),
            (-719_162, TimeUnit::Days, "0001-01-01T00:00:00+00:00"),
            (-1, TimeUnit::Millis, "1969-12-31T23:59:59.999+00:00"),
            (
                253_402_300_799_999,
                TimeUnit::Millis,
                "9999-12-31T23:59:59.999+00:00",
            ),
            (
                i64::MIN,
                TimeUnit::Nanos,
                "1677-09-21T00:12:43.145224192+00:00",
            ),
        ] {
            let found = timestamp(number, unit).unwrap();
            assert_eq!(found.inner().to_rfc3339(), text);
        }
        for (number, unit) in [
            (-719_163, TimeUnit::Days),
            (253_402_300_800_000, TimeUnit::Millis),
            (i64::MAX, TimeUnit::Days),
            (i64::MIN, TimeUnit::Micros),
        ] {
            assert!(timestamp(number, unit).is_none(), "{number}");
        }
    }

    #[test]
    fn durations_have_64_bits_of_nanoseconds() {
        assert_eq!(
            duration_nanos(86_399_999, TimeUnit::Millis),
            Some(86_399_999_000_000)
        );
        assert_eq!(
            duration_nanos(i64::MAX / 1000, TimeUnit::Micros),
            Some(i64::MAX / 1000 * 1000)
        );
        assert_eq!(duration_nanos(i64::MAX / 1000 + 1, TimeUnit::Micros), None);
        assert!(duration(i64::MIN, TimeUnit::Micros).is_none());
    }

    #[test]
    fn a_uuid_has_the_text_of_the_rfc() {
        let bytes = 0xf81d_4fae_7dec_11d0_a765_00a0_c91e_6bf6_u128.to_be_bytes();
        let text = uuid(&bytes).unwrap();
        assert_eq!(text.as_str(), "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        assert!(uuid(&bytes[1..]).is_none());
    }
}
