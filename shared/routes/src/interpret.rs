//! Evaluates conditions in the CEL interpreter: those that cannot be compiled, and those without a compiled result.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use avro::Field;
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};
use serde_json::Value as Json;

use crate::decimal::Decimal;
use crate::environment::environment;
use crate::logical::{self, Encoding};
use crate::types::{Kind, Type, Types};

/// The most bytes of CEL's error message that are kept. It is in headers of dead letters.
const MAX_MESSAGE: usize = 1_024;

/// The fields of one record, as variables of the interpreter.
pub(super) struct Record<'a> {
    /// The fields' names, in the order of `fields`.
    pub(super) names: &'a [String],
    /// The fields' values.
    pub(super) fields: &'a [Field<'a>],
    /// How the fields' values are stored.
    pub(super) encodings: &'a [Encoding],
    /// The record as JSON, if a field is a list, a map or a record.
    pub(super) json: Option<&'a Json>,
    /// The fields' types, because JSON does not distinguish all of them.
    pub(super) types: &'a Types,
    /// The values without a counterpart in CEL.
    pub(super) faults: Faults,
}

/// Values without a counterpart in CEL, found while a condition is evaluated.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The first field with such a value. The evaluation has no result.
    field: OnceLock<String>,
    /// The first such field of a record inside another field. It is absent there, so that reading it fails.
    inner: OnceLock<String>,
}

/// The interpreter with CEL's standard functions.
pub(super) struct Interpreter(Arc<Env>);

impl Interpreter {
    pub(super) fn new() -> Self {
        Self(environment())
    }

    /// Whether a record matches.
    ///
    /// # Errors
    /// CEL's error message, if the expression has no value for this record.
    pub(super) fn matches(
        &self,
        expression: &IdedExpr,
        record: &Record<'_>,
    ) -> Result<bool, String> {
        self.boolean(expression, record, &record.faults)
    }

    /// The value of a condition over these variables.
    ///
    /// # Errors
    /// As [`Interpreter::evaluate`].
    pub(super) fn boolean(
        &self,
        expression: &IdedExpr,
        variables: &dyn VariableResolver,
        faults: &Faults,
    ) -> Result<bool, String> {
        self.evaluate(expression, variables, faults, |value| {
            match value.downcast_ref::<CelBool>() {
                Some(boolean) => Ok(*boolean.inner()),
                None => Err(format!(
                    "the condition is of type {}, not a boolean",
                    value.get_type().name()
                )),
            }
        })
    }

    /// The value of an expression over these variables, converted. `faults` are those of the variables.
    ///
    /// # Errors
    /// CEL's error message, if the expression has no value; or `convert` failed.
    pub(super) fn evaluate<T>(
        &self,
        expression: &IdedExpr,
        variables: &dyn VariableResolver,
        faults: &Faults,
        convert: impl FnOnce(&dyn Val) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut context = Context::with_env(Arc::clone(&self.0));
        context.set_variable_resolver(variables);
        let result = Value::resolve_val(expression, &context);
        if let Some(fault) = faults.field.get() {
            return Err(fault.clone());
        }
        if let (Err(ExecutionError::NoSuchKey(_)), Some(fault)) = (&result, faults.inner.get()) {
            return Err(fault.clone());
        }
        match result {
            Ok(value) => convert(&*value),
            Err(error) => Err(shortened(error.to_string())),
        }
    }
}

/// The beginning of a message, which can contain a value of any length.
fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push('…');
    }
    message
}

impl Faults {
    /// Notes a value without a counterpart in CEL. The evaluation has no result.
    pub(super) fn add(&self, fault: String) {
        // The first fault is enough for the message.
        let _ = self.field.set(fault);
    }
}

impl std::fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interpreter")
    }
}

impl VariableResolver for Record<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let index = self.names.iter().position(|name| name == variable)?;
        let field = self.fields.get(index)?;
        let encoding = self.encodings.get(index).copied();
        if let (Some(encoding), Field::Int(_) | Field::Bytes(_)) = (encoding, field)
            && encoding != Encoding::Plain
        {
            let value = decode(encoding, field);
            return Some(self.value_or_fault(variable, value));
        }
        Some(match field {
            Field::Null => CowVal::owned(CelNull),
            Field::Bool(value) => CowVal::owned(CelBool::from(*value)),
            Field::Int(value) => CowVal::owned(CelInt::from(*value)),
            Field::Double(value) => CowVal::owned(CelDouble::from(*value)),
            Field::Str(value) => CowVal::owned(CelString::from(*value)),
            Field::Bytes(value) => CowVal::owned(CelBytes::from(*value)),
            Field::Complex(_) => {
                let (json, kind) = self.complex(variable)?;
                self.value_or_fault(variable, self.value(json, kind))
            }
        })
    }
}

