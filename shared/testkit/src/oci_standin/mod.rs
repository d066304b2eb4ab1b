//! A stand-in for Oracle Cloud: Object Storage, Vault's secret retrieval, a machine's metadata service and federation, at
//! one HTTP address without TLS, for one tenancy.
//!
//! It verifies the signature of every request, as the real services do. Principals are created with
//! [`Standin::api_key`] and [`Standin::resource_principal`]; sessions are granted by federation. It injects faults
//! ([`Standin::inject_fault`]), sets its clock ([`Standin::set_clock`]), rotates and expires secrets
//! ([`Standin::put_secret`], [`Standin::expire_secret`]), and records all requests ([`Standin::requests`]).

mod authority;
mod control;
mod environment;
mod identity;
mod listing;
mod names;
mod response;
mod services;
mod state;
mod url;
mod verify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use environment::Environment;
pub use names::{NAMESPACE, REGION, TENANCY};
pub use response::Fault;
pub use state::RecordedRequest;

use state::State;

/// A running stand-in. Dropping this stops it.
pub struct Standin {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl Standin {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// There is no free port, or OpenSSL cannot generate keys.
    pub async fn start() -> Result<Self> {
        Self::listen("127.0.0.1:0").await
    }

    /// Starts at an address.
    ///
    /// # Errors
    /// The address is in use, or OpenSSL cannot generate keys.
    pub async fn listen(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address}"))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new()?);
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self {
            address,
            state,
            server,
        })
    }

    /// The base URL of all services, `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL of the metadata service.
    pub fn metadata(&self) -> String {
        format!("{}/opc/v2", self.endpoint())
    }

    /// Creates a user with an API key, writes `config` and `key.pem` for Oracle's tools into the folder, and returns the
    /// path of `config`.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn api_key(&self, folder: &Path) -> Result<PathBuf> {
        identity::api_key(&self.state, folder)
    }

    /// Creates a resource principal whose token expires after `lifetime`, writes its files (`rpst`, `private.pem`) into
    /// the folder, and returns the environment variables that the platform sets. A second call with the same folder
    /// renews key and token.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn resource_principal(
        &self,
        folder: &Path,
        lifetime: Duration,
    ) -> Result<Vec<(&'static str, String)>> {
        identity::resource_principal(&self.state, folder, lifetime)
    }

    /// Revokes all tokens and API keys.
    pub fn revoke_all(&self) {
        self.state.lock().revoke_all();
    }

    /// Stores an object.
    pub fn put_object(&self, bucket: &str, object: &str, bytes: &[u8]) {
        self.state.lock().put_object(bucket, object, bytes.to_vec());
    }

    /// Deletes an object, if it exists.
    pub fn delete_object(&self, bucket: &str, object: &str) {
        self.state.lock().delete_object(bucket, object);
    }

    /// The bytes of an object.
    pub fn object(&self, bucket: &str, object: &str) -> Option<Vec<u8>> {
        self.state.lock().object(bucket, object)
    }

    /// Adds a current version to the secret with this name, and returns the secret's OCID.
    pub fn put_secret(&self, name: &str, bytes: &[u8]) -> String {
        self.state.lock().put_secret(name, bytes)
    }

    /// Stores a secret for each of these settings, and returns the lines of config.properties that refer to them.
    pub fn put_secrets(&self, secrets: &[(&str, &str)]) -> String {
        let line = |(name, content): &(&str, &str)| {
            let id = self.put_secret(name, content.as_bytes());
            format!("{name}_vaultOCID={id}\n")
        };
        secrets.iter().map(line).collect()
    }

    /// The OCID of the vault that contains the secrets.
    pub fn vault(&self) -> &'static str {
        names::VAULT
    }

    /// Marks the secret with this name as expired.
    pub fn expire_secret(&self, name: &str) {
        self.state.lock().expire_secret(name);
    }

    /// Injects a fault into the next `times` responses to requests whose target contains `path`.
    pub fn inject_fault(&self, path: &str, fault: Fault, times: usize) {
        self.state.lock().inject(path, fault, times);
    }

    /// Sets the difference between the stand-in's clock and the system's clock, in seconds.
    pub fn set_clock(&self, seconds: i64) {
        self.state.lock().clock_offset = seconds;
    }

    /// All recorded requests, in order.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.lock().requests.clone()
    }

    /// The statuses of the recorded requests whose target contains this text.
    pub fn statuses(&self, part: &str) -> Vec<u16> {
        let inner = self.state.lock();
        let matching = inner
            .requests
            .iter()
            .filter(|one| one.target.contains(part));
        matching.map(|one| one.status).collect()
    }

    /// Deletes the recorded requests.
    pub fn clear_requests(&self) {
        self.state.lock().requests.clear();
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    // Connections end with the stand-in.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move { services::answer(&state, request).await }
            });
            // Not an error: the client closed the connection, or an injected fault cut the response short.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}
