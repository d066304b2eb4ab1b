//! The sample endpoint, `api-avro-sample`: API type A and API type B are this one program under two titles.
//!
//! What enters: an HTTP connection. [`server`] takes it, [`router`] finds the handler, [`receive`] takes records:
//! [`access`] asks for the token, [`intake`] turns the body into records, [`settle`] asks [`keys`] which of them came
//! before, [`ledger`] counts and keeps the last of them. [`page`] shows them to people. A refusal is a [`problem`].

mod access;
mod answer;
mod config;
mod container_keys;
mod intake;
mod keys;
mod ledger;
mod page;
mod problem;
mod receive;
mod router;
pub mod settings;
mod settle;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::settings::telemetry;
use ::settings::{LiveSettings, Settings, cli, environment};
use clap::Command;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioTimer;
use runtime::secret::Secret;
use tokio::sync::watch;
use tracing::info;

use self::settings::{API_TOKEN, GROUPS};
pub use config::Config;
use http_server::program::{self, Failure};
use http_server::server::{self, READ_PATIENCE, Tcp};
use keys::Keys;
use ledger::Ledger;

/// The most connections at a time; others wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// How long a connection may take to send a request's headers, idle time between requests included.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// The most bytes of a request's line and headers together.
const HEADER_BYTES: usize = 64 * 1024;

/// Everything a request can touch.
struct Api {
    config: Config,
    settings: watch::Receiver<Arc<Settings>>,
    page: page::Template,
    state: Mutex<State>,
}

/// What one request leaves for the next.
struct State {
    keys: Keys,
    ledger: Ledger,
}

impl Api {
    /// What callers must send as `Authorization: Bearer …` now; none is asked for when unset.
    fn token(&self) -> Option<Secret> {
        self.settings.borrow().secret(&API_TOKEN)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half changed: nothing between lock and unlock can fail.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole program: command line in, exit code out.
pub fn program(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = Command::new("api-avro-sample")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Takes Avro records by HTTP, shows them on a page, and counts each of them once.");
    let command = cli::with_settings(command, &GROUPS);
    match cli::parse(command, arguments) {
        Ok(matches) => program::run("api-avro-sample", start(&cli::flags(&GROUPS, &matches))),
        Err(code) => ExitCode::from(code),
    }
}

async fn start(flags: &[(&'static str, String)]) -> Result<(), Failure> {
    let environment = environment()?;
    telemetry::start(&Settings::without_files(&GROUPS, flags, environment))?;
    let live = LiveSettings::gather(&GROUPS, flags, environment).await?;
    telemetry::start(&live.current())?;
    tokio::select! {
        ended = run(live.changes()) => ended,
        () = live.keep_fresh() => Ok(()),
    }
}

/// Serves until SIGTERM or SIGINT, then finishes the requests under way. Of settings that change meanwhile, the token is
/// followed; all others are those of the start.
///
/// # Errors
/// A setting is missing or malformed, the schema cannot be read, the address is taken.
async fn run(settings: watch::Receiver<Arc<Settings>>) -> Result<(), Failure> {
    let config = Config::from_settings(&settings.borrow())?;
    let listener = server::bind(&config.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::software(format!("asking for the address: {error}")))?;
    let stop = server::told_to_end()?;
    info!(title = %config.title, "listening on http://{address}");
    if settings.borrow().secret(&API_TOKEN).is_none() {
        info!("API_TOKEN is not set: whoever reaches this address may post and look");
    }
    let state = Mutex::new(State {
        keys: Keys::new(config.keys),
        ledger: Ledger::new(config.keep),
    });
    let api = Arc::new(Api {
        page: page::Template::new(&config.title),
        config,
        settings,
        state,
    });
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        // Who has said everything may say so, and still wants the answer.
        .half_close(true)
        .max_header_size(HEADER_BYTES);
    let answer = move |request| {
        let api = api.clone();
        async move { router::answer(&api, request).await }
    };
    let listener = Tcp {
        listener,
        patience: READ_PATIENCE,
    };
    server::serve(listener, http, CONNECTIONS, answer, stop).await;
    Ok(())
}
