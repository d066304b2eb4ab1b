//! librdkafka without the function: from produce to acknowledgement.
#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka_sys as sys;

/// A librdkafka producer with the function's configuration.
pub(crate) struct Raw {
    producer: BaseProducer,
    queue: *mut sys::rd_kafka_queue_t,
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: `start` has created the reference, and the client is dropped after it.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) }
    }
}

impl Raw {
    /// Creates a client.
    pub(crate) fn start(bootstrap: &str) -> Result<Self> {
        let producer = BaseProducer::from_config(
            ClientConfig::new()
                .set("bootstrap.servers", bootstrap)
                .set("acks", "all")
                .set("enable.idempotence", "true")
                .set("linger.ms", "0"),
        )?;
        // SAFETY: the producer is alive; this value owns the reference to its queue.
        let queue = unsafe { sys::rd_kafka_queue_get_main(producer.client().native_ptr()) };
        Ok(Self { producer, queue })
    }

    /// Produces `datum` and waits for its acknowledgement.
    pub(crate) fn produce(&self, datum: &[u8]) -> Result<Duration> {
        let start = Instant::now();
        let mut headers = OwnedHeaders::new_with_capacity(3);
        for (key, value) in [
            ("content-type", "avro/binary"),
            ("avro-schema-fingerprint", "51d528be20c8a6cc"),
            ("call-id", "01DWCALL000000000000000001"),
        ] {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let record = BaseRecord::to("benchmark")
            .key("1010")
            .payload(datum)
            .headers(headers);
        self.producer
            .send(record)
            .map_err(|(error, _)| error)
            .context("producing")?;
        loop {
            // SAFETY: the queue is alive; the event is destroyed once.
            let delivered = unsafe {
                let event = sys::rd_kafka_queue_poll(self.queue, 1000);
                ensure!(!event.is_null(), "no acknowledgement within a second");
                let kind = sys::rd_kafka_event_type(event);
                sys::rd_kafka_event_destroy(event);
                kind == sys::RD_KAFKA_EVENT_DR
            };
            if delivered {
                return Ok(start.elapsed());
            }
        }
    }
}
