//! Several authorizations of one request.

use std::sync::Arc;

use bytes::Bytes;
use delivery::request::{AuthorizationError, RequestAuthorization};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request};

/// Applies each authorization, in order.
#[derive(Clone, Debug)]
pub struct Sequence(pub Vec<Arc<dyn RequestAuthorization>>);

impl RequestAuthorization for Sequence {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        self.0.iter().try_for_each(|one| one.authorize(request))
    }

    fn ready(&self) -> Option<BoxFuture<'_, Result<(), AuthorizationError>>> {
        let all: Vec<_> = self.0.iter().filter_map(|one| one.ready()).collect();
        if all.is_empty() {
            return None;
        }
        let ready = async {
            for one in all {
                one.await?;
            }
            Ok(())
        };
        Some(ready.boxed())
    }

    fn on_unauthorized(&self, authorization: &HeaderValue) -> bool {
        self.0.iter().any(|one| one.on_unauthorized(authorization))
    }
}
