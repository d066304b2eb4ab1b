//! Logical types: what an underlying type means.
//!
//! Source: Avro specification 1.12, "Logical Types".

/// The logical type of a [`SchemaNode`](crate::SchemaNode), with the underlying types that it may have.
///
/// A logical type changes neither the encoding nor validation nor the canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicalType {
    /// A signed integer, big-endian two's complement, times 10^-`scale`; `bytes` or `fixed`.
    Decimal {
        /// The maximum number of digits.
        precision: u32,
        /// The number of digits after the decimal point, at most `precision`.
        scale: u32,
    },
    /// A decimal with its own scale; `bytes`.
    BigDecimal,
    /// A UUID: `string` in the form of RFC 9562, or `fixed` of 16 bytes, big-endian.
    Uuid,
    /// Days since 1970-01-01; `int`.
    Date,
    /// Milliseconds since midnight; `int`.
    TimeMillis,
    /// Microseconds since midnight; `long`.
    TimeMicros,
    /// Milliseconds since 1970-01-01T00:00:00Z; `long`.
    TimestampMillis,
    /// Microseconds since 1970-01-01T00:00:00Z; `long`.
    TimestampMicros,
    /// Nanoseconds since 1970-01-01T00:00:00Z; `long`.
    TimestampNanos,
    /// Milliseconds since 1970-01-01T00:00:00 in a local time zone; `long`.
    LocalTimestampMillis,
    /// Microseconds since 1970-01-01T00:00:00 in a local time zone; `long`.
    LocalTimestampMicros,
    /// Nanoseconds since 1970-01-01T00:00:00 in a local time zone; `long`.
    LocalTimestampNanos,
    /// Months, days and milliseconds, each an unsigned little-endian number of 32 bits; `fixed` of 12 bytes.
    Duration,
}
