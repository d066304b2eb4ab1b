//! Searches records by key or field.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kafka::reader::Reader;
use kafka::scan::ScanEnd;
use offsets::window::OffsetRange;
use record::Message;
use writer_schemas::{Found, WriterSchemas};

use super::cli::Criterion;
use super::explainer::ExplainError;
use super::report::SearchEnd;
use crate::job::Job;
use crate::lookup;
use crate::pipeline::schema_headers;

/// A search.
pub(super) struct Search<'s> {
    pub(super) job: &'s Job,
    pub(super) reader: &'s Reader,
    /// Where to search.
    pub(super) ranges: Vec<OffsetRange>,
    pub(super) criterion: &'s Criterion,
    /// The most records.
    pub(super) limit: usize,
    pub(super) timeout: Duration,
}

impl Search<'_> {
    /// The records that fit the criterion, by timestamp. `schemas` gets what the registry answers.
    ///
    /// # Errors
    /// The broker or the registry failed, or `AVRO_SCHEMA` has no such field.
    pub(super) fn run(
        &self,
        schemas: &mut WriterSchemas,
    ) -> Result<(Vec<Message>, SearchEnd), ExplainError> {
        if let Criterion::Field { path, .. } = self.criterion {
            let projection = schemas.reader().projection(&[path]);
            projection.map_err(ExplainError::Field)?;
        }
        let topic: Arc<str> = Arc::from(self.job.config.kafka.topic.as_str());
        let (mut found, mut failed) = (Vec::new(), None);
        let end = self.reader.scan(&self.ranges, self.timeout, |record| {
            let is_match = match self.criterion {
                Criterion::Key(key) => Ok(record.key() == Some(key.as_bytes())),
                Criterion::Field { path, value } => {
                    let message = lookup::message(record, &topic);
                    lookup::add_schema(schemas, self.job, &message)
                        .map(|()| has_value(&message, schemas, path, value))
                }
            };
            match is_match {
                Ok(false) => return ControlFlow::Continue(()),
                Ok(true) => found.push(lookup::message(record, &topic)),
                Err(error) => failed = Some(error),
            }
            match found.len() >= self.limit || failed.is_some() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        found.sort_by_key(|message| (message.timestamp, message.at.partition, message.at.offset));
        let end = match end {
            ScanEnd::Complete => SearchEnd::Complete,
            ScanEnd::Stopped => SearchEnd::Limit,
            ScanEnd::TimedOut => SearchEnd::Timeout,
        };
        Ok((found, end))
    }
}

/// Whether a field of the record has this value in JSON.
fn has_value(message: &Message, schemas: &WriterSchemas, path: &str, value: &str) -> bool {
    let found = || {
        let headers = schema_headers(&message.headers);
        let Found::Known { schema, datum } = schemas.find(message.value.as_deref()?, &headers)
        else {
            return None;
        };
        let mut resolved = Vec::new();
        let datum = schema.resolve(datum, &mut resolved).ok()?;
        let json = schemas.reader().to_json(datum).ok()?;
        let mut field = &json;
        for name in path.split('.') {
            field = field.get(name)?;
        }
        Some(match field {
            serde_json::Value::String(text) => text == value,
            other => {
                let text = other.to_string();
                text == value
            }
        })
    };
    found().unwrap_or(false)
}
