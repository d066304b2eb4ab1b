//! Expressions for values: the parts of a request that depend on a record.

mod calculated;
mod node;
mod record_values;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use avro::{Projection, Schema};
use cel::IdedExpr;
use chrono::DateTime;
use serde_json::Value as Json;

use node::Node;
pub use record_values::RecordValues;
use record_values::Variables;

use crate::infer::Inference;
use crate::interpret::{Faults, Interpreter, Record};
use crate::kafka_fields::KafkaFields;
use crate::logical::Encoding;
use crate::problem::Problem;
use crate::syntax;
use crate::types::{Kind, Type, Types};
use crate::variables::{Available, WHOLE_RECORD};

/// What expressions can use: the fields of a record, unless it is a tombstone, and `kafka`, unless it is not in Kafka yet.
#[derive(Clone, Debug)]
pub struct ValueScope {
    schema: Option<Schema>,
    available: Available,
    types: Arc<Types>,
}

/// A CEL expression for a value, compiled for a schema.
///
/// Its variables are those of conditions, `record` for the whole record, and `kafka` (see [`KafkaFields`]). A field of the
/// record has the JSON form of `docs/FORMATS.md`. The entries of `{"a": 1}` stay in this order; the keys of maps that are
/// calculated are sorted. So the value of a record is always the same text.
///
/// ```
/// use routes::{KafkaFields, ValueScope};
///
/// let schema = avro::Schema::parse(
///     r#"{"type":"record","name":"User","fields":[{"name":"id","type":"long"},{"name":"email","type":"string"}]}"#,
/// )?;
/// let scope = ValueScope::of_records(&schema);
/// let body = scope.compile(r#"{"user": id, "mail": email, "offset": kafka.offset}"#)?;
///
/// let datum = schema.from_json(&serde_json::json!({"id": 7, "email": "p@x.org"}))?;
/// let kafka = KafkaFields {
///     key: None,
///     topic: "users",
///     partition: 0,
///     offset: 42,
///     timestamp: None,
///     idempotency_key: "c/t/0/42",
/// };
/// let value = body.evaluate(&scope.values(&datum, kafka))?;
/// assert_eq!(value.to_string(), r#"{"user":7,"mail":"p@x.org","offset":42}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ValueExpression {
    node: Node,
    kind: Type,
    interpreter: Interpreter,
    /// The fields that the interpreter reads.
    fields: Vec<String>,
    encodings: Vec<Encoding>,
    projection: Option<Projection>,
    needs_record: bool,
    types: Arc<Types>,
    warnings: Vec<String>,
    is_null_checked: bool,
}

/// An expression is invalid, or has no value for a record. The message has the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueScope {
    /// Expressions over records of this schema.
    pub fn of_records(schema: &Schema) -> Self {
        Self {
            schema: Some(schema.clone()),
            available: Available::Record,
            types: Arc::new(Types::of(schema)),
        }
    }

    /// Expressions over datums of this schema that are not in Kafka yet: the variables are those of conditions.
    pub fn of_datums(schema: &Schema) -> Self {
        Self {
            available: Available::Fields,
            ..Self::of_records(schema)
        }
    }

    /// Expressions over records without a value.
    pub fn of_tombstones() -> Self {
        Self {
            schema: None,
            available: Available::Tombstone,
            types: Arc::default(),
        }
    }

    /// Checks and compiles an expression.
    ///
    /// # Errors
    /// It is not CEL, names an unknown field, or uses a value of the wrong type; with the position in the text.
    pub fn compile(&self, text: &str) -> Result<ValueExpression, ValueError> {
        self.compile_with(text, |expression, _| Ok(Node::new(expression)))
    }

    /// Checks and compiles an expression whose values are [text](ValueExpression::text): strings, enums, UUIDs, whole numbers,
    /// booleans, decimals or timestamps, or null.
    ///
    /// # Errors
    /// As [`ValueScope::compile`]; or the values have another type.
    pub fn compile_text(&self, text: &str) -> Result<ValueExpression, ValueError> {
        self.compile_with(text, |expression, kind| {
            require_scalar(kind)?;
            Ok(match kind.kind {
                // The JSON of a decimal that exceeds its precision is a character for each byte, and can look like a number.
                Kind::Decimal(_) => Node::Calculated(expression),
                _ => Node::new(expression),
            })
        })
    }

    /// Checks and compiles an expression whose values are [points in time](ValueExpression::timestamp_millis): timestamps, or
    /// whole numbers of milliseconds since 1970, or null.
    ///
    /// # Errors
    /// As [`ValueScope::compile`]; or the values have another type.
    pub fn compile_timestamp(&self, text: &str) -> Result<ValueExpression, ValueError> {
        self.compile_with(text, |expression, kind| match kind.kind {
            Kind::Timestamp(_) | Kind::Int => Ok(Node::Calculated(expression)),
            _ => Err(format!(
                "expected a timestamp, or an int of milliseconds since 1970, not {kind}"
            )),
        })
    }

    fn compile_with(
        &self,
        text: &str,
        to_node: impl FnOnce(IdedExpr, &Type) -> Result<Node, String> + Send,
    ) -> Result<ValueExpression, ValueError> {
        syntax::with_parsed(text, &self.types, |mut expression, source| {
            let mut inference = Inference::with(self.available, &self.types, source);
            let kind = inference
                .infer(&mut expression)
                .map_err(|problem: Problem| problem.with_position(source))?;
            let is_null_checked = inference.warnings.has_null_check();
            let warnings = inference.warnings.into_messages(&inference.fields);
            self.expression(to_node(expression, &kind)?, kind, &inference.fields)
                .map(|compiled| ValueExpression {
                    warnings,
                    is_null_checked,
                    ..compiled
                })
        })
        .map_err(ValueError)
    }

    /// The values of one record. `datum` is valid and of the scope's schema; empty for a tombstone.
    pub fn values<'r>(&'r self, datum: &'r [u8], kafka: KafkaFields<'r>) -> RecordValues<'r> {
        RecordValues::new(self.schema.as_ref(), datum, kafka)
    }

    /// The values of a datum that is not in Kafka yet. It is valid and of the scope's schema.
    pub fn datum_values<'r>(&'r self, datum: &'r [u8]) -> RecordValues<'r> {
        self.values(datum, KafkaFields::default())
    }

    fn expression(
        &self,
        node: Node,
        kind: Type,
        known: &[String],
    ) -> Result<ValueExpression, String> {
        let mut used = HashSet::new();
        node.for_each_calculated(&mut |part| node::identifiers(part, &mut used));
        let fields: Vec<String> = known
            .iter()
            .filter(|field| used.contains(*field))
            .cloned()
            .collect();
        let encoding = |path: &String| {
            let found = self.types.field_at(path);
            found.map_or(Encoding::Plain, |found| found.kind.encoding())
        };
        let projection = match &self.schema {
            Some(schema) if !fields.is_empty() => {
                let names: Vec<&str> = fields.iter().map(String::as_str).collect();
                let projection = schema.projection(&names);
                Some(projection.map_err(|error| format!("reading its fields: {error}"))?)
            }
            _ => None,
        };
        Ok(ValueExpression {
            node,
            kind,
            interpreter: Interpreter::new(),
            encodings: fields.iter().map(encoding).collect(),
            needs_record: used.contains(WHOLE_RECORD),
            fields,
            projection,
            types: Arc::clone(&self.types),
            warnings: Vec::new(),
            is_null_checked: false,
        })
    }
}

