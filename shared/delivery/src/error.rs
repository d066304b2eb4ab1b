//! Why delivery cannot start.

use crate::endpoint_url::EndpointUrlError;

/// Why delivery cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A route's URL is invalid. The text does not repeat the URL, which can hold a secret.
    #[error("the url of route {route} {error}")]
    Url {
        /// The route.
        route: String,
        /// Why it is invalid.
        error: EndpointUrlError,
    },
    /// No request is possible within the limits.
    #[error("{0}")]
    Limits(&'static str),
    /// A thread or its runtime could not be started.
    #[error("starting a delivery thread: {0}")]
    Thread(#[from] std::io::Error),
}
