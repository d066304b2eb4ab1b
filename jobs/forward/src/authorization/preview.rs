//! Authorizations whose values are not known before a request is sent.

use std::time::UNIX_EPOCH;

use ::standard_webhooks::{SIGNATURE, TIMESTAMP};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use delivery::request::{AuthorizationError, RequestAuthorization};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, Method, Request};
use openssl::sha::sha256;

use super::StandardWebhooks;

const REDACTED: HeaderValue = HeaderValue::from_static("[redacted]");
const TIME: HeaderValue = HeaderValue::from_static("[time of the attempt]");

/// Adds the headers of an authorization, with stand-ins for values that are obtained or computed for each attempt. Opens no
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// [`AccessToken`](super::AccessToken).
    AccessToken,
    /// [`OciSignature`](super::OciSignature).
    OciSignature,
    /// [`StandardWebhooks`].
    StandardWebhooks,
}

impl RequestAuthorization for Preview {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        match self {
            Self::AccessToken => {}
            Self::OciSignature => {
                let has_body = matches!(
                    *request.method(),
                    Method::POST | Method::PUT | Method::PATCH
                );
                let (length, digest) = (request.body().len(), sha256(request.body()));
                let headers = request.headers_mut();
                headers.insert(DATE, TIME);
                if has_body {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                    let json = HeaderValue::from_static("application/json");
                    headers.entry(CONTENT_TYPE).or_insert(json);
                    let digest = HeaderValue::try_from(STANDARD.encode(digest));
                    let digest = digest.map_err(|error| AuthorizationError(error.to_string()))?;
                    headers.insert(HeaderName::from_static("x-content-sha256"), digest);
                }
            }
            Self::StandardWebhooks => {
                // Without secrets it adds the same headers, and the same id.
                StandardWebhooks::new(Vec::new(), || UNIX_EPOCH).authorize(request)?;
                let headers = request.headers_mut();
                headers.insert(HeaderName::from_static(TIMESTAMP), TIME);
                headers.insert(HeaderName::from_static(SIGNATURE), REDACTED);
                return Ok(());
            }
        }
        let mut authorization = REDACTED;
        authorization.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(())
    }
}
