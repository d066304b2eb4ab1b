//! Decides about single records as a run does, without Kafka.

use avro::FINGERPRINT_HEADER;
use bytes::Bytes;
use record::{Message, Payload};
use routes::Routes;
use runtime::text::hex;
use writer_schemas::{SchemaHeaders, WriterSchemas};

use super::message::client_key;
use super::router::{DatumBytes, Decision, Router, Tombstones};
use crate::config::Config;
use crate::dead_letter::Cause;

/// Decides about single records as a run does, without Kafka.
pub struct RecordRouter<'r> {
    router: Router<'r>,
    /// The headers of a datum of the reader's schema.
    headers: SchemaHeaders,
}

/// What a run does with a record.
#[derive(Debug)]
pub enum Destination {
    /// It delivers this message to the endpoint of the route with this index.
    Route(usize, Message),
    /// It skips the record.
    Skipped,
    /// It writes a dead letter, for this reason.
    DeadLetter(Cause, String),
    /// It stops (`UNMATCHED=stop`).
    Stopped,
}

impl<'r> RecordRouter<'r> {
    /// `tombstone_route`: the route that takes records without a value. `schemas` has no registry.
    pub fn new(
        config: &Config,
        routes: &'r Routes,
        tombstone_route: Option<usize>,
        schemas: WriterSchemas,
    ) -> Self {
        let fingerprint = hex(&routes.schema_fingerprint());
        let mut headers = SchemaHeaders::default();
        headers.add(b"content-type", Some(b"avro/binary"));
        headers.add(FINGERPRINT_HEADER.as_bytes(), Some(fingerprint.as_bytes()));
        Self {
            router: Router::new(
                routes,
                schemas,
                config.unmatched,
                Tombstones {
                    route: tombstone_route,
                    are_dead_letters: config.tombstones_are_dead_letters,
                },
                config.delivery_schema,
            ),
            headers,
        }
    }

    /// The known schemas, to add what the registry answers.
    pub(crate) fn schemas_mut(&mut self) -> &mut WriterSchemas {
        self.router.schemas_mut()
    }

    /// Decides about a message whose value is a datum of the reader's schema, or `None`. Its payload and client key are set
    /// as those of a record that was read from Kafka.
    pub fn route(&mut self, message: Message) -> Destination {
        let headers = self.headers;
        self.route_as(message, &headers)
    }

    /// Decides about a message that was read from Kafka, and has these headers. A schema that only the registry has must be
    /// known.
    pub fn route_stored(&mut self, message: Message) -> Destination {
        let headers = schema_headers(&message.headers);
        self.route_as(message, &headers)
    }

    fn route_as(&mut self, mut message: Message, headers: &SchemaHeaders) -> Destination {
        message.client_key = client_key(&message.headers);
        let route = match self.router.decide(message.value.as_deref(), headers) {
            Decision::Deliver(route) => route,
            Decision::Skip => return Destination::Skipped,
            Decision::DeadLetter(cause, reason) => return Destination::DeadLetter(cause, reason),
            Decision::Stop => return Destination::Stopped,
            // Only with a registry, and without a request to it.
            Decision::MissingSchema(_) => {
                let reason = "the schema is in a registry".to_owned();
                return Destination::DeadLetter(Cause::UnknownSchema, reason);
            }
        };
        if let (Some(value), Some(datum)) = (&message.value, self.router.datum()) {
            message.payload = Some(Payload {
                datum: match datum.bytes {
                    DatumBytes::Value { framing } => value.slice(framing..),
                    DatumBytes::Resolved(bytes) => bytes.to_vec().into(),
                },
                schema: datum.schema,
            });
        }
        Destination::Route(route, message)
    }
}

/// What the headers of a record say about its schema.
pub(crate) fn schema_headers(headers: &[(String, Option<Bytes>)]) -> SchemaHeaders {
    let mut found = SchemaHeaders::default();
    for (name, value) in headers {
        found.add(name.as_bytes(), value.as_deref());
    }
    found
}
