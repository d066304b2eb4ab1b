//! The sample endpoint of the tutorial: API type A and API type B are this program with two titles.
//!
//! The endpoint accepts Avro records by `POST /`: a raw datum, a single-object encoding or a container file. It counts
//! each record once by its idempotency key, answers with the decoded records and shows the last of them on a page and as
//! JSON. It keeps everything in memory and stores nothing.
//!
//! - [`main`] is the whole program
//! - `router` finds the handler of a request; `receive` is the handler of `POST /`
//! - `accept` decides which records are duplicates, by `key_history`
//! - [`settings`] declares its settings
//! - `record_log` keeps counts and the last records, `page` renders them
//!
//! ```
//! use std::process::ExitCode;
//!
//! let code = api_avro_sample::main(["api-avro-sample".into(), "--help".into()]);
//! assert_eq!(code, ExitCode::SUCCESS);
//! ```

mod accept;
mod access;
mod api;
mod clock;
mod config;
mod container_keys;
mod decode;
mod key_history;
mod page;
mod problems;
mod receive;
mod record_log;
mod respond;
mod router;
pub mod settings;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::settings::{LiveSettings, Settings, cli, environment, telemetry};
use clap::Command;
use http_server::listener::TcpAcceptor;
use http_server::program::{self, Failure};
use http_server::tls::TlsContext;
use http_server::{server, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use self::settings::GROUPS;
use api::Api;
use caller_auth::CallerAuth;
use config::Config;

/// The most connections at a time. Others wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;
/// How long the headers of a request may take to arrive. It also limits the idle time of a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of the request line and the header section together.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The whole program, with these command-line arguments.
///
/// An invalid configuration ends it with one sentence on standard error and exit code 78.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = Command::new("api-avro-sample")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Accepts Avro records over HTTP, counts each once and shows them on a page.");
    let command = cli::with_settings(command, &GROUPS);
    match cli::parse(command, arguments) {
        Ok(matches) => program::run("api-avro-sample", run(&cli::flags(&GROUPS, &matches))),
        Err(code) => ExitCode::from(code),
    }
}

async fn run(flags: &[(&'static str, String)]) -> Result<(), Failure> {
    let environment = environment()?;
    telemetry::start(&Settings::without_files(&GROUPS, flags, environment))?;
    let live = LiveSettings::gather(&GROUPS, flags, environment).await?;
    telemetry::start(&live.current())?;
    tokio::select! {
        result = serve(live.changes()) => result,
        () = live.keep_fresh() => Ok(()),
    }
}

/// Serves until SIGTERM or SIGINT. When settings change, only the callers and the TLS certificate are updated.
async fn serve(settings: watch::Receiver<Arc<Settings>>) -> Result<(), Failure> {
    let config = Config::from_settings(&settings.borrow())?;
    let (callers, current) =
        watch::channel(Arc::new(CallerAuth::from_settings(&settings.borrow())?));
    let tls = TlsContext::from_settings(settings.clone())?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listener = TcpAcceptor::bind(&config.listen).await?.with_tls(tls);
    let address = listener
        .local_addr()
        .map_err(|error| Failure::software(format!("reading the bound address: {error}")))?;
    let shutdown = signal::shutdown()?;
    callers.borrow().warn_if_open(address);
    info!(title = %config.title, "listening on {scheme}://{address}");
    let api = Arc::new(Api::new(config, current));
    let http = server::http1(HEADER_TIMEOUT, MAX_HEADER_BYTES);
    let handler = move |request| {
        let api = api.clone();
        async move { router::handle(&api, request).await }
    };
    tokio::select! {
        () = server::serve(listener, http, MAX_CONNECTIONS, handler, shutdown) => {}
        () = update(settings, callers) => {}
    }
    Ok(())
}

/// Replaces the callers when the settings change. Does not return.
async fn update(
    mut settings: watch::Receiver<Arc<Settings>>,
    callers: watch::Sender<Arc<CallerAuth>>,
) {
    while settings.changed().await.is_ok() {
        let new = CallerAuth::from_settings(&settings.borrow_and_update());
        match new {
            Ok(mut new) => {
                new.keep_keys(&callers.borrow());
                callers.send_replace(Arc::new(new));
            }
            Err(error) => warn!(%error, "reloading the callers failed; keeping the previous ones"),
        }
    }
    std::future::pending().await
}
