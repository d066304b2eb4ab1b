//! Bearer tokens of an authorization server.

use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::request::{AuthorizationError, RequestAuthorization};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use oauth2::TokenSource;
use tracing::warn;

/// An endpoint that refuses a new token within this time refuses it for another reason than its age.
const MIN_AGE: Duration = Duration::from_secs(60);

/// Authorizes requests with the current token of a source.
#[derive(Clone, Debug)]
pub struct AccessToken(pub TokenSource);

impl RequestAuthorization for AccessToken {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        let header = self.0.current();
        let header =
            header.ok_or_else(|| AuthorizationError("there is no token yet".to_owned()))?;
        request.headers_mut().insert(AUTHORIZATION, header);
        Ok(())
    }

    fn ready(&self) -> Option<BoxFuture<'_, Result<(), AuthorizationError>>> {
        let ready = async {
            let header = self.0.header(Instant::now()).await;
            header.map(drop).map_err(|error| {
                let url = self.0.origin();
                AuthorizationError(format!("requesting a token from {url}: {error}"))
            })
        };
        Some(ready.boxed())
    }

    fn on_unauthorized(&self, authorization: &HeaderValue) -> bool {
        let is_replaced = self.0.refuse(authorization, Instant::now(), MIN_AGE);
        if !is_replaced {
            warn!(
                url = self.0.origin(),
                "the endpoint refused a new token too: check the client's permissions, scope and audience"
            );
        }
        is_replaced
    }
}
