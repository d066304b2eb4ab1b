//! The schemas that a schema refers to, directly and indirectly.

use std::collections::HashSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Url;

use crate::api::Api;
use crate::error::RegistryError;
use crate::operation::{Operation, shown};
use crate::schema::{SchemaReference, SchemaResponse};

/// The maximum number of referenced schemas.
const MAX_COUNT: usize = 64;

/// The maximum number of references from a schema to a schema to a schema.
const MAX_DEPTH: usize = 16;

/// The maximum size of all referenced schemas, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// Collects the referenced schemas of one schema.
pub(crate) struct ReferenceResolver<'a> {
    api: &'a Api,
    /// The operation on the schema, for errors.
    operation: &'a str,
    /// The URL that answered, for errors.
    url: &'a Url,
    started: HashSet<SchemaReference>,
    path: Vec<SchemaReference>,
    bytes: usize,
    schemas: Vec<String>,
}

impl<'a> ReferenceResolver<'a> {
    pub(crate) fn new(api: &'a Api, operation: &'a str, url: &'a Url) -> Self {
        Self {
            api,
            operation,
            url,
            started: HashSet::new(),
            path: Vec::new(),
            bytes: 0,
            schemas: Vec::new(),
        }
    }

    /// The texts of the referenced schemas. Each one precedes those that refer to it, and is present once.
    pub(crate) async fn resolve(
        mut self,
        references: Vec<SchemaReference>,
    ) -> Result<Vec<String>, RegistryError> {
        self.visit(references).await?;
        Ok(self.schemas)
    }

    // Boxed because it calls itself. The depth is bounded.
    fn visit(
        &mut self,
        references: Vec<SchemaReference>,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        async move {
            for mut reference in references {
                // The same version may be referred to by several names.
                reference.name.clear();
                if self.path.contains(&reference) {
                    return Err(self.unusable(&reference, "is part of a circle of references"));
                }
                if !self.started.insert(reference.clone()) {
                    continue;
                }
                if self.started.len() > MAX_COUNT || self.path.len() >= MAX_DEPTH {
                    let bound = format!("exceeds {MAX_COUNT} references or a depth of {MAX_DEPTH}");
                    return Err(self.unusable(&reference, &bound));
                }
                let response = self.fetch(&reference).await?;
                self.bytes += response.schema.len();
                if let Some(other) = response.other_type() {
                    return Err(self.unusable(
                        &reference,
                        &format!("has the type {other:?}, expected AVRO"),
                    ));
                }
                if self.bytes > MAX_BYTES {
                    return Err(self.unusable(
                        &reference,
                        &format!("exceeds {MAX_BYTES} bytes of references"),
                    ));
                }
                self.path.push(reference);
                self.visit(response.references.unwrap_or_default()).await?;
                self.path.pop();
                self.schemas.push(response.schema);
            }
            Ok(())
        }
        .boxed()
    }

    async fn fetch(&self, reference: &SchemaReference) -> Result<SchemaResponse, RegistryError> {
        let SchemaReference {
            subject, version, ..
        } = reference;
        let name = format!(
            "{}: reading its reference {subject:?} version {version}",
            self.operation
        );
        let request = Operation {
            name: &name,
            path: &["subjects", subject, "versions", &version.to_string()],
            // Records may outlive a version that was deleted softly.
            query: Some("deleted=true"),
            body: None,
        };
        match self.api.send(&request).await {
            Ok((_, response)) => Ok(response),
            Err(RegistryError::Unknown { .. }) => Err(self.unusable(reference, "does not exist")),
            Err(error) => Err(error),
        }
    }

    fn unusable(&self, reference: &SchemaReference, reason: &str) -> RegistryError {
        RegistryError::Unusable {
            operation: self.operation.to_owned(),
            url: shown(self.url),
            reason: format!(
                "the reference {:?} version {} {reason}",
                reference.subject, reference.version
            ),
        }
    }
}
