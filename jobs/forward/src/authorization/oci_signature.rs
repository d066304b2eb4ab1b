//! Signatures of an Oracle Cloud principal.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use delivery::request::{AuthorizationError, RequestAuthorization};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, header};
use oci::RequestSigner;

/// Signs requests as the job's principal: to a function, or to any API of Oracle Cloud.
#[derive(Clone, Debug)]
pub struct OciSignature(pub Arc<RequestSigner>);

impl RequestAuthorization for OciSignature {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        let host = request.headers().get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let (host, method) = (host.to_owned(), request.method().clone());
        let target = request.uri().to_string();
        let body = request.body().clone();
        self.0
            .sign(&method, &target, &host, request.headers_mut(), &body)
            .map_err(AuthorizationError)
    }

    fn ready(&self) -> Option<BoxFuture<'_, Result<(), AuthorizationError>>> {
        let ready = async {
            let ready = self.0.ready().await;
            ready.map_err(|error| AuthorizationError(error.to_string()))
        };
        Some(ready.boxed())
    }

    fn on_unauthorized(&self, authorization: &HeaderValue) -> bool {
        self.0.refuse(authorization, Instant::now())
    }
}
