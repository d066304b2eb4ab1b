//! Target and headers with values of the record.

use std::sync::Arc;

use delivery::request::{InvalidRecord, Record, Records, RequestShape, Shape};
use http::Method;
use record::Message;
use routes::{KafkaFields, ValueScope};

use crate::header::Header;
use crate::target::Target;

/// Adds what depends on a record to the requests of another shape.
#[derive(Debug)]
pub(crate) struct TemplateShape {
    pub(crate) base: Arc<dyn RequestShape>,
    pub(crate) parts: Arc<Parts>,
}

/// The compiled templates of target and headers.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The variables of `target` and `headers`.
    pub(crate) scope: ValueScope,
    pub(crate) target: Option<Target>,
    pub(crate) headers: Vec<Header>,
    /// Those of a request for a record without a value.
    pub(crate) tombstones: Option<(ValueScope, Target)>,
}

impl RequestShape for TemplateShape {
    fn shape(&self, records: &Records<'_>) -> Result<Shape, InvalidRecord> {
        let mut shape = self.base.shape(records)?;
        let record = records.single()?;
        let change = match (&record.message.value, &self.parts.tombstones) {
            (None, Some((scope, target))) => self.parts.delete(&mut shape, scope, target, &record),
            // With several records there are no placeholders.
            _ if records.messages().len() == 1 => self.parts.fill(&mut shape, &record),
            _ => Ok(()),
        };
        change.map_err(|reason| InvalidRecord { index: 0, reason })?;
        Ok(shape)
    }

    fn accepts_tombstones(&self) -> bool {
        self.parts.tombstones.is_some()
    }
}

impl Parts {
    fn fill(&self, shape: &mut Shape, record: &Record<'_>) -> Result<(), String> {
        let datum = record.message.datum().map_or(&[][..], |datum| datum);
        let key = record.key();
        let values = self.scope.values(datum, kafka_fields(record.message, &key));
        if let Some(target) = &self.target {
            let uri = target.uri(&values);
            shape.target = Some(uri.map_err(|reason| format!("its url: {reason}"))?);
        }
        for header in &self.headers {
            let filled = header.header(&values);
            let filled = filled.map_err(|reason| format!("{}: {reason}", header.description()))?;
            shape.headers.push(filled);
        }
        Ok(())
    }

    fn delete(
        &self,
        shape: &mut Shape,
        scope: &ValueScope,
        target: &Target,
        record: &Record<'_>,
    ) -> Result<(), String> {
        let key = record.key();
        let values = scope.values(&[], kafka_fields(record.message, &key));
        let uri = target.uri(&values);
        shape.method = Method::DELETE;
        shape.target = Some(uri.map_err(|reason| format!("the url of tombstones: {reason}"))?);
        Ok(())
    }
}

pub(crate) fn kafka_fields<'r>(message: &'r Message, idempotency_key: &'r str) -> KafkaFields<'r> {
    let at = message.coordinates();
    KafkaFields {
        key: message.key.as_deref(),
        topic: &at.topic,
        partition: at.partition,
        offset: at.offset,
        timestamp: message.timestamp,
        idempotency_key,
    }
}
