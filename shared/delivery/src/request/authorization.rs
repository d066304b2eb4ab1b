//! How requests are authorized.

use std::fmt;

use bytes::Bytes;
use http::Request;
use http::header::{self, HeaderValue};
use runtime::secret::Secret;

/// Authorizes the requests to an endpoint.
///
/// It is called for each attempt, immediately before the request is sent, with the complete request and its body: a
/// signature can cover the body and the date. It must not block; an implementation with tokens that expire refreshes
/// them on a task of its own. `Debug` must not print secrets.
pub trait RequestAuthorization: fmt::Debug + Send + Sync {
    /// Adds what the endpoint requires to the request's headers.
    ///
    /// # Errors
    /// The request cannot be authorized. It is not sent, and counts as a failed attempt.
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError>;
}

/// Why a request cannot be authorized. The text appears in logs and reports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthorizationError(pub String);

/// Sends requests as they are.
#[derive(Clone, Copy, Debug)]
pub struct NoAuthorization;

impl RequestAuthorization for NoAuthorization {
    fn authorize(&self, _: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        Ok(())
    }
}

/// A fixed bearer token (RFC 6750, section 2.1).
#[derive(Clone)]
pub struct BearerToken(HeaderValue);

impl BearerToken {
    /// Checks the token.
    ///
    /// # Errors
    /// The token contains characters that are not allowed in a header. The error does not repeat the token.
    pub fn new(token: &Secret) -> Result<Self, AuthorizationError> {
        let invalid = |_| {
            AuthorizationError("the token has characters that are not allowed in a header".into())
        };
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(invalid)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl RequestAuthorization for BearerToken {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.0.clone());
        Ok(())
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_marked_sensitive_and_never_printed() {
        let authorization = BearerToken::new(&Secret::new("hunter2")).expect("token");
        let mut request = Request::new(Bytes::new());
        authorization.authorize(&mut request).expect("authorized");
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(request.headers()["authorization"], "Bearer hunter2");
        assert!(!format!("{authorization:?} {request:?}").contains("hunter2"));
        let error = BearerToken::new(&Secret::new("hunter2\r\nb: c")).expect_err("line break");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
