//! The program `forward`: runs the command of a command line.

mod commands;

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail};
use http_proxy::Proxies;
use kafka::tls::ClientTls;
use runtime::console;
use settings::telemetry as log;
use settings::{LiveSettings, Location, Settings, environment, misspelled, warn_misspelled};
use telemetry::Telemetry;
use tokio::signal::unix::{SignalKind, signal};

use crate::check;
use crate::cli::{self, Action, CheckOptions, Flags, Output, RunOptions};
use crate::completions;
use crate::config::Config;
use crate::dead_letters::{LettersOutcome, Replay, ReplayOptions};
use crate::exit::RunOutcome;
use crate::job::Job;
use crate::metrics::{self, JobMetrics};
use crate::route_config::RouteConfig;
use crate::run::{KeptReader, Run};
use crate::schedule;
use crate::settings::{CONCURRENT_RUNS, GROUPS, WINDOW_MAX_BYTES, WINDOW_MAX_RECORDS};
use crate::single_run::ConcurrentRuns;
use crate::status_page::StatusServer;
use crate::traces;
use crate::window_plan::AppliedPlan;
use crate::workers::{WorkerPool, Workers};

static SHUTDOWN: AtomicBool = AtomicBool::new(false);

/// Runs the command of a command line, whose first argument is the program's name. Returns the exit code. `workers` share
/// the window of `forward run`; `None`: this process does all of the work.
pub fn main(arguments: impl IntoIterator<Item = OsString>, workers: Option<&dyn Workers>) -> u8 {
    kafka::tls::initialize();
    let (action, flags) = match cli::parse(arguments) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    let outcome = match action {
        Action::Run(options) => run(&options, &flags, workers),
        Action::Check(options) => check(options, &flags),
        Action::Test(options) => return commands::test(&options, &flags),
        Action::Plan(options) => return commands::plan(&options, &flags),
        Action::Explain(options) => return commands::explain(&options, &flags),
        Action::Status(options) => return commands::status(&options, &flags),
        Action::Reset(options) => return commands::reset(&options, &flags),
        Action::DeadLetters(options) => return commands::dead_letters(&options, &flags),
        Action::Report(options) => return commands::report(&options, &flags),
        Action::Init(options) => return commands::init(&options),
        Action::ReplayDeadLetters(options) => replay(&options, &flags),
        Action::Settings { markdown: true } => print(cli::markdown().as_bytes()),
        Action::Settings { markdown: false } => {
            gather(&flags).and_then(|settings| print(cli::listing(&settings).as_bytes()))
        }
        Action::KafkaSettings => gather(&flags).and_then(|settings| {
            // The routes' timeouts decide about one property. Without routes, that of the settings does.
            let routes = RouteConfig::all_from(&settings).unwrap_or_default();
            let listing = Config::from_settings(&settings)?.kafka_listing(&routes)?;
            print(listing.as_bytes())
        }),
        Action::ManPages(directory) => return commands::man_pages(&directory),
        Action::Completions(shell) => print(&completions::script(shell, cli::command())),
    };
    match outcome {
        Ok(outcome) => outcome.code(),
        Err(error) => {
            console::say(format_args!("forward: {error:#}"));
            RunOutcome::Configuration.code()
        }
    }
}

/// Loads the configuration, then runs windows. Errors here are configuration errors; a run reports its own.
fn run(options: &RunOptions, flags: &Flags, workers: Option<&dyn Workers>) -> Result<RunOutcome> {
    let environment = environment()?;
    let mut metrics = JobMetrics::new(options.every.is_some(), environment);
    let mut settings = Settings::without_files(&GROUPS, flags, environment);
    let outcome = run_windows(options, flags, workers, &mut metrics, &mut settings);
    if outcome.is_err() && !options.dry_run {
        let code = RunOutcome::Configuration.code();
        metrics::publish_failure(&metrics, &settings, code, SystemTime::now());
    }
    outcome
}

