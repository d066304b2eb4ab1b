//! Client of a schema registry with the REST API of Confluent Schema Registry, such as Apicurio Registry, Karapace and
//! Redpanda.
//!
//! - [`RegistryClient`]: schemas by id and GUID, cached; lookup, registration and versions of a subject
//! - [`RegistryConfig`], [`Auth`]: how to reach a registry; [`settings`]: the same from a program's settings
//! - [`RegisteredSchema`]: a schema and the schemas that it refers to
//! - [`SubjectNameStrategy`]: the names of subjects
//! - [`RegistryError`]: a variant for each decision of a caller
//!
//! Requests are repeated after transient errors, over all URLs, within the timeout of the operation. An outage is
//! [`RegistryError::Unavailable`] and never [`RegistryError::Unknown`]. The crate does not parse schemas, and does not
//! read the id in a record.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use schema_registry::{RegistryClient, RegistryConfig, RegistryError};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let urls = vec!["http://localhost:8081".parse()?];
//! let client = RegistryClient::new(&RegistryConfig::new(urls, Duration::from_secs(10)))?;
//! match client.schema_by_id(7).await {
//!     Ok(schema) => println!("{} with {} references", schema.json, schema.references.len()),
//!     Err(error @ RegistryError::Unavailable { .. }) => println!("try again later: {error}"),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok(())
//! # }
//! ```

mod api;
mod authorization;
mod body;
mod cache;
mod client;
mod config;
mod error;
mod http_client;
mod operation;
mod references;
mod response;
mod retry;
mod schema;
pub mod settings;
mod subject;
mod url;

pub use client::RegistryClient;
pub use config::{Auth, ClientCertificate, RegistryConfig};
pub use error::RegistryError;
pub use schema::{RegisteredSchema, SchemaReference};
pub use subject::SubjectNameStrategy;

/// The URL type of [`RegistryConfig`].
pub use reqwest::Url;
