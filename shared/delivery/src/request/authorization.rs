//! How requests are authorized.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use runtime::secret::Secret;

/// Authorizes the requests to an endpoint.
///
/// It is called for each attempt, immediately before the request is sent, with the complete request and its body: a
/// signature can cover the body and the date. It must not block; an implementation with tokens that expire requests them
/// in [`RequestAuthorization::ready`]. `Debug` must not print secrets.
pub trait RequestAuthorization: fmt::Debug + Send + Sync {
    /// Adds what the endpoint requires to the request's headers.
    ///
    /// # Errors
    /// The request cannot be authorized. It is not sent, and counts as a failed attempt.
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError>;

    /// Waits until requests can be authorized, before each attempt and within its timeout. `None`: they always can.
    ///
    /// # Errors
    /// They cannot be authorized now. The request is not sent, and counts as a failed attempt.
    fn ready(&self) -> Option<BoxFuture<'_, Result<(), AuthorizationError>>> {
        None
    }

    /// Called after a 401 with the `Authorization` header of the request. True: another attempt has other credentials, so
    /// the request is retried. False: the response is the endpoint's answer to these credentials.
    fn on_unauthorized(&self, authorization: &HeaderValue) -> bool {
        let _ = authorization;
        false
    }
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

/// A header with fixed credentials.
#[derive(Clone)]
pub struct FixedHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl FixedHeader {
    /// A header with this value, such as an API key.
    ///
    /// # Errors
    /// The value contains characters that are not allowed in a header. The error does not repeat it.
    pub fn new(name: HeaderName, value: &Secret) -> Result<Self, AuthorizationError> {
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| {
            AuthorizationError(format!(
                "the value of {name} has characters that are not allowed in a header"
            ))
        })?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }

    /// A bearer token (RFC 6750, section 2.1).
    ///
    /// # Errors
    /// As [`FixedHeader::new`].
    pub fn bearer(token: &Secret) -> Result<Self, AuthorizationError> {
        Self::new(
            AUTHORIZATION,
            &Secret::new(format!("Bearer {}", token.reveal())),
        )
    }

    /// User name and password (RFC 7617). The user name has no colon.
    ///
    /// # Errors
    /// Never: the text is base64.
    pub fn basic(username: &str, password: &Secret) -> Result<Self, AuthorizationError> {
        let credentials = STANDARD.encode(format!("{username}:{}", password.reveal()));
        Self::new(AUTHORIZATION, &Secret::new(format!("Basic {credentials}")))
    }
}

impl RequestAuthorization for FixedHeader {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        let headers = request.headers_mut();
        headers.insert(self.name.clone(), self.value.clone());
        Ok(())
    }
}

impl fmt::Debug for FixedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FixedHeader({}: [redacted])", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_marked_sensitive_and_never_printed() {
        let secret = Secret::new("hunter2");
        for (authorization, name, value) in [
            (
                FixedHeader::bearer(&secret),
                "authorization",
                "Bearer hunter2",
            ),
            (
                FixedHeader::basic("user", &secret),
                "authorization",
                "Basic dXNlcjpodW50ZXIy",
            ),
            (
                FixedHeader::new(HeaderName::from_static("x-api-key"), &secret),
                "x-api-key",
                "hunter2",
            ),
        ] {
            let authorization = authorization.expect("valid");
            let mut request = Request::new(Bytes::new());
            authorization.authorize(&mut request).expect("authorized");
            assert!(request.headers()[name].is_sensitive());
            assert_eq!(request.headers()[name], value);
            assert!(!format!("{authorization:?} {request:?}").contains(value));
        }
        let error = FixedHeader::bearer(&Secret::new("hunter2\r\nb: c")).expect_err("line break");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