/// Runs windows. `settings` are those of environment and flags at first, then all.
fn run_windows(
    options: &RunOptions,
    flags: &Flags,
    workers: Option<&dyn Workers>,
    metrics: &mut JobMetrics,
    settings: &mut Settings,
) -> Result<RunOutcome> {
    let environment = environment()?;
    log::start(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let live = runtime.block_on(LiveSettings::gather(&GROUPS, flags, environment))?;
    *settings = Settings::clone(&live.current());
    log::start(settings)?;
    warn_misspelled(&GROUPS);
    let proxies = Proxies::from_environment(environment)?;
    let telemetry = Telemetry::start(settings, traces::PROGRAM)?;
    metrics.set_exporter(telemetry.metrics());
    let mut loaded = Job::load(settings)?;
    let pool = workers.map(|workers| WorkerPool {
        workers,
        settings: settings.transferred(),
    });
    if pool.is_some() {
        check_shared(options, &loaded.config)?;
    }
    let plan = options.plan.as_ref();
    let plan = plan.map(|file| AppliedPlan::load(file, &mut loaded.config));
    let plan = plan.transpose()?;
    let is_object = matches!(options.report, Some(Location::Object(_)));
    let mut oracle_cloud = None;
    let status = status_server(options, &loaded.config, metrics)?;
    handle_signals()?;
    let mut next = Instant::now();
    loop {
        if is_object {
            oracle_cloud = Some(live.current().oracle_cloud()?);
        }
        let kept_reader = KeptReader::default();
        let run = Run {
            config: &loaded.config,
            plan: plan.as_ref(),
            routes: &loaded.routes,
            route_configs: &loaded.route_configs,
            proxies: &proxies,
            schemas: &loaded.sources.schemas,
            registry: loaded.sources.registry.as_ref(),
            letters: None,
            oracle_cloud: oracle_cloud.as_ref(),
            metrics: Some(metrics),
            kept_reader: &kept_reader,
            tracer: telemetry.tracer(),
            workers: pool.as_ref(),
            dry_run: options.dry_run,
            shutdown: &SHUTDOWN,
        };
        let mut newer = None;
        let board = status.as_ref().map(StatusServer::board);
        let ended = schedule::run(&run, options, &mut next, board, |outcome| {
            newer = runtime.block_on(reload(&live, &loaded.config, outcome));
            newer.is_some()
        });
        match (ended, newer) {
            (Some(outcome), _) => {
                telemetry.shutdown_blocking();
                return Ok(outcome);
            }
            (None, Some(newer)) => {
                loaded = newer;
                if let Some(status) = &status {
                    status.reload(loaded.config.status.as_ref());
                }
            }
            (None, None) => {}
        }
    }
}

/// Checks that workers can share the window.
fn check_shared(options: &RunOptions, config: &Config) -> Result<()> {
    if options.every.is_some() {
        bail!("--every is not possible when workers share the window: start each run on its own");
    }
    if config.concurrent_runs == ConcurrentRuns::Share {
        bail!(
            "{}=share is not possible when workers share the window: one run uses all of them",
            CONCURRENT_RUNS.variable()
        );
    }
    if config.bytes.is_some() {
        bail!(
            "{} is not possible when workers share the window: use {}",
            WINDOW_MAX_BYTES.variable(),
            WINDOW_MAX_RECORDS.variable()
        );
    }
    Ok(())
}

/// The status page, if there is one.
fn status_server(
    options: &RunOptions,
    config: &Config,
    metrics: &JobMetrics,
) -> Result<Option<StatusServer>> {
    match (&config.status, options.every) {
        (None, _) => Ok(None),
        (Some(status), Some(every)) => {
            StatusServer::start(status, config, every, metrics.clone()).map(Some)
        }
        (Some(_), None) => bail!(
            "STATUS_LISTEN is set, but --every is not: only a process that stays has a status page"
        ),
    }
}

/// Reloads the settings when that is due, and at once after a window in which the broker or an endpoint rejected
/// requests: a password may have been changed. Invalid settings are logged, and the current ones stay.
async fn reload(live: &LiveSettings, config: &Config, last: RunOutcome) -> Option<Job> {
    let is_changed = match last {
        RunOutcome::Source | RunOutcome::Endpoint | RunOutcome::Partial => {
            live.refresh(Instant::now()).await
        }
        _ => live.refresh_if_due(Instant::now()).await,
    };
    let has_new_tls = || {
        let tls = ClientTls::from_settings(&live.current());
        tls.is_ok_and(|tls| tls != config.kafka.tls)
    };
    if !is_changed && !has_new_tls() {
        return None;
    }
    match Job::load(&live.current()) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "the reloaded settings are invalid; keeping the current ones"
            );
            None
        }
    }
}

/// Checks once everything that a run needs.
fn check(options: CheckOptions, flags: &Flags) -> Result<RunOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let misspelled = misspelled(&GROUPS);
    let check = check::check(flags, environment()?, &misspelled, options.offline);
    let report = runtime.block_on(check);
    print(
        match options.output {
            Output::Json => report.json(),
            Output::Text => report.text(),
        }
        .as_bytes(),
    )?;
    Ok(report.outcome())
}

/// Delivers the records of dead letters.
fn replay(options: &ReplayOptions, flags: &Flags) -> Result<RunOutcome> {
    let environment = environment()?;
    let settings = gather(flags)?;
    log::start(&settings)?;
    warn_misspelled(&GROUPS);
    let job = Job::load(&settings)?;
    handle_signals()?;
    let oracle_cloud = match options.run.report {
        Some(Location::Object(_)) => Some(settings.oracle_cloud()?),
        _ => None,
    };
    let telemetry = Telemetry::start(&settings, traces::PROGRAM)?;
    let replay = Replay {
        selection: &options.selection,
        target: options.target,
        options: &options.run,
        timeout: options.timeout,
        oracle_cloud: oracle_cloud.as_ref(),
        proxies: &Proxies::from_environment(environment)?,
        tracer: telemetry.tracer(),
        shutdown: &SHUTDOWN,
    };
    let result = replay.run(job, SystemTime::now());
    telemetry.shutdown_blocking();
    match result {
        Ok(Some(outcome)) => Ok(outcome),
        Ok(None) => {
            console::say(format_args!("forward: there is no dead-letter topic"));
            Ok(RunOutcome::Completed)
        }
        Err(error) if error.outcome() == LettersOutcome::Source => {
            console::say(format_args!("forward: {error}"));
            Ok(RunOutcome::Source)
        }
        Err(error) => Err(error.into()),
    }
}

fn gather(flags: &Flags) -> Result<Settings> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let settings = Settings::gather(&GROUPS, flags, environment()?);
    Ok(runtime.block_on(settings)?)
}

/// The first SIGTERM or SIGINT stops reading and lets the run complete requests in flight. A second one ends the process
/// at once, which loses no record but may repeat requests in flight. The first one unparks the calling thread.
fn handle_signals() -> Result<()> {
    let caller = std::thread::current();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => {}
                        _ = interrupt.recv() => {}
                    }
                    if SHUTDOWN.swap(true, Ordering::Relaxed) {
                        std::process::exit(RunOutcome::MoreWork.code().into());
                    }
                    caller.unpark();
                    tracing::info!("shutting down: reading stops, requests in flight complete");
                }
            });
        })?;
    Ok(())
}

fn print(text: &[u8]) -> Result<RunOutcome> {
    console::print(text).context("writing to standard output")?;
    Ok(RunOutcome::Completed)
}
