//! Bodies that are values of an expression.

use std::fmt;

use delivery::request::{JsonMapping, Record};
use routes::{ValueExpression, ValueScope};
use serde_json::Value;

use crate::shape::kafka_fields;

/// A JSON value that an expression makes of each record.
pub(crate) struct Body {
    pub(crate) scope: ValueScope,
    pub(crate) expression: ValueExpression,
}

impl JsonMapping for Body {
    fn value(&self, record: &Record<'_>) -> Result<Value, String> {
        let datum = record.message.datum().map_or(&[][..], |datum| datum);
        let key = record.key();
        let values = self.scope.values(datum, kafka_fields(record.message, &key));
        self.expression
            .evaluate(&values)
            .map_err(|error| format!("its body: {error}"))
    }

    fn is_record(&self) -> bool {
        false
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.expression).finish()
    }
}
