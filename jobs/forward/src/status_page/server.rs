//! The listener and the thread that answers.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use http_server::listener::TcpAcceptor;
use http_server::server;
use tracing::{info, warn};

use super::access::Access;
use super::board::Board;
use super::config::StatusConfig;
use super::liveness;
use super::respond::{Sources, respond};
use crate::config::Config;
use crate::metrics::JobMetrics;

/// The most connections at a time: one beyond them takes the place of an idle one.
const MAX_CONNECTIONS: usize = 256;
/// How long the request line and the header section may take to arrive. It also limits the idle time of a connection. Short,
/// because a probe waits for a client that occupies the last connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of the request line and the header section together. Each connection may use twice as much memory.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The server of the status page. Its thread ends with the process and waits for no connection.
pub struct StatusServer {
    board: Arc<Board>,
    sources: Arc<Sources>,
}

impl StatusServer {
    /// Binds the address and starts the thread. `every` is the interval of the windows, `metrics` are those of the job.
    /// Logs a warning if other machines can read the page without a token.
    ///
    /// # Errors
    /// The address cannot be bound, or the thread cannot be started.
    pub fn start(
        status: &StatusConfig,
        config: &Config,
        every: Duration,
        metrics: JobMetrics,
    ) -> Result<Self> {
        let listen = status.listen;
        let listener = TcpListener::bind(listen)
            .with_context(|| format!("STATUS_LISTEN is {listen}, which cannot be bound"))?;
        let address = listener.local_addr()?;
        if status.token.is_none() && !address.ip().to_canonical().is_loopback() {
            warn!(
                %address,
                "everyone who reaches this address can read the status page: set STATUS_TOKEN, or let only authorized clients \
                 reach it"
            );
        }
        let board = Arc::new(Board::new(config, every));
        let sources = Arc::new(Sources {
            board: Arc::clone(&board),
            access: Access::new(status.token.as_ref()),
            metrics,
            max_silence: liveness::max_silence(config.start_timeout),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let served = Arc::clone(&sources);
        std::thread::Builder::new()
            .name("status".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve(listener, served)) {
                    warn!(%error, "the status page is not served");
                }
            })?;
        info!(%address, "status page: listening");
        Ok(Self { board, sources })
    }

    /// What the schedule publishes to.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Takes the token of changed settings. The listener stays.
    pub fn reload(&self, status: Option<&StatusConfig>) {
        match status {
            Some(status) => self.sources.access.replace(status.token.as_ref()),
            None => {
                warn!("STATUS_LISTEN is unset now; the status page stays until the process ends")
            }
        }
    }
}

async fn serve(listener: TcpListener, sources: Arc<Sources>) -> std::io::Result<()> {
    let listener = TcpAcceptor::of(listener)?;
    let http = server::http1(HEADER_TIMEOUT, MAX_HEADER_BYTES);
    let handler = move |request: http::Request<hyper::body::Incoming>| {
        let sources = Arc::clone(&sources);
        async move {
            let (head, _) = request.into_parts();
            respond(&sources, &head, SystemTime::now())
        }
    };
    // The process ends while this thread serves: no client delays the end of the job.
    server::serve(
        listener,
        http,
        MAX_CONNECTIONS,
        handler,
        std::future::pending(),
    )
    .await;
    Ok(())
}