/// The value of a field of a logical type.
///
/// # Errors
/// CEL has no such value.
fn decode<'v>(encoding: Encoding, field: &Field<'_>) -> Result<Box<dyn Val + 'v>, String> {
    let value = || -> Option<Box<dyn Val + 'v>> {
        Some(match (encoding, field) {
            (Encoding::Timestamp(unit), Field::Int(number)) => {
                Box::new(logical::timestamp(*number, unit)?)
            }
            (Encoding::TimeOfDay(unit), Field::Int(number)) => {
                Box::new(logical::duration(*number, unit)?)
            }
            (Encoding::Decimal(scale), Field::Bytes(bytes)) => {
                Box::new(Decimal::from_bytes(bytes, scale)?)
            }
            (Encoding::Uuid, Field::Bytes(bytes)) => {
                Box::new(CelString::from(logical::uuid(bytes)?.as_str().to_owned()))
            }
            _ => return None,
        })
    };
    value().ok_or_else(|| encoding.describe_fault(field))
}

impl Record<'_> {
    /// The value of a field, or null and an entry in [`Record::faults`].
    fn value_or_fault<'b>(
        &self,
        path: &str,
        value: Result<Box<dyn Val + 'b>, String>,
    ) -> CowVal<'b, 'b> {
        CowVal::Owned(value.unwrap_or_else(|fault| {
            self.faults.add(format!("{path}: {fault}"));
            Box::new(CelNull)
        }))
    }

    /// The whole record.
    pub(super) fn whole<'b>(&'b self) -> Option<CowVal<'b, 'b>> {
        let (json, kind) = (self.json?, self.types.datum()?);
        Some(self.value_or_fault("record", self.value(json, kind)))
    }

    fn complex<'b>(&'b self, path: &str) -> Option<(&'b Json, &'b Type)> {
        let (mut value, mut fields) = (self.json?, self.types.fields());
        let mut kind = None;
        for name in path.split('.') {
            value = value.get(name)?;
            let known = Types::field(fields, name)?;
            if let Kind::Record(record) = known.kind {
                fields = &self.types.records[record];
            }
            kind = Some(known);
        }
        Some((value, kind?))
    }

    /// # Errors
    /// The value, an item or a value of a map has no counterpart in CEL.
    fn value<'b>(&'b self, json: &'b Json, kind: &'b Type) -> Result<Box<dyn Val + 'b>, String> {
        let encoding = kind.kind.encoding();
        Ok(match (json, &kind.kind) {
            (Json::Null, _) => Box::new(CelNull),
            (Json::Bool(value), _) => Box::new(CelBool::from(*value)),
            (Json::Number(number), kind) => match (number.as_i64(), kind) {
                (Some(int), _) if encoding != Encoding::Plain => {
                    decode(encoding, &Field::Int(int))?
                }
                (Some(int), Kind::Double) => Box::new(CelDouble::from(int as f64)),
                (Some(int), _) => Box::new(CelInt::from(int)),
                (None, _) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
            },
            (Json::String(text), _) if encoding != Encoding::Plain => {
                decode(encoding, &Field::Bytes(&latin1(text)))?
            }
            // NaN and infinities are strings in JSON.
            (Json::String(text), Kind::Double) => {
                Box::new(CelDouble::from(text.parse().unwrap_or(f64::NAN)))
            }
            (Json::String(text), Kind::Bytes) => Box::new(CelBytes::from(latin1(text))),
            (Json::String(text), _) => Box::new(CelString::from(text.as_str())),
            (Json::Array(items), kind) => {
                let item = match kind {
                    Kind::List(item) => item,
                    _ => &ANY,
                };
                let items: Result<Vec<Box<dyn Val + 'b>>, String> =
                    items.iter().map(|json| self.value(json, item)).collect();
                Box::new(CelList::from(items?))
            }
            (Json::Object(entries), Kind::Record(record)) => {
                self.record(entries, &self.types.records[*record])
            }
            (Json::Object(entries), kind) => {
                let kind = match kind {
                    Kind::Map(_, value) => value,
                    _ => &ANY,
                };
                let mut map = HashMap::with_capacity(entries.len());
                for (name, json) in entries {
                    map.insert(CelMapKey::from(name.as_str()), self.value(json, kind)?);
                }
                Box::new(CelMap::from(map))
            }
        })
    }

    /// A record inside another field. A field without a counterpart in CEL is absent: a condition that does not read it is not
    /// affected.
    fn record<'b>(
        &'b self,
        entries: &'b serde_json::Map<String, Json>,
        fields: &'b [(String, Type)],
    ) -> Box<dyn Val + 'b> {
        let mut record: HashMap<CelMapKey<'b>, Box<dyn Val + 'b>> =
            HashMap::with_capacity(entries.len());
        for (name, json) in entries {
            match self.value(json, Types::field(fields, name).unwrap_or(&ANY)) {
                Ok(value) => {
                    record.insert(CelMapKey::from(name.as_str()), value);
                }
                Err(fault) => {
                    let _ = self.faults.inner.set(format!("{name}: {fault}"));
                }
            }
        }
        Box::new(CelMap::from(record))
    }
}

/// The bytes of a string that has one character for each byte.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

static ANY: Type = Type {
    kind: Kind::Any,
    nullable: true,
};
