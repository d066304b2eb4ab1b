//! What an endpoint receives.
//!
//! - [`PayloadFormat`]: how messages become a request body
//! - [`RequestShape`]: the method, target and headers
//! - [`RequestAuthorization`]: how a request is authorized
//! - [`RequestBuilder`]: makes requests of messages with them

mod authorization;
mod avro_formats;
mod builder;
mod cloud_events;
mod idempotency;
mod json_formats;
mod payload;
mod prepared;
mod shape;
mod trace_context;

pub use authorization::{AuthorizationError, FixedHeader, NoAuthorization, RequestAuthorization};
pub use avro_formats::{ContainerFile, Datum};
pub use builder::RequestBuilder;
pub use cloud_events::{CloudEvents, EventMode};
pub use idempotency::BatchKey;
pub use json_formats::{Json, JsonArray, JsonMapping, NdJson, SchemaJson};
pub use payload::{InvalidRecord, Payload, PayloadFormat, Record, Records};
pub use prepared::PreparedRequest;
pub use shape::{FixedShape, RequestShape, Shape};
