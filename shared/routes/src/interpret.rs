//! Evaluates conditions in the CEL interpreter: those that cannot be compiled, and those without a compiled result.

use std::collections::HashMap;
use std::sync::Arc;

use avro::Field;
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, IdedExpr, Value};
use serde_json::Value as Json;

use crate::types::{Kind, Type, Types};

/// The fields of one record, as variables of the interpreter.
pub(super) struct Record<'a> {
    /// The fields' names, in the order of `fields`.
    pub(super) names: &'a [String],
    /// The fields' values.
    pub(super) fields: &'a [Field<'a>],
    /// The record as JSON, if a field is a list, a map or a record.
    pub(super) json: Option<&'a Json>,
    /// The fields' types, because JSON does not distinguish all of them.
    pub(super) types: &'a Types,
}

/// The interpreter with CEL's standard functions.
pub(super) struct Interpreter(Arc<Env>);

impl Interpreter {
    pub(super) fn new() -> Self {
        Self(Arc::new(Env::stdlib()))
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
        let mut context = Context::with_env(Arc::clone(&self.0));
        context.set_variable_resolver(record);
        match Value::resolve_val(expression, &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(boolean) => Ok(*boolean.inner()),
                None => Err(format!(
                    "the condition is of type {}, not a boolean",
                    value.get_type().name()
                )),
            },
            Err(error) => Err(error.to_string()),
        }
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
        Some(match self.fields.get(index)? {
            Field::Null => CowVal::owned(CelNull),
            Field::Bool(value) => CowVal::owned(CelBool::from(*value)),
            Field::Int(value) => CowVal::owned(CelInt::from(*value)),
            Field::Double(value) => CowVal::owned(CelDouble::from(*value)),
            Field::Str(value) => CowVal::owned(CelString::from(*value)),
            Field::Bytes(value) => CowVal::owned(CelBytes::from(*value)),
            Field::Complex(_) => self.complex(variable)?,
        })
    }
}

impl Record<'_> {
    fn complex<'b>(&'b self, path: &str) -> Option<CowVal<'b, 'b>> {
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
        Some(CowVal::Owned(self.value(value, kind?)))
    }

    fn value<'b>(&'b self, json: &'b Json, kind: &'b Type) -> Box<dyn Val + 'b> {
        match (json, &kind.kind) {
            (Json::Null, _) => Box::new(CelNull),
            (Json::Bool(value), _) => Box::new(CelBool::from(*value)),
            (Json::Number(number), kind) => match (number.as_i64(), kind) {
                (Some(int), Kind::Double) => Box::new(CelDouble::from(int as f64)),
                (Some(int), _) => Box::new(CelInt::from(int)),
                (None, _) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
            },
            // NaN and infinities are strings in JSON.
            (Json::String(text), Kind::Double) => {
                Box::new(CelDouble::from(text.parse().unwrap_or(f64::NAN)))
            }
            (Json::String(text), Kind::Bytes) => Box::new(CelBytes::from(
                text.chars().map(|c| c as u8).collect::<Vec<u8>>(),
            )),
            (Json::String(text), _) => Box::new(CelString::from(text.as_str())),
            (Json::Array(items), kind) => {
                let item = match kind {
                    Kind::List(item) => item,
                    _ => &ANY,
                };
                let items: Vec<Box<dyn Val + 'b>> =
                    items.iter().map(|json| self.value(json, item)).collect();
                Box::new(CelList::from(items))
            }
            (Json::Object(entries), kind) => {
                let value_kind = |name: &str| match kind {
                    Kind::Map(_, value) => &**value,
                    Kind::Record(record) => {
                        Types::field(&self.types.records[*record], name).unwrap_or(&ANY)
                    }
                    _ => &ANY,
                };
                let entries: HashMap<CelMapKey<'b>, Box<dyn Val + 'b>> = entries
                    .iter()
                    .map(|(name, json)| {
                        let key = CelMapKey::from(name.as_str());
                        (key, self.value(json, value_kind(name)))
                    })
                    .collect();
                Box::new(CelMap::from(entries))
            }
        }
    }
}

static ANY: Type = Type {
    kind: Kind::Any,
    nullable: true,
};
