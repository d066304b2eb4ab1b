//! The method, target and headers of requests.

use std::fmt;

use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};

use super::payload::{InvalidRecord, Records};

/// The parts of an endpoint's requests that do not depend on the format.
///
/// The result must depend on the records only, as that of [`PayloadFormat`](super::PayloadFormat).
pub trait RequestShape: fmt::Debug + Send + Sync {
    /// The parts for these records: one record, unless the format is a batch format.
    ///
    /// # Errors
    /// A record has a value that cannot be a part of a request. The request is built again without it.
    fn shape(&self, records: &Records<'_>) -> Result<Shape, InvalidRecord>;

    /// Whether it has requests for tombstones, which then have no body.
    fn accepts_tombstones(&self) -> bool {
        false
    }
}

/// Method, target and headers of one request.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The method.
    pub method: Method,
    /// Path and query; `None`: those of the endpoint's URL.
    pub target: Option<Uri>,
    /// Headers in addition to those that delivery sets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Requests with a fixed method to the endpoint's URL.
#[derive(Clone, Debug)]
pub struct FixedShape(pub Method);

impl RequestShape for FixedShape {
    fn shape(&self, _: &Records<'_>) -> Result<Shape, InvalidRecord> {
        Ok(Shape {
            method: self.0.clone(),
            target: None,
            headers: Vec::new(),
        })
    }
}
