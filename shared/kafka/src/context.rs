//! The rdkafka context of every client: logs its lines and connection errors, and passes events to a handler.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use rdkafka::util::IntoOpaque;

use crate::log;

/// Handles the events of one client. The thread that polls the client calls it.
pub trait EventHandler: Send + Sync {
    /// librdkafka reported an error, usually of a connection. `reason` is redacted.
    fn on_error(&self, error: &KafkaError, reason: &str) {
        let _ = (error, reason);
    }

    /// librdkafka reported statistics, which it does if `statistics.interval.ms` is set.
    fn on_statistics(&self, statistics: &Statistics) {
        let _ = statistics;
    }
}

/// Handles the delivery reports of a producer.
pub trait DeliveryHandler: EventHandler {
    /// The value that identifies a message; it is passed to the producer with the message.
    type Opaque: IntoOpaque;

    /// The producer finished with one message.
    fn on_delivery(&self, result: &DeliveryResult<'_>, opaque: Self::Opaque);
}

/// The one implementation of rdkafka's [`ClientContext`].
///
/// Texts of librdkafka are redacted before they are logged or passed on. Connection errors are logged at debug, since
/// librdkafka reconnects and a job reports the consequences; [`LoggingContext::with_warnings`] raises them. Repeated
/// warnings of a kind are counted and not repeated.
#[derive(Debug)]
pub struct LoggingContext<H> {
    client: &'static str,
    shows_warnings: bool,
    handler: H,
}

impl<H> LoggingContext<H> {
    /// A context for the client of this name, which appears in the log.
    pub fn new(client: &'static str, handler: H) -> Self {
        Self {
            client,
            shows_warnings: false,
            handler,
        }
    }

    /// Logs connection errors and librdkafka's warnings at warn: for a long-running program without a report.
    #[must_use]
    pub fn with_warnings(self) -> Self {
        Self {
            shows_warnings: true,
            ..self
        }
    }

    pub(crate) fn handler(&self) -> &H {
        &self.handler
    }
}

impl<H: EventHandler> ClientContext for LoggingContext<H> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log::write(level as i32, facility, line, self.shows_warnings);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let reason = log::redacted(reason);
        let client = self.client;
        if !self.shows_warnings {
            tracing::debug!(client, %error, reason, "Kafka client error");
        } else if let Some(suppressed) = log::admit(format!("error {client} {error}")) {
            tracing::warn!(client, %error, reason, suppressed, "Kafka client error");
        }
        self.handler.on_error(&error, &reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.handler.on_statistics(&statistics);
    }
}

impl<H: DeliveryHandler> ProducerContext for LoggingContext<H> {
    type DeliveryOpaque = H::Opaque;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: H::Opaque) {
        self.handler.on_delivery(result, opaque);
    }
}
