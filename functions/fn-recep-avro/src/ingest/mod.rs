//! Turns one HTTP request with Avro or JSON in its body into Kafka messages.
//!
//! The whole body is validated before the first message is sent. The module does not depend on the host: its input is
//! a request and a [`Call`], its output is a response.
//!
//! - `receive`: authenticates the caller, reads the body within its limit
//! - `decode`: checks the headers, decodes the encodings of the body
//! - `schemas`: the schemas that bodies may have been written with, also those of a schema registry
//! - `validate`: splits the body into datums and validates each of them; `json` encodes those of a JSON body
//! - `trace`: the request's spans, and the trace context of its messages
//! - `store`: the form in which datums are stored
//! - `memory`: bounds the memory of all calls together
//! - `envelope`: makes a message of each datum: key, timestamp, headers, value
//! - `publisher`: sends the messages and waits for the acknowledgements
//! - `respond`: makes the response, of one of the types in `problems` if the request failed

mod call;
mod config;
mod decode;
mod encodings;
mod envelope;
mod json;
mod limits;
mod memory;
mod problems;
mod publisher;
mod receive;
mod respond;
mod schema_document;
mod schemas;
mod store;
mod trace;
mod validate;

use settings::Settings;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use caller_auth::CallerAuth;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use http_server::problem::Problem;
use http_server::stream::PeerAddress;
use rdkafka::error::KafkaError;
use schema_registry::RegistryError;
use telemetry::Telemetry;
use tracing::debug;

pub use call::{Call, Rejection};
pub use config::Config;
use decode::{BodyFormat, DecodedRequest};
use envelope::{Envelope, EnvelopeError};
use limits::RequestLimits;
use memory::Memory;
use publisher::Publisher;
use receive::IncomingRequest;
pub use respond::{busy, cannot_start, starting};
use schemas::Schemas;
use store::StoreAs;
use trace::{ProducerTrace, RequestTrace, ids};

use crate::metrics::IngestMetrics;

