//! Works on one slice.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use http_proxy::Proxies;
use runtime::redact;
use settings::{Settings, TransferredSettings, environment, telemetry as log};
use telemetry::Telemetry;

use super::task::{Task, VERSION};
use crate::job::Job;
use crate::run::{KeptReader, Run};
use crate::settings::GROUPS;
use crate::traces;

/// A task cannot be executed; nothing was delivered. The text has no secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TaskError(String);

/// The job of the settings of the last task: the next one mostly has the same.
struct Loaded {
    settings: TransferredSettings,
    job: Job,
    proxies: Proxies,
    telemetry: Telemetry,
}

thread_local! {
    static LOADED: RefCell<Option<Rc<Loaded>>> = const { RefCell::new(None) };
}

/// Nothing signals a worker: its platform ends it.
static SHUTDOWN: AtomicBool = AtomicBool::new(false);

/// Executes a task: reads the slice, delivers its records, writes their dead letters. Returns the outcome, which the run
/// merges and commits. Executed again, it repeats requests with the same idempotency keys.
///
/// # Errors
/// The task is of another version of the program, its settings are invalid on this machine, or a thread or a client cannot
/// be started.
pub fn run_task(task: &[u8]) -> Result<Vec<u8>, TaskError> {
    kafka::tls::initialize();
    let ended = execute(task);
    ended.map_err(|error| TaskError(redact::line(&format!("{error:#}"), MAX_ERROR)))
}

/// The most characters of an error.
const MAX_ERROR: usize = 500;

fn execute(task: &[u8]) -> anyhow::Result<Vec<u8>> {
    // Not the reason of serde_json, which quotes the task.
    let task: Task = serde_json::from_slice(task)
        .map_err(|_| anyhow::anyhow!("this worker has another version than the driver"))?;
    anyhow::ensure!(
        task.version == VERSION,
        "this worker has version {VERSION}, and the driver version {}",
        task.version
    );
    let loaded = load(&task.settings)?;
    let mut config = loaded.job.config.clone();
    config.group.clone_from(&task.group);
    config.give_up_after = task.give_up_after;
    let run = Run {
        config: &config,
        plan: None,
        routes: &loaded.job.routes,
        route_configs: &loaded.job.route_configs,
        proxies: &loaded.proxies,
        schemas: &loaded.job.sources.schemas,
        registry: loaded.job.sources.registry.as_ref(),
        letters: None,
        oracle_cloud: None,
        metrics: None,
        kept_reader: &KeptReader::default(),
        tracer: loaded.telemetry.tracer(),
        workers: None,
        dry_run: false,
        shutdown: &SHUTDOWN,
    };
    let outcome = run.slice(&task)?;
    // The platform may end the process after any task.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(loaded.telemetry.flush(None));
    serde_json::to_vec(&outcome).context("the outcome of the task")
}

fn load(transferred: &TransferredSettings) -> anyhow::Result<Rc<Loaded>> {
    let known = LOADED.with_borrow(Clone::clone);
    if let Some(known) = known.filter(|known| known.settings == *transferred) {
        return Ok(known);
    }
    let settings = Settings::from_transferred(&GROUPS, transferred, environment()?);
    log::start(&settings)?;
    let loaded = Rc::new(Loaded {
        settings: transferred.clone(),
        job: Job::load(&settings)?,
        proxies: Proxies::from_environment(environment()?)?,
        telemetry: Telemetry::start(&settings, traces::PROGRAM)?,
    });
    LOADED.set(Some(Rc::clone(&loaded)));
    Ok(loaded)
}
