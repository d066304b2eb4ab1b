//! The metrics of the function: requests, sent messages, broker, memory.
//!
//! Names and attributes are those of OpenTelemetry's semantic conventions for
//! [HTTP servers](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/) and
//! [messaging clients](https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/). The values of all
//! attributes are constants of the program: no text of a request is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Response};
use http_server::problem::ProblemType;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use telemetry::metrics::{Metrics, MetricsError, observe_resident_memory};

/// The most sets of attributes of an instrument: more than all methods with all types of problems.
pub(crate) const MAX_SERIES: usize = 1_000;

/// The upper bounds of the classes of durations, in seconds. The conventions begin at 5 ms; a call often takes less.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// The upper bounds of the classes of body sizes, in bytes.
const BYTES: [f64; 10] = [
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
];

const UNKNOWN: u8 = 0;
const DOWN: u8 = 1;
const UP: u8 = 2;

/// The instruments of the function. All functions of the process share them, also after its settings have changed.
pub struct IngestMetrics {
    metrics: Metrics,
    request_duration: Histogram<f64>,
    active_requests: UpDownCounter<i64>,
    body_size: Histogram<u64>,
    send_duration: Histogram<f64>,
    sent_messages: Counter<u64>,
    broker: Arc<AtomicU8>,
}

impl IngestMetrics {
    /// Makes the instruments.
    pub fn new(metrics: Metrics) -> Self {
        let meter = metrics.meter();
        observe_resident_memory(&meter);
        let broker = Arc::new(AtomicU8::new(UNKNOWN));
        let state = Arc::clone(&broker);
        meter
            .u64_observable_gauge("frontdoor.ingest.broker_up")
            .with_description("1 if a broker answered the last time, 0 if not.")
            .with_callback(move |gauge| match state.load(Ordering::Relaxed) {
                UP => gauge.observe(1, &[]),
                DOWN => gauge.observe(0, &[]),
                _ => {}
            })
            .build();
        Self {
            request_duration: meter
                .f64_histogram("http.server.request.duration")
                .with_unit("s")
                .with_description("Duration of requests, without health and readiness checks.")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            active_requests: meter
                .i64_up_down_counter("http.server.active_requests")
                .with_description("Requests that are not answered yet.")
                .build(),
            body_size: meter
                .u64_histogram("http.server.request.body.size")
                .with_unit("By")
                .with_description("Size of the request bodies that were read, as received.")
                .with_boundaries(BYTES.to_vec())
                .build(),
            send_duration: meter
                .f64_histogram("messaging.client.operation.duration")
                .with_unit("s")
                .with_description(
                    "Time until all messages of a request were acknowledged or failed.",
                )
                .with_boundaries(SECONDS.to_vec())
                .build(),
            sent_messages: meter
                .u64_counter("messaging.client.sent.messages")
                .with_description("Messages; with error_type those that were not acknowledged.")
                .build(),
            broker,
            metrics,
        }
    }

    /// Begins to measure a request.
    pub(crate) fn begin(self: &Arc<Self>, method: &Method) -> MeasuredRequest {
        self.active_requests.add(1, &[]);
        MeasuredRequest {
            metrics: Arc::clone(self),
            method: method_name(method),
            start: Instant::now(),
            response: None,
        }
    }

    /// Counts a body that was read.
    pub(crate) fn body_read(&self, bytes: usize) {
        self.body_size.record(bytes as u64, &[]);
    }

    /// Counts the messages of a request: for each the type of the problem if it was not acknowledged.
    pub(crate) fn published(
        &self,
        duration: Duration,
        outcomes: impl Iterator<Item = Option<&'static ProblemType>>,
    ) {
        let (mut stored, mut first_error) = (0, None);
        for outcome in outcomes {
            match outcome {
                None => stored += 1,
                Some(problem) => {
                    first_error = first_error.or(Some(problem));
                    self.sent_messages.add(1, &[kafka(), error(problem.name)]);
                }
            }
        }
        if stored > 0 {
            self.sent_messages.add(stored, &[kafka()]);
        }
        let send = KeyValue::new("messaging.operation.name", "send");
        match first_error {
            None => {
                self.broker_answered(true);
                self.send_duration
                    .record(duration.as_secs_f64(), &[send, kafka()]);
            }
            Some(problem) => self.send_duration.record(
                duration.as_secs_f64(),
                &[send, kafka(), error(problem.name)],
            ),
        }
    }

    /// Notes whether a broker answers.
    pub(crate) fn broker_answered(&self, answered: bool) {
        let state = if answered { UP } else { DOWN };
        self.broker.store(state, Ordering::Relaxed);
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// The metrics cannot be encoded.
    pub(crate) fn text(&self) -> Result<String, MetricsError> {
        self.metrics.text()
    }
}

/// A request that is being answered. One that is dropped before its response counts with the error `cancelled`: its
/// client has closed the connection.
pub(crate) struct MeasuredRequest {
    metrics: Arc<IngestMetrics>,
    method: &'static str,
    start: Instant,
    response: Option<(u16, Option<&'static ProblemType>)>,
}

impl MeasuredRequest {
    /// Counts the request with its response.
    pub(crate) fn end(mut self, response: &Response<Bytes>) {
        let problem = response.extensions().get::<&'static ProblemType>();
        self.response = Some((response.status().as_u16(), problem.copied()));
    }
}

impl Drop for MeasuredRequest {
    fn drop(&mut self) {
        let method = KeyValue::new("http.request.method", self.method);
        let status = |status| KeyValue::new("http.response.status_code", i64::from(status));
        let seconds = self.start.elapsed().as_secs_f64();
        let duration = &self.metrics.request_duration;
        match self.response {
            Some((code, None)) => duration.record(seconds, &[method, status(code)]),
            Some((code, Some(problem))) => {
                duration.record(seconds, &[method, status(code), error(problem.name)]);
            }
            None => duration.record(seconds, &[method, error("cancelled")]),
        }
        self.metrics.active_requests.add(-1, &[]);
    }
}

fn kafka() -> KeyValue {
    KeyValue::new("messaging.system", "kafka")
}

fn error(name: &'static str) -> KeyValue {
    KeyValue::new("error.type", name)
}

/// The method if it is one of RFC 9110 or PATCH (RFC 5789), otherwise `_OTHER`.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "POST", "GET", "HEAD", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    let known = KNOWN.iter().find(|known| **known == method.as_str());
    known.copied().unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use telemetry::Program;

    use super::*;

    #[test]
    fn a_request_without_a_response_counts_as_cancelled() {
        let program = Program {
            name: "test",
            version: "1",
        };
        let metrics = Metrics::new(program.resource([], |_| None), MAX_SERIES).unwrap();
        let metrics = Arc::new(IngestMetrics::new(metrics));
        let request = metrics.begin(&Method::POST);
        let active = |count| format!("\nhttp_server_active_requests {count}\n");
        assert!(metrics.text().unwrap().contains(&active(1)));
        drop(request);
        let text = metrics.text().unwrap();
        assert!(text.contains(&active(0)));
        let count = r#"_count{error_type="cancelled",http_request_method="POST"} 1"#;
        assert!(text.contains(count), "{text}");
        assert!(!text.contains("broker_up "), "{text}");
    }
}
