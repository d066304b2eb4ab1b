//! A producer that returns the partition and the offset of each record.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext, Message};

use super::{NewRecord, TIMEOUT};

/// A producer for one list of records at a time.
pub(super) struct Writer {
    pub(super) inner: BaseProducer<DeliveryReports>,
}

impl Writer {
    pub(super) fn new(config: &ClientConfig) -> Result<Self> {
        let inner = BaseProducer::from_config_and_context(config, DeliveryReports::default())?;
        Ok(Self { inner })
    }

    /// Writes the records and waits for their acknowledgements.
    pub(super) fn write(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<(i32, i64)>> {
        let reports = || {
            self.inner
                .context()
                .0
                .lock()
                .map_err(|_| anyhow!("the lock of the delivery reports is poisoned"))
        };
        *reports()? = vec![Err(KafkaError::Canceled); records.len()];
        for (index, record) in records.iter().enumerate() {
            let mut next = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(index));
            next.partition = record.partition;
            next.key = record.key.as_deref();
            next.payload = record.value.as_deref();
            next.timestamp = record.timestamp;
            if !record.headers.is_empty() {
                let headers = OwnedHeaders::new();
                next.headers = Some(record.headers.iter().fold(
                    headers,
                    |headers, (key, value)| {
                        headers.insert(Header {
                            key,
                            value: value.as_ref(),
                        })
                    },
                ));
            }
            loop {
                match self.inner.send(next) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        next = back;
                        self.inner.poll(Duration::from_millis(10));
                    }
                    Err((error, _)) => return Err(error).context("writing a record"),
                }
            }
            self.inner.poll(Duration::ZERO);
        }
        self.inner.flush(TIMEOUT).context("flushing")?;
        let outcomes = std::mem::take(&mut *reports()?);
        outcomes
            .into_iter()
            .enumerate()
            .map(|(index, outcome)| {
                outcome.with_context(|| format!("writing record {index} to {topic}"))
            })
            .collect()
    }
}

/// Partition and offset of each record, by its index in the list of records.
#[derive(Default)]
pub(super) struct DeliveryReports(Mutex<Vec<Result<(i32, i64), KafkaError>>>);

impl ClientContext for DeliveryReports {}

impl ProducerContext for DeliveryReports {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, index: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        if let Ok(mut reports) = self.0.lock()
            && let Some(entry) = reports.get_mut(*index)
        {
            *entry = outcome;
        }
    }
}