/// A client could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Kafka client rejects its configuration.
    #[error("starting the Kafka client: {0}")]
    Kafka(#[from] KafkaError),
    /// The client of the schema registry rejects its configuration.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// The ingest function: the request handler behind every host.
pub struct IngestFunction {
    callers: CallerAuth,
    metrics_callers: CallerAuth,
    metrics: Option<Arc<IngestMetrics>>,
    limits: RequestLimits,
    schemas: Schemas,
    store_as: StoreAs,
    envelope: Envelope,
    publisher: Publisher,
    memory: Memory,
    telemetry: Telemetry,
}

impl IngestFunction {
    /// Starts the Kafka client. It does not wait for a connection to a broker.
    ///
    /// # Errors
    /// A client rejects its configuration.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Ok(Self {
            callers: config.callers,
            metrics_callers: config.metrics_callers,
            metrics: config.metrics,
            limits: config.limits,
            schemas: Schemas::new(config.schemas, config.registry)?,
            store_as: config.store_as,
            envelope: config.envelope,
            publisher: Publisher::start(config.publisher).await?,
            memory: Memory::default(),
            telemetry: config.telemetry,
        })
    }

    /// Handles one request. `GET …/schema` returns the configured schema.
    ///
    /// A caller that is not authenticated receives only 401 or 403.
    ///
    /// The response is 202 with the messages' coordinates when the brokers have acknowledged every message. Otherwise it
    /// is a problem (RFC 9457) that says what is wrong and whether messages may be stored.
    ///
    /// Nothing is published unless the whole body is valid. If the process ends before the response, any of the
    /// messages may be stored.
    pub async fn handle<B>(&self, request: Request<B>, call: &Call) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let trace = RequestTrace::start(self.telemetry.tracer(), &request, call);
        let result = self.respond(request, call, &trace).await;
        let context = trace.context();
        trace.end(&result);
        match result {
            Ok(response) => response,
            Err(problem) => respond::problem(problem, call, context.as_ref()),
        }
    }

    async fn respond<B>(
        &self,
        request: Request<B>,
        call: &Call,
        trace: &RequestTrace<'_>,
    ) -> Result<Response<Bytes>, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let memory = self.memory.reserve();
        let mut request = IncomingRequest::new(request, call, self.limits.max_body, memory)
            .with_metrics(self.metrics.as_deref());
        request.authenticate(&self.callers).await?;
        let known = self.schemas.known();
        if let Some(response) = schema_document::respond(&request.head, known.reader()) {
            return Ok(response);
        }
        let request = decode::read(request, &self.limits).await?;
        let response = self.ingest(request, call, trace).await?;
        let context = trace.context();
        let (trace_id, span_id) = ids(context.as_ref());
        debug!(
            call = call.id.as_deref().unwrap_or_default(),
            trace_id, span_id, "messages stored"
        );
        Ok(response)
    }

    async fn ingest(
        &self,
        mut request: DecodedRequest<'_>,
        call: &Call,
        trace: &RequestTrace<'_>,
    ) -> Result<Response<Bytes>, Problem> {
        let schemas = match request.format {
            BodyFormat::Avro => self.schemas.for_body(&request.body, call).await?,
            BodyFormat::Json | BodyFormat::NdJson => self.schemas.known(),
        };
        let mut id = self.schemas.known_id();
        let mut has_waited = false;
        let mut sending = None;
        loop {
            // A call that waits holds no decoded datums: the limit of memory counts those of one call only.
            let datums = validate::all(&request.body, request.format, &schemas, &self.limits)?;
            if id.is_none() && self.store_as.needs_id(&datums) {
                drop(datums);
                id = Some(self.schemas.id(call).await?);
                continue;
            }
            // Limits of batches and of timestamps.
            let needs_limits = datums.data.len() > 1 || self.envelope.has_timestamps();
            if needs_limits && !has_waited && self.publisher.lacks_limits() {
                drop(datums);
                self.publisher.wait_for_limits(call.deadline).await;
                has_waited = true;
                continue;
            }
            let stored = self.store_as.values(&datums, &request.body, id);
            let limits = self.publisher.limits();
            let headers = &request.headers;
            let records = datums.is_list.then_some(datums.data.len());
            let start = || trace.producer(self.publisher.topic(), records, headers);
            let trace_headers = sending.get_or_insert_with(start).headers();
            let made = self.envelope.messages(
                &datums,
                &stored,
                headers,
                trace_headers,
                &limits,
                call,
                now_millis(),
            );
            let messages = match made {
                Ok(messages) => messages,
                Err(EnvelopeError::OverLimit(_))
                    if !has_waited && self.publisher.has_old_limits() =>
                {
                    drop(stored);
                    drop(datums);
                    self.publisher.wait_for_limits(call.deadline).await;
                    has_waited = true;
                    continue;
                }
                Err(error) => {
                    sending.into_iter().for_each(ProducerTrace::cancel);
                    return Err(error.into_problem());
                }
            };
            let memory = request.body.len() + envelope::memory(&messages);
            if !request.memory.resize(memory) {
                sending.into_iter().for_each(ProducerTrace::cancel);
                return Err(respond::out_of_memory());
            }
            let start = Instant::now();
            let statuses = self.publisher.publish(&messages, call.deadline).await;
            sending
                .into_iter()
                .for_each(|sending| sending.end(&statuses));
            if let Some(metrics) = &self.metrics {
                metrics.published(start.elapsed(), respond::outcomes(&statuses));
            }
            let (topic, limit) = (self.publisher.topic(), self.publisher.topic_limit());
            return respond::accepted(topic, datums.is_list, &statuses, limit).map_err(|problem| {
                respond::explained(problem, self.publisher.explanation().as_ref())
            });
        }
    }

    /// What counts and measures.
    pub(crate) fn metrics(&self) -> Option<&Arc<IngestMetrics>> {
        self.metrics.as_ref()
    }

    /// The function's telemetry.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Logs a warning if every caller that reaches this address is accepted.
    pub fn warn_if_open(&self, address: SocketAddr) {
        self.callers.warn_if_open(address);
    }

    /// Whether the function can publish: `None` if a broker answers, otherwise 503. Publishes nothing; takes a second at
    /// most.
    pub async fn readiness(&self, call: &Call) -> Option<Response<Bytes>> {
        (!self.broker_answers().await).then(|| respond::not_ready(call))
    }

    /// Whether a broker answers now. The answer is used for a second.
    async fn broker_answers(&self) -> bool {
        let answers = self.publisher.is_ready().await;
        if let Some(metrics) = &self.metrics {
            metrics.broker_answered(answers);
        }
        answers
    }

    /// Whether a request may read the metrics: `None`, or the response to the refused request. It needs a token of
    /// `METRICS_TOKEN`. Without this setting, it must come from a program on this machine.
    pub async fn refuse_scrape(&self, head: &Parts, call: &Call) -> Option<Response<Bytes>> {
        let refused = if self.metrics_callers.is_configured() {
            let admitted = self.metrics_callers.admit(head, SystemTime::now()).await;
            admitted.err().map(Problem::from)
        } else {
            (!is_on_this_machine(head)).then(respond::no_metrics_token)
        };
        refused.map(|problem| respond::problem(problem, call, None))
    }

    /// Whether these settings name other TLS files for Kafka than those in use, or other content.
    pub fn has_other_kafka_tls(&self, settings: &Settings) -> bool {
        self.publisher.has_other_tls(settings)
    }

    /// Completes when a broker rejects the client's credentials. The password may have been changed.
    pub async fn authentication_failed(&self) {
        self.publisher.authentication_failed().await;
    }
}

fn is_on_this_machine(head: &Parts) -> bool {
    let peer = head.extensions.get::<PeerAddress>();
    peer.is_some_and(|peer| peer.is_loopback())
}

/// Milliseconds since 1970.
fn now_millis() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
