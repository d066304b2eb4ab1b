//! Oracle Cloud on loopback: Object Storage, Vault's secret retrieval, the metadata service of a machine and
//! federation, at one plain HTTP address, for one tenancy.
//!
//! Every request must be signed as the real services want it, by a principal that the stand-in made
//! ([`Standin::api_key`], [`Standin::resource_principal`], or a session that its federation granted): see
//! [`verify`]. It can be told to throttle, fail, delay, hang, cut answers short, live in another time, rotate and
//! expire ([`Standin::trouble`], [`Standin::put_secret`], …), and it keeps a record of what it was asked.

mod answer;
mod control;
mod identity;
mod services;
mod verify;
mod world;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use answer::Trouble;
pub use world::{NAMESPACE, REGION, Seen, TENANCY};

use world::World;

/// A running stand-in; it ends when this is dropped.
pub struct Standin {
    address: SocketAddr,
    world: Arc<World>,
    server: JoinHandle<()>,
}

impl Standin {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port, or no keys.
    pub async fn start() -> Result<Self> {
        Self::listen("127.0.0.1:0").await
    }

    /// Starts at an address.
    ///
    /// # Errors
    /// The address is taken, or OpenSSL makes no keys.
    pub async fn listen(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address}"))?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new()?);
        let server = tokio::spawn(serve(listener, Arc::clone(&world)));
        Ok(Self {
            address,
            world,
            server,
        })
    }

    /// Where all services answer: `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the metadata service answers.
    pub fn metadata(&self) -> String {
        format!("{}/opc/v2", self.endpoint())
    }

    /// Makes a user with an API key, and writes `config` and `key.pem` for Oracle's tools into the folder.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn api_key(&self, folder: &Path) -> Result<PathBuf> {
        identity::api_key(&self.world, folder)
    }

    /// Makes a resource principal whose token ends after `lifetime`, writes its files (`rpst`, `private.pem`) into
    /// the folder, and hands back the variables that the platform would set. Made again in the same folder, it
    /// renews key and token.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn resource_principal(
        &self,
        folder: &Path,
        lifetime: Duration,
    ) -> Result<Vec<(&'static str, String)>> {
        identity::resource_principal(&self.world, folder, lifetime)
    }

    /// From now on no token or API key made so far is accepted.
    pub fn revoke_all(&self) {
        self.world.lock().revoke_all();
    }

    /// Puts an object.
    pub fn put_object(&self, bucket: &str, object: &str, bytes: &[u8]) {
        self.world.lock().put_object(bucket, object, bytes.to_vec());
    }

    /// An object's bytes.
    pub fn object(&self, bucket: &str, object: &str) -> Option<Vec<u8>> {
        self.world.lock().object(bucket, object)
    }

    /// Adds a version to the secret of that name, which becomes the current one, and hands back the secret's OCID.
    pub fn put_secret(&self, name: &str, bytes: &[u8]) -> String {
        self.world.lock().put_secret(name, bytes)
    }

    /// Keeps a secret under each of these settings' names, and hands back the lines of config.properties that lead to
    /// them.
    pub fn put_secrets(&self, secrets: &[(&str, &str)]) -> String {
        let line = |(name, content): &(&str, &str)| {
            let id = self.put_secret(name, content.as_bytes());
            format!("{name}_vaultOCID={id}\n")
        };
        secrets.iter().map(line).collect()
    }

    /// The vault that holds the secrets.
    pub fn vault(&self) -> &'static str {
        world::VAULT
    }

    /// Lets the secret of that name be past its expiry.
    pub fn expire_secret(&self, name: &str) {
        self.world.lock().expire_secret(name);
    }

    /// The next `times` requests whose path contains `path` meet this trouble.
    pub fn trouble(&self, path: &str, trouble: Trouble, times: usize) {
        self.world.lock().trouble(path, trouble, times);
    }

    /// Sets the stand-in's clock ahead (or, if negative, behind) by so many seconds.
    pub fn set_clock(&self, seconds: i64) {
        self.world.lock().ahead = seconds;
    }

    /// What was asked so far, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.world.lock().seen.clone()
    }

    /// Forgets what was asked so far.
    pub fn forget_requests(&self) {
        self.world.lock().seen.clear();
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, world: Arc<World>) {
    // Connections end with the stand-in.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let world = Arc::clone(&world);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let world = Arc::clone(&world);
                async move { services::answer(&world, request).await }
            });
            // A client that goes away is its own affair, and a cut answer ends in an error by design.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Nothing but a trouble that was asked for makes an answer fail.
type Never = Infallible;
