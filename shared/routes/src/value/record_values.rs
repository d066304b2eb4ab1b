//! The values of one record, and its fields as variables of the interpreter.

use std::sync::OnceLock;

use avro::Schema;
use cel::common::types::CelNull;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use serde_json::Value as Json;

use crate::interpret::{Faults, Record};
use crate::kafka_fields::KafkaFields;
use crate::variables::{WHOLE_RECORD, kafka_field};

/// The values of one record, of which any number of expressions are evaluated. Its JSON is made once, when it is needed.
#[derive(Debug)]
pub struct RecordValues<'r> {
    pub(super) schema: Option<&'r Schema>,
    pub(super) datum: &'r [u8],
    pub(super) kafka: KafkaFields<'r>,
    json: OnceLock<Result<Json, String>>,
    underlying: OnceLock<Result<Json, String>>,
}

impl<'r> RecordValues<'r> {
    pub(super) fn new(schema: Option<&'r Schema>, datum: &'r [u8], kafka: KafkaFields<'r>) -> Self {
        Self {
            schema,
            datum,
            kafka,
            json: OnceLock::new(),
            underlying: OnceLock::new(),
        }
    }

    /// The record as `docs/FORMATS.md` maps Avro to JSON.
    pub(super) fn json(&self) -> Result<&Json, String> {
        let json = || match self.schema {
            Some(schema) => schema
                .to_json(self.datum)
                .map_err(|fault| fault.to_string()),
            None => Ok(Json::Null),
        };
        self.json.get_or_init(json).as_ref().map_err(Clone::clone)
    }

    /// The record as JSON in which logical types are underlying values.
    pub(super) fn underlying(&self) -> Result<&Json, String> {
        let json = || match self.schema {
            Some(schema) => {
                let json = schema.to_underlying_json(self.datum);
                json.map_err(|fault| fault.to_string())
            }
            None => Ok(Json::Null),
        };
        self.underlying
            .get_or_init(json)
            .as_ref()
            .map_err(Clone::clone)
    }
}

/// The variables of value expressions: the record's fields, `record` and `kafka`.
pub(super) struct Variables<'a> {
    pub(super) record: Record<'a>,
    pub(super) kafka: &'a KafkaFields<'a>,
}

impl Variables<'_> {
    /// The values without a counterpart in CEL.
    pub(super) fn faults(&self) -> &Faults {
        &self.record.faults
    }
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if variable == WHOLE_RECORD {
            return self.record.whole();
        }
        match kafka_field(variable) {
            Some(field) => Some(field.variable(self.kafka).unwrap_or_else(|fault| {
                self.record.faults.add(fault);
                CowVal::owned(CelNull)
            })),
            None => self.record.resolve(variable),
        }
    }
}
