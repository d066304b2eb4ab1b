//! Requests with values of records in URL, headers and body.
//!
//! A [`Template`] is a text with placeholders, `/users/{id}`. A placeholder is a CEL expression over the fields of a record.
//! A [`RequestTemplate`] has the templates of one route; [`RequestTemplate::compile`] checks them against a schema, once.
//! The result is a [`RequestShape`](delivery::request::RequestShape) and a [`JsonMapping`](delivery::request::JsonMapping)
//! for `delivery`. The same record always makes the same request.
//!
//! A value cannot change the form of a request. In a path it is one segment or a part of one, in a query one name or value,
//! in a header a part of one value. A record whose values do not fit, because they are null, empty, too long or a dot
//! segment, has no request.
//!
//! The crate does no I/O. It does not read references to settings; the caller replaces them.
//!
//! ```
//! use request_template::{RequestTemplate, Template, UrlTemplate};
//!
//! let schema = avro::Schema::parse(r#"{"type":"record","name":"User","fields":[{"name":"id","type":"long"}]}"#)?;
//! let literal = |text: &str| Ok(text.to_owned());
//! let url = UrlTemplate::new(Template::parse("https://api.example/users/{id}?source=kafka", literal)?)?;
//! assert_eq!(url.endpoint(), "https://api.example/users/");
//!
//! let template = RequestTemplate { url: Some(url), body: Some("{'user': id}".to_owned()), ..RequestTemplate::default() };
//! let request = template.compile(&schema)?;
//! assert!(request.body().is_some());
//!
//! let url = UrlTemplate::new(Template::parse("https://api.example/users/{idd}", literal)?)?;
//! let template = RequestTemplate { url: Some(url), ..RequestTemplate::default() };
//! assert_eq!(
//!     template.compile(&schema).unwrap_err().to_string(),
//!     "its url: {idd}: the record has no field idd; it has id (at character 1)"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
#[cfg(test)]
mod fixtures;
mod header;
mod path;
mod placeholder;
mod request;
mod shape;
mod target;
mod template;
mod url;

pub use request::{CompiledRequest, RequestTemplate};
pub use template::Template;
pub use url::UrlTemplate;

/// A template is invalid. The message has the reason and the position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);