impl ValueExpression {
    /// Whether a field may make the value null. That the Kafka key can be absent does not count.
    pub fn may_be_null(&self) -> bool {
        self.kind.nullable && !self.is_null_checked && !matches!(self.node, Node::Kafka(_))
    }

    /// Valid but suspicious parts.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The value for a record. `values` are of the scope that the expression was compiled in.
    ///
    /// # Errors
    /// A part has no value for this record: an absent key, a division by zero, a value outside its type's range.
    pub fn evaluate(&self, values: &RecordValues<'_>) -> Result<Json, ValueError> {
        self.json(values).map_err(ValueError)
    }

    /// The value of an expression that was compiled [for text](ValueScope::compile_text); `None` for null.
    ///
    /// # Errors
    /// As [`ValueExpression::evaluate`]; or a value does not fit its logical type.
    pub fn text(&self, values: &RecordValues<'_>) -> Result<Option<String>, ValueError> {
        Ok(Some(match self.evaluate(values)? {
            Json::Null => return Ok(None),
            Json::String(text) => text,
            // The JSON of a timestamp outside the years 0 to 9999 is the number that is stored.
            Json::Number(_) if matches!(self.kind.kind, Kind::Timestamp(_)) => {
                let reason = "the timestamp is outside the years 0 to 9999";
                return Err(ValueError(reason.to_owned()));
            }
            Json::Number(number) => number.to_string(),
            Json::Bool(value) => value.to_string(),
            Json::Array(_) | Json::Object(_) => {
                return Err(ValueError("the value is not a scalar".to_owned()));
            }
        }))
    }

    /// The value of an expression that was compiled [for timestamps](ValueScope::compile_timestamp), in milliseconds since
    /// 1970, rounded down; `None` for null.
    ///
    /// # Errors
    /// As [`ValueExpression::evaluate`]; or a timestamp is outside the years 1 to 9999.
    pub fn timestamp_millis(&self, values: &RecordValues<'_>) -> Result<Option<i64>, ValueError> {
        let millis = match self.evaluate(values)? {
            Json::Null => return Ok(None),
            Json::Number(number) => number.as_i64(),
            Json::String(text) => {
                let time = DateTime::parse_from_rfc3339(&text);
                time.ok().map(|time| time.timestamp_millis())
            }
            _ => None,
        };
        let invalid = || ValueError("the value is not a timestamp".to_owned());
        millis.map(Some).ok_or_else(invalid)
    }

    fn json(&self, values: &RecordValues<'_>) -> Result<Json, String> {
        let mut fields = Vec::new();
        if let Some(projection) = &self.projection {
            let read = projection.read(values.datum, &mut fields);
            read.map_err(|fault| fault.to_string())?;
        }
        let is_complex = |field: &avro::Field<'_>| matches!(field, avro::Field::Complex(_));
        let json = match self.needs_record || fields.iter().any(is_complex) {
            true => Some(values.underlying()?),
            false => None,
        };
        let variables = Variables {
            record: Record {
                names: &self.fields,
                fields: &fields,
                encodings: &self.encodings,
                json,
                types: &self.types,
                faults: Faults::default(),
            },
            kafka: &values.kafka,
        };
        self.node.evaluate(&self.interpreter, values, &variables)
    }
}

/// Checks that values are scalars with a text that is not ambiguous, or null.
fn require_scalar(kind: &Type) -> Result<(), String> {
    match kind.kind {
        Kind::Bool
        | Kind::Int
        | Kind::Uint
        | Kind::Str
        | Kind::Enum(_)
        | Kind::Uuid
        | Kind::Timestamp(_)
        | Kind::Decimal(_) => Ok(()),
        _ => Err(format!(
            "expected a string, an enum, a UUID, a whole number, a boolean, a decimal, a date or a timestamp, not {kind}"
        )),
    }
}

impl fmt::Debug for ValueExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueExpression")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
