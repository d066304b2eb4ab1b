//! Which logical type the attributes of a schema declare.

use serde_json::{Map, Value};

use crate::LogicalType;
use crate::graph::Node;

/// The logical type that a schema's attributes give to the underlying type. `None` if there is none, or if it is unknown
/// or invalid: such a logical type is ignored.
pub(crate) fn declared(attributes: &Map<String, Value>, underlying: &Node) -> Option<LogicalType> {
    use LogicalType as Logical;
    let name = attributes.get("logicalType")?.as_str()?;
    Some(match (name, underlying) {
        ("decimal", Node::Bytes | Node::Fixed(_)) => decimal(attributes, underlying)?,
        ("big-decimal", Node::Bytes) => Logical::BigDecimal,
        ("uuid", Node::String) => Logical::Uuid,
        ("uuid", Node::Fixed(fixed)) if fixed.size == 16 => Logical::Uuid,
        ("date", Node::Int) => Logical::Date,
        ("time-millis", Node::Int) => Logical::TimeMillis,
        ("time-micros", Node::Long) => Logical::TimeMicros,
        ("timestamp-millis", Node::Long) => Logical::TimestampMillis,
        ("timestamp-micros", Node::Long) => Logical::TimestampMicros,
        ("timestamp-nanos", Node::Long) => Logical::TimestampNanos,
        ("local-timestamp-millis", Node::Long) => Logical::LocalTimestampMillis,
        ("local-timestamp-micros", Node::Long) => Logical::LocalTimestampMicros,
        ("local-timestamp-nanos", Node::Long) => Logical::LocalTimestampNanos,
        ("duration", Node::Fixed(fixed)) if fixed.size == 12 => Logical::Duration,
        _ => return None,
    })
}

fn decimal(attributes: &Map<String, Value>, underlying: &Node) -> Option<LogicalType> {
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let precision = number(attributes.get("precision")?)?;
    let scale = match attributes.get("scale") {
        None | Some(Value::Null) => 0,
        Some(scale) => number(scale)?,
    };
    let max_precision = match underlying {
        Node::Fixed(fixed) => max_precision(fixed.size),
        _ => u32::MAX,
    };
    let is_valid = precision > 0 && precision <= max_precision && scale <= precision;
    is_valid.then_some(LogicalType::Decimal { precision, scale })
}

/// The most digits of which every number fits into a two's complement of `size` bytes: ⌊log10(2^(8·size-1) - 1)⌋.
fn max_precision(size: usize) -> u32 {
    // The -1 changes the result only for a size of 0, because no other power of two is a power of ten.
    let bits = (8.0 * size as f64 - 1.0).max(0.0);
    (bits * std::f64::consts::LOG10_2) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;

    fn logical_type(json: &str) -> Option<LogicalType> {
        Schema::parse(json).unwrap().root().logical_type()
    }

    #[test]
    fn the_schema_reports_every_logical_type() {
        use LogicalType::*;
        let cases = [
            ("int", "date", Date),
            ("int", "time-millis", TimeMillis),
            ("long", "time-micros", TimeMicros),
            ("long", "timestamp-millis", TimestampMillis),
            ("long", "timestamp-micros", TimestampMicros),
            ("long", "timestamp-nanos", TimestampNanos),
            ("long", "local-timestamp-millis", LocalTimestampMillis),
            ("long", "local-timestamp-micros", LocalTimestampMicros),
            ("long", "local-timestamp-nanos", LocalTimestampNanos),
            ("string", "uuid", Uuid),
            ("bytes", "big-decimal", BigDecimal),
        ];
        for (underlying, name, expected) in cases {
            let found = logical_type(&format!(
                r#"{{"type":"{underlying}","logicalType":"{name}"}}"#
            ));
            assert_eq!(found, Some(expected));
        }
        let fixed = |size: usize, rest: &str| {
            logical_type(&format!(
                r#"{{"type":"fixed","name":"F","size":{size},{rest}}}"#
            ))
        };
        assert_eq!(fixed(16, r#""logicalType":"uuid""#), Some(Uuid));
        assert_eq!(fixed(12, r#""logicalType":"duration""#), Some(Duration));
        let (precision, scale) = (9, 0);
        let decimal = Some(Decimal { precision, scale });
        assert_eq!(
            fixed(4, r#""logicalType":"decimal","precision":9"#),
            decimal
        );
    }

    #[test]
    fn a_logical_type_belongs_to_one_reference_of_a_primitive_type() {
        let schema = Schema::parse(
            r#"{"type":"record","name":"R","fields":[
                {"name":"a","type":"long"},
                {"name":"b","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
                {"name":"c","type":"long","logicalType":"timestamp-micros"}]}"#,
        )
        .unwrap();
        let crate::SchemaType::Record(fields) = schema.root().kind() else {
            panic!()
        };
        assert_eq!(fields[0].1.logical_type(), None);
        let crate::SchemaType::Union(branches) = fields[1].1.kind() else {
            panic!()
        };
        let found = branches[1].logical_type();
        assert_eq!(found, Some(LogicalType::TimestampMicros));
        assert_eq!(
            fields[2].1.logical_type(),
            None,
            "an attribute of the field"
        );
    }

    #[test]
    fn ignores_unknown_and_invalid_logical_types() {
        for json in [
            r#"{"type":"long","logicalType":"date"}"#,
            r#"{"type":"int","logicalType":"timestamp-millis"}"#,
            r#"{"type":"string","logicalType":"decimal","precision":4}"#,
            r#"{"type":"long","logicalType":"unknown"}"#,
            r#"{"type":"long","logicalType":7}"#,
            r#"{"type":"bytes","logicalType":"decimal"}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":0}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":-1}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":"4"}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":5}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":-1}"#,
            r#"{"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":10}"#,
            r#"{"type":"fixed","name":"F","size":0,"logicalType":"decimal","precision":1}"#,
            r#"{"type":"fixed","name":"F","size":15,"logicalType":"uuid"}"#,
            r#"{"type":"fixed","name":"F","size":16,"logicalType":"duration"}"#,
        ] {
            assert_eq!(logical_type(json), None, "{json}");
        }
    }

    #[test]
    fn the_canonical_form_has_no_logical_types() {
        let json = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;
        assert_eq!(Schema::parse(json).unwrap().canonical_form(), "\"bytes\"");
    }

    #[test]
    fn a_fixed_has_the_digits_that_fit() {
        let sizes = [0, 1, 2, 4, 8, 12, 16];
        assert_eq!(sizes.map(max_precision), [0, 2, 4, 9, 18, 28, 38]);
    }
}
