//! The client: schemas by id, by GUID and by subject.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::warn;

use crate::api::Api;
use crate::authorization::Authorization;
use crate::cache::{SchemaCache, SchemaKey};
use crate::config::RegistryConfig;
use crate::error::RegistryError;
use crate::http_client;
use crate::operation::{Operation, shown};
use crate::references::ReferenceResolver;
use crate::schema::{RegisteredSchema, SchemaReference, SchemaResponse, format_guid};

/// The maximum id: it is a Java `int` in registries. Confluent's answers a larger one as a wrong path.
const MAX_ID: u32 = i32::MAX as u32;

/// The maximum number of versions of a subject that [`RegistryClient::versions`] reads.
const MAX_VERSIONS: usize = 1000;

/// A client of one schema registry. Clones share connections, credentials and cache. Use it on one Tokio runtime: its
/// connections end with the runtime.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    api: Arc<Api>,
    cache: SchemaCache,
}

/// The body of a lookup or a registration.
#[derive(Serialize)]
struct SchemaRequest<'a> {
    schema: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [SchemaReference],
}

#[derive(Deserialize)]
struct IdResponse {
    id: u32,
}

impl RegistryClient {
    /// Builds the client and sends no request. Logs a warning if credentials would be sent without encryption to another
    /// machine.
    ///
    /// # Errors
    /// [`RegistryError::Setup`]: no URL, a URL that is not HTTP or has credentials or a query, an invalid certificate or
    /// key.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        config.check_urls()?;
        let authorization =
            Authorization::new(config.auth.as_ref(), http_client::for_tokens(config)?)?;
        for url in config.cleartext_urls() {
            warn!(
                url = shown(url),
                "credentials are sent without encryption: use https"
            );
        }
        let api = Api {
            http: http_client::for_registry(config)?,
            urls: config.urls.clone(),
            authorization,
            timeout: config.timeout,
            preferred: AtomicUsize::new(0),
        };
        Ok(Self {
            api: Arc::new(api),
            cache: SchemaCache::default(),
        })
    }

    /// The schema with this id, with its references. Cached for the life of the client; [`RegistryError::Unknown`] and
    /// [`RegistryError::Unusable`] are cached for 30 seconds. Concurrent calls with the same id make one request.
    ///
    /// # Errors
    /// Any but [`RegistryError::Setup`].
    pub async fn schema_by_id(&self, id: u32) -> Result<Arc<RegisteredSchema>, RegistryError> {
        if id > MAX_ID {
            return Err(RegistryError::Unknown {
                operation: format!("reading schema {id}"),
                url: shown(&self.api.urls[0]),
                message: format!("the maximum id is {MAX_ID}"),
            });
        }
        let api = Arc::clone(&self.api);
        let fetch = || {
            async move {
                let text = id.to_string();
                let schema = by_key(
                    &api,
                    &format!("reading schema {id}"),
                    &["schemas", "ids", &text],
                )
                .await?;
                Ok(Arc::new(RegisteredSchema {
                    id: Some(id),
                    ..schema
                }))
            }
            .boxed()
        };
        self.cache
            .get(SchemaKey::Id(id), Instant::now(), fetch)
            .await
    }

    /// The schema with this GUID, as [`RegistryClient::schema_by_id`]. Only registries with GUIDs answer (Confluent's
    /// since 8.0); others cause [`RegistryError::Invalid`].
    ///
    /// # Errors
    /// As [`RegistryClient::schema_by_id`].
    pub async fn schema_by_guid(
        &self,
        guid: [u8; 16],
    ) -> Result<Arc<RegisteredSchema>, RegistryError> {
        let api = Arc::clone(&self.api);
        let fetch = || {
            async move {
                let text = format_guid(&guid);
                let schema = by_key(
                    &api,
                    &format!("reading schema {text}"),
                    &["schemas", "guids", &text],
                )
                .await?;
                Ok(Arc::new(RegisteredSchema {
                    guid: Some(guid),
                    ..schema
                }))
            }
            .boxed()
        };
        self.cache
            .get(SchemaKey::Guid(guid), Instant::now(), fetch)
            .await
    }

    /// The id of a schema that is registered under the subject; `None` if the subject or the schema is not.
    ///
    /// # Errors
    /// Any but [`RegistryError::Unknown`] and [`RegistryError::Setup`].
    pub async fn schema_id(
        &self,
        subject: &str,
        json: &str,
        references: &[SchemaReference],
    ) -> Result<Option<u32>, RegistryError> {
        let operation = format!("looking up the schema under subject {subject:?}");
        match self
            .post(&operation, &["subjects", subject], json, references)
            .await
        {
            Err(RegistryError::Unknown { .. }) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Registers a schema under the subject and returns its id. A schema that is already registered keeps its id.
    ///
    /// # Errors
    /// Any but [`RegistryError::Setup`]; [`RegistryError::Invalid`] if the schema is malformed or incompatible with the
    /// subject's versions.
    pub async fn register(
        &self,
        subject: &str,
        json: &str,
        references: &[SchemaReference],
    ) -> Result<u32, RegistryError> {
        let operation = format!("registering a schema under subject {subject:?}");
        self.post(
            &operation,
            &["subjects", subject, "versions"],
            json,
            references,
        )
        .await
    }

    /// All versions of a subject, oldest first, with their references. One request for each version and reference.
    ///
    /// # Errors
    /// Any but [`RegistryError::Setup`]; [`RegistryError::Invalid`] if there are more than 1000 versions.
    pub async fn versions(&self, subject: &str) -> Result<Vec<RegisteredSchema>, RegistryError> {
        let operation = format!("reading the versions of subject {subject:?}");
        let list = Operation {
            name: &operation,
            path: &["subjects", subject, "versions"],
            query: None,
            body: None,
        };
        let (url, versions) = self.api.send::<Vec<u32>>(&list).await?;
        if versions.len() > MAX_VERSIONS {
            return Err(RegistryError::Invalid {
                operation,
                url: shown(url),
                reason: format!(
                    "the subject has {} versions, at most {MAX_VERSIONS} are read",
                    versions.len()
                ),
            });
        }
        let mut schemas = Vec::with_capacity(versions.len());
        for version in versions {
            let operation = format!("reading version {version} of subject {subject:?}");
            let version = version.to_string();
            schemas.push(
                by_key(
                    &self.api,
                    &operation,
                    &["subjects", subject, "versions", &version],
                )
                .await?,
            );
        }
        Ok(schemas)
    }

    async fn post(
        &self,
        operation: &str,
        path: &[&str],
        json: &str,
        references: &[SchemaReference],
    ) -> Result<u32, RegistryError> {
        let body = SchemaRequest {
            schema: json,
            references,
        };
        let body = serde_json::to_string(&body)
            .map_err(|error| RegistryError::Setup(error.to_string()))?;
        let operation = Operation {
            name: operation,
            path,
            query: None,
            body: Some(body),
        };
        let (_, response) = self.api.send::<IdResponse>(&operation).await?;
        Ok(response.id)
    }
}

/// Reads one schema and its references.
async fn by_key(
    api: &Api,
    operation: &str,
    path: &[&str],
) -> Result<RegisteredSchema, RegistryError> {
    let request = Operation {
        name: operation,
        path,
        query: None,
        body: None,
    };
    let (url, response) = api.send::<SchemaResponse>(&request).await?;
    if let Some(other) = response.other_type() {
        return Err(RegistryError::Unusable {
            operation: operation.to_owned(),
            url: shown(url),
            reason: format!("the schema has the type {other:?}, expected AVRO"),
        });
    }
    let guid = response.guid();
    let resolver = ReferenceResolver::new(api, operation, url);
    Ok(RegisteredSchema {
        id: response.id,
        guid,
        version: response.version,
        references: resolver
            .resolve(response.references.unwrap_or_default())
            .await?,
        json: response.schema,
    })
}
