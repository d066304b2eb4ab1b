//! What an endpoint receives.
//!
//! - [`PayloadFormat`]: how messages become a request body
//! - [`RequestAuthorization`]: how a request is authorized

mod authorization;
mod builder;
mod idempotency;
mod payload;
mod prepared;
mod trace_context;

pub use authorization::{AuthorizationError, BearerToken, NoAuthorization, RequestAuthorization};
pub(crate) use builder::RequestBuilder;
pub use idempotency::BatchKey;
pub use payload::{ContainerFile, Datum, PayloadFormat};
pub(crate) use prepared::PreparedRequest;
