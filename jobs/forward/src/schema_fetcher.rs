//! A thread that requests schemas from the registry.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use schema_registry::{RegisteredSchema, RegistryClient, RegistryConfig, RegistryError};
use writer_schemas::SchemaRef;

/// Requests schemas from the registry; cheap to clone. The thread and its cache live as long as a clone does.
#[derive(Clone, Debug)]
pub struct SchemaFetcher {
    requests: Sender<Request>,
}

/// The answer to [`SchemaFetcher::request`].
#[derive(Debug)]
pub struct SchemaAnswer {
    /// The requested schema.
    pub reference: SchemaRef,
    /// The schema, or why there is none.
    pub result: Result<Arc<RegisteredSchema>, RegistryError>,
}

enum Request {
    Schema(SchemaRef, Sender<SchemaAnswer>),
    Versions(String, Sender<Result<Vec<RegisteredSchema>, RegistryError>>),
}

impl SchemaFetcher {
    /// Starts the thread. No request is sent before the first call.
    ///
    /// # Errors
    /// The configuration of the registry is invalid.
    pub fn start(config: &RegistryConfig) -> Result<Self, RegistryError> {
        let client = RegistryClient::new(config)?;
        let setup = |error: io::Error| RegistryError::Setup(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(setup)?;
        let (requests, queue) = channel();
        thread::Builder::new()
            .name("schemas".to_owned())
            .spawn(move || {
                for request in queue {
                    runtime.block_on(answer(&client, request));
                }
            })
            .map_err(setup)?;
        Ok(Self { requests })
    }

    /// Requests a schema. One answer is sent to `answers`, after the retries of [`RegistryClient`].
    pub fn request(&self, reference: SchemaRef, answers: Sender<SchemaAnswer>) {
        self.send(Request::Schema(reference, answers));
    }

    /// Reads all versions of a subject. Waits for the answer.
    ///
    /// # Errors
    /// See [`RegistryClient::versions`].
    pub fn versions(&self, subject: &str) -> Result<Vec<RegisteredSchema>, RegistryError> {
        let (sender, answer) = channel();
        self.send(Request::Versions(subject.to_owned(), sender));
        let ended = |_| RegistryError::Setup("the thread for schemas has ended".to_owned());
        answer.recv().map_err(ended)?
    }

    fn send(&self, request: Request) {
        // The thread ends when the last clone is dropped, so it receives every request.
        let _ = self.requests.send(request);
    }
}

/// Answers a request. The receiver of the answer may be gone.
async fn answer(client: &RegistryClient, request: Request) {
    match request {
        Request::Schema(reference, answers) => {
            let result = match reference {
                SchemaRef::Id(id) => client.schema_by_id(id).await,
                SchemaRef::Guid(guid) => client.schema_by_guid(guid).await,
            };
            let _ = answers.send(SchemaAnswer { reference, result });
        }
        Request::Versions(subject, answers) => {
            let _ = answers.send(client.versions(&subject).await);
        }
    }
}
