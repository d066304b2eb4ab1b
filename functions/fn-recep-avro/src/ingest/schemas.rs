//! The schemas of request bodies, and the id of the stored schema.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::header::RETRY_AFTER;
use http_server::problem::Problem;
use runtime::redact;
use schema_registry::{RegistryClient, RegistryConfig, RegistryError};
use tokio::sync::OnceCell;
use tracing::warn;
use writer_schemas::{Found, SchemaHeaders, SchemaRef, WriterSchemas};

use super::call::Call;
use super::problems::{
    REGISTRY_REJECTED, REGISTRY_UNAVAILABLE, SCHEMA_NOT_REGISTERED, UNKNOWN_SCHEMA,
};

/// The schemas of request bodies: the configured ones, and those of the registry that bodies have needed.
pub(super) struct Schemas {
    known: Mutex<Arc<WriterSchemas>>,
    registry: Option<Registry>,
}

/// The configuration of the registry.
#[derive(Debug)]
pub(super) struct RegistrySource {
    pub(super) client: RegistryConfig,
    /// The subject of the topic's values.
    pub(super) subject: String,
    /// Whether the configured schema is registered if the registry does not have it.
    pub(super) auto_register: bool,
}

struct Registry {
    client: RegistryClient,
    subject: String,
    auto_register: bool,
    /// The id of the configured schema, once it is known.
    id: OnceCell<u32>,
}

impl Schemas {
    /// Sends no request.
    ///
    /// # Errors
    /// The configuration of the registry is invalid.
    pub(super) fn new(
        known: WriterSchemas,
        registry: Option<RegistrySource>,
    ) -> Result<Self, RegistryError> {
        let registry = registry.map(|source| {
            Ok(Registry {
                client: RegistryClient::new(&source.client)?,
                subject: source.subject,
                auto_register: source.auto_register,
                id: OnceCell::new(),
            })
        });
        Ok(Self {
            known: Mutex::new(Arc::new(known)),
            registry: registry.transpose()?,
        })
    }

    /// The known schemas. If the body begins with the id of an unknown one, the registry is asked for it.
    ///
    /// # Errors
    /// The registry does not answer, or rejects the request.
    pub(super) async fn for_body(
        &self,
        body: &[u8],
        call: &Call,
    ) -> Result<Arc<WriterSchemas>, Problem> {
        let known = self.known();
        let reference = match known.find(body, &SchemaHeaders::default()) {
            Found::Missing(reference) => reference,
            _ => return Ok(known),
        };
        let (Some(registry), SchemaRef::Id(id)) = (&self.registry, reference) else {
            return Ok(known);
        };
        match within(call, registry.client.schema_by_id(id)).await? {
            Ok(schema) => {
                let references: Vec<&str> = schema.references.iter().map(String::as_str).collect();
                let mut current = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                let schemas = Arc::make_mut(&mut current);
                if let Err(error) = schemas.add(reference, &schema.json, &references) {
                    warn!(%reference, %error, "a schema of the registry is not valid");
                }
                Ok(Arc::clone(&current))
            }
            // The body may be a raw datum that begins with the same bytes: validation decides.
            Err(RegistryError::Unknown { .. }) => Ok(known),
            Err(error) => Err(problem(&error)),
        }
    }

    /// The registry's id of the configured schema, if it is known already.
    pub(super) fn known_id(&self) -> Option<u32> {
        self.registry.as_ref()?.id.get().copied()
    }

    /// The registry's id of the configured schema.
    ///
    /// # Errors
    /// The registry does not have the schema, does not answer, or rejects the request.
    pub(super) async fn id(&self, call: &Call) -> Result<u32, Problem> {
        let Some(registry) = &self.registry else {
            let detail = "STORE_AS is confluent, and SCHEMA_REGISTRY_URL is not set.";
            return Err(Problem::new(&SCHEMA_NOT_REGISTERED, detail));
        };
        let known = self.known();
        let json = known.reader().json();
        let lookup = registry.id.get_or_try_init(|| async {
            let found = registry.client.schema_id(&registry.subject, json, &[]);
            match within(call, found).await? {
                Ok(Some(id)) => Ok(id),
                Ok(None) if registry.auto_register => {
                    let registered = registry.client.register(&registry.subject, json, &[]);
                    within(call, registered).await?.map_err(|error| problem(&error))
                }
                Ok(None) => {
                    let subject = &registry.subject;
                    let detail = format!(
                        "The schema registry has no version of the subject {subject:?} that is the function's schema. \
                         Register it, or set SCHEMA_REGISTRY_AUTO_REGISTER=true. Nothing was published."
                    );
                    Err(Problem::new(&SCHEMA_NOT_REGISTERED, detail))
                }
                Err(error) => Err(problem(&error)),
            }
        });
        lookup.await.copied()
    }

    /// The known schemas.
    pub(super) fn known(&self) -> Arc<WriterSchemas> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits for the registry until the deadline of the call.
async fn within<T>(
    call: &Call,
    answer: impl Future<Output = Result<T, RegistryError>>,
) -> Result<Result<T, RegistryError>, Problem> {
    let Some(deadline) = call.deadline else {
        return Ok(answer.await);
    };
    tokio::time::timeout_at(deadline.max(Instant::now()).into(), answer)
        .await
        .map_err(|_| unavailable())
}

fn problem(error: &RegistryError) -> Problem {
    let reason = redact::mask(&error.to_string()).into_owned();
    warn!(reason, "the schema registry");
    match error {
        RegistryError::Unavailable { .. } => unavailable(),
        RegistryError::Unusable { .. } => Problem::new(
            &UNKNOWN_SCHEMA,
            "The schema of the body cannot be used: it is not Avro, or its references are faulty.",
        ),
        _ => Problem::new(
            &REGISTRY_REJECTED,
            "The schema registry rejected the request. The function's log has the reason. Nothing was published.",
        ),
    }
}

fn unavailable() -> Problem {
    let detail =
        "The schema registry does not answer. Nothing was published: send the request again.";
    Problem::new(&REGISTRY_UNAVAILABLE, detail).with_header(RETRY_AFTER, "1")
}
